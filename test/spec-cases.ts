// Which test holds each case of the two specs of this part of the house: the twin, and the machinery of the client and the servers.

/** A file below the repository's root, and the exact name of a test in it: of a test, of a row of a table of tests, of a real check. */
export type Holder = readonly [file: string, name: string]

export interface SpecCase {
  /** Its number, after the letter of its table where there are several: `D12`. */
  readonly number: number | string
  readonly what: string
  /** Empty: not built. */
  readonly heldBy: readonly Holder[]
  /** Where a recording of the real server says otherwise than the spec, what it says: that is tested. */
  readonly realServer?: string
}

const lists = 'src/twin/lists-and-watches.test.ts'
const writes = 'src/twin/writes.test.ts'
const wire = 'src/twin/wire-formats.test.ts'
const custom = 'src/twin/custom-resources.test.ts'
const components = 'src/twin/components'
const hpa = 'src/cluster/horizontal-autoscaler.test.ts'
const realKubectl = 'test/real/kubectl'

// biome-ignore format: a table
export const twinCases: readonly SpecCase[] = [
  { number: 1, what: 'create configmap by protobuf', heldBy: [[wire, 'create configmap']] },
  { number: 2, what: 'auth can-i by protobuf', heldBy: [[wire, 'auth can-i'], [`${realKubectl}/discovery-cases.ts`, 'can-i and whoami']] },
  { number: 3, what: 'TokenRequest by protobuf', heldBy: [[wire, 'create token for $seconds s']] },
  { number: 4, what: 'answers in the form asked for', heldBy: [[wire, '$accept → $status']] },
  { number: 5, what: 'discovery, aggregated and not', heldBy: [[wire, 'aggregated and legacy discovery']], realServer: 'the responseKind of a built-in kind has group and version empty' },
  { number: 6, what: 'the first page and its token', heldBy: [[lists, 'name where they go on, at which revision, and how much is left (case 6)']] },
  { number: 7, what: 'the next page, and after compaction', heldBy: [[lists, 'go on at the revision they began with, until it is forgotten (case 7)']] },
  { number: 8, what: 'a watch from a forgotten revision', heldBy: [[lists, 'from a forgotten revision: 200 and one ERROR event (case 8)']] },
  { number: 9, what: 'sendInitialEvents where it is not allowed', heldBy: [[lists, 'sendInitialEvents needs resourceVersionMatch'], [lists, '$query → $status']] },
  { number: 10, what: 'a watch with its initial events', heldBy: [[lists, 'the initial state ends with an annotated bookmark']] },
  { number: 11, what: 'an object leaves the selector', heldBy: [[lists, 'leaving the selector is DELETED with the old object and the new revision']] },
  { number: 12, what: 'PUT of the same', heldBy: [[writes, 'an identical object is not written again']] },
  { number: 13, what: 'PUT of what is stale', heldBy: [[writes, 'a stale resourceVersion is a conflict']] },
  { number: 14, what: 'two ports of one number', heldBy: [[writes, 'strategic merge takes the first port of the number, server-side apply the one of the protocol']] },
  { number: 15, what: 'conflicts of apply', heldBy: [[writes, 'another value of a field that somebody applied is a conflict; force takes it; the same value is shared'], [writes, 'an updater is named with its version']] },
  { number: 16, what: 'apply without a field', heldBy: [[writes, 'what a manager no longer applies goes, unless another applied it too']] },
  { number: 17, what: 'unknown fields', heldBy: [[wire, 'an unknown field under $fieldValidation']] },
  { number: 18, what: 'a schema with a rule', heldBy: [[custom, '$spec is refused'], [custom, 'are pruned and defaulted']], realServer: 'a rule is refused as `spec: Invalid value: too big`, and beside an unsupported value a second cause tells of rules that were not checked' },
  { number: 19, what: 'eviction against a budget', heldBy: [[writes, 'is refused while the budget allows none'], [writes, 'is counted once, and the pod says why it goes'], [writes, 'waits for a budget that was just edited']] },
  { number: 20, what: 'budgets by percentage', heldBy: [[`${components}/upkeep/disruption.test.ts`, 'status by percentage and by maxUnavailable (case 20)']] },
  { number: 21, what: 'eviction of pods that are not ready', heldBy: [[writes, 'of a pod that is not ready, or not yet running, costs nothing (case 21)']] },
  { number: 22, what: 'a rollout that never gets ready', heldBy: [[`${components}/workloads/rollout.test.ts`, 'an image that never gets ready stops at old 8, new 5, and is late after 600 s (case 22)'], [`${realKubectl}/workload-cases.ts`, 'a status that does not come']] },
  { number: 23, what: 'a rollout and its undoing', heldBy: [[`${components}/workloads/rollout.test.ts`, 'a good image: never < 8 available, never > 13 pods; undo takes the old set again with revision 3 (case 23)'], [`${realKubectl}/workload-cases.ts`, 'history and undo']] },
  { number: 24, what: 'which pods a ReplicaSet takes', heldBy: [[`${components}/workloads/replicaset-scale-down.test.ts`, 'the unready and the cheap one go first'], [`${components}/workloads/replicaset-scale-down.test.ts`, 'then of two alike the one of lower uid'], [`${components}/workloads/replicaset-scale-down.test.ts`, 'or the one ready for a much shorter time']] },
  { number: 25, what: 'a StatefulSet with a partition', heldBy: [[`${components}/workloads.test.ts`, 'partition 3 of 5: the top two are replaced one at a time; scaling to 0 goes from the top (case 25)']] },
  { number: 26, what: 'a DaemonSet updated', heldBy: [[`${components}/workloads.test.ts`, 'one pod on each node, new nodes too; an update takes at most a quarter down (case 26)']] },
  { number: 27, what: 'sizes by metrics', heldBy: [[hpa, '80 of 50 per cent'], [hpa, '54 of 50: within the tolerance'], [hpa, 'three of four at half of the target: the silent one counts at the target']] },
  { number: 28, what: 'down after five minutes', heldBy: [[hpa, 'down only after five minutes, to the highest wish of them, then all at once']] },
  { number: 29, what: 'a node that is killed', heldBy: [[`${components}/node-death.test.ts`, 'a node that dies is marked, tainted, emptied, and gives its pods back when it returns (case 29)'], [`${components}/node-death.test.ts`, 'a node that is deleted takes its pods along 40 s later']] },
  { number: 30, what: 'deletion policies', heldBy: [[`${components}/deletion.test.ts`, 'Foreground: the Deployment stays until its set and pods are gone'], [`${components}/deletion.test.ts`, 'Background: the Deployment is gone at once, the others follow'], [`${components}/deletion.test.ts`, 'Orphan: the set stays without an owner']], realServer: 'with Orphan the Deployment stays, with the finalizer `orphan`, until its sets are let go' },
  { number: 31, what: 'a namespace that is held', heldBy: [[`${components}/deletion.test.ts`, 'a finalizer nobody removes holds it, and is named (case 31)']] },
  { number: 32, what: 'RBAC by name', heldBy: [['src/twin/permissions.test.ts', 'a user with get on one name may not list, nor get another (case 32)']] },
  { number: 33, what: 'a CronJob for an hour', heldBy: [[`${components}/batch.test.ts`, 'a CronJob of every five minutes makes twelve Jobs an hour and keeps three (case 33)']] },
  { number: 34, what: 'kubectl get all, loaded', heldBy: [['test/cli/snapshot-dumps.deep.test.ts', 'kubectl get all of a healthy cluster, without the ReplicaSets of one namespace, stays as it is (twin, case 34)']] },
  { number: 35, what: 'Secrets in a snapshot', heldBy: [['test/cli/snapshot.deep.test.ts', "has no Secret's value in it, but which are equal"]] },
  { number: 36, what: 'persistence by --state', heldBy: [] },
  { number: 37, what: 'the same seed, the same run', heldBy: [[`${components}/same-run.deep.test.ts`, 'two runs of a seed are the same, another seed has the same number of pods']] },
  { number: 38, what: 'a fault three times', heldBy: [['src/twin/own-kinds/own-kinds.test.ts', 'fails three updates of leases and not the fourth, and says so (case 38)']] },
  { number: 39, what: "client-go's leader election, the holder killed", heldBy: [['test/real/clients/killed-leader.ts', 'client-go leader election: a killed holder is followed by the other candidate on the twin']], realServer: 'client-go stretches its retry period by up to 2.2, before it has seen the last renewal and after the lease is over' },
  { number: 40, what: 'kubectl get nodes of 5,000', heldBy: [['src/twin/node-tables.test.ts', '5,000 nodes are ten tables of 500, every row once and sorted by name (case 40)'], [`${realKubectl}/many-nodes.ts`, 'get nodes of 5,000']] },
]

const kube = 'src/kube'
const aggregated = 'src/kube/server/aggregated-server.test.ts'

// biome-ignore format: a table
export const machineryCases: readonly SpecCase[] = [
  { number: 1, what: 'canonical quantities', heldBy: [[`${kube}/values/quantity.test.ts`, 'canonical forms (kube-machinery case 1)']] },
  { number: 2, what: 'quantities that are none', heldBy: [[`${kube}/values/quantity.test.ts`, 'texts that are no quantity (case 2)'], [`${kube}/values/quantity.test.ts`, 'an absurd exponent is refused without being computed (case 2)']] },
  { number: 3, what: 'sums of quantities', heldBy: [[`${kube}/values/quantity.test.ts`, '%s + %s = %s (case 3)']] },
  { number: 4, what: '410 in the stream', heldBy: [[`${kube}/informers/reflector.test.ts`, '7.4 a 410 in the stream leads to a list at the last version, a 410 of that at once to a consistent one']] },
  { number: 5, what: 'a black hole', heldBy: [[`${kube}/informers/reflector.test.ts`, 'is left when the watch is silent for its time and 10 s, and entered again at the last version without a list'], [`${kube}/informers/reflector.test.ts`, 'is known sooner where bookmarks come each minute']] },
  { number: 6, what: 'empty watches', heldBy: [[`${kube}/informers/reflector.test.ts`, '7.6 three empty watches at one version are an expiry without words, asked with back-off (chance %d)']] },
  { number: 7, what: 'a streaming list', heldBy: [[`${kube}/informers/reflector.test.ts`, 'fills the store at its bookmark and goes on with the same request'], [`${kube}/informers/reflector.test.ts`, 'deletes what was there before and is not said again']] },
  { number: 8, what: 'a streaming list refused', heldBy: [[`${kube}/informers/reflector.test.ts`, '7.8 a refused streaming list is remembered for the server']] },
  { number: 9, what: 'versions in the synthetic phase', heldBy: [[`${kube}/informers/reflector.test.ts`, 'versions of objects are no positions'], [`${kube}/informers/reflector.test.ts`, 'a bookmark is one']] },
  { number: 10, what: 'a name used again', heldBy: [[`${kube}/informers/reflector.test.ts`, '7.10 a name used again is a deletion and a creation, in this order']] },
  { number: 11, what: 'the queue', heldBy: [[`${kube}/controllers/queue.test.ts`, '7.11 a key added while it is worked on comes again, once']] },
  { number: 12, what: 'delays of the queue', heldBy: [[`${kube}/controllers/queue.test.ts`, 'the earliest of several times counts'], [`${kube}/controllers/queue.test.ts`, 'failures double up to 1,000 s']] },
  { number: 13, what: 'field errors', heldBy: [[`${kube}/objects/field-error.test.ts`, '%o reads %s (kube-machinery case 13)'], [`${kube}/objects/field-error.test.ts`, 'one error is bare, several are a list, none is told twice']] },
  { number: 14, what: 'label selectors', heldBy: [[`${kube}/objects/selector.test.ts`, 'texts (kube-machinery case 14)']] },
  { number: 15, what: 'label selectors that are none', heldBy: [[`${kube}/objects/selector.test.ts`, 'texts that are no selector (case 15)']] },
  { number: 16, what: 'field selectors', heldBy: [[`${kube}/objects/field-selector.test.ts`, 'texts (kube-machinery case 16)'], [`${kube}/objects/field-selector.test.ts`, 'an escaped comma belongs to the value']] },
  { number: 17, what: 'durations', heldBy: [[`${kube}/time/duration.test.ts`, 'texts (kube-machinery case 17)'], [`${kube}/time/duration.test.ts`, '%i ns prints as %s']] },
  { number: 18, what: 'percentages of 7', heldBy: [[`${kube}/values/int-or-string.test.ts`, 'of a total of 7 (kube-machinery case 18)']] },
  { number: 19, what: 'times with parts of a second', heldBy: [[`${kube}/time/time.test.ts`, 'kube-machinery case 19'], [`${kube}/leases/lease.test.ts`, '7.19 times of the lease have six digits']] },
  { number: 20, what: 'a lease taken over', heldBy: [[`${kube}/leases/lease.test.ts`, '7.20 a lease that is no longer renewed is taken over by what the candidate saw, whatever its clock says']] },
  { number: 21, what: 'a leader that stood still', heldBy: [[`${kube}/leases/lease.test.ts`, 'does nothing on waking, and knows why'], [`${kube}/leases/lease.test.ts`, 'does not get past confirm when another leads'], ['test/faults-contained.deep.test.ts', 'the Lease lost: leading parts stop, the others go on, and all lead again when it is back'], ['src/coordination/arbiter/arbiter.test.ts', 'begins an epoch above every one before, also when the Lease was deleted'], ['src/coordination/arbiter/arbiter.test.ts', 'is never written by a leader that was deposed']] },
  { number: 22, what: 'a lease given back', heldBy: [[`${kube}/leases/lease.test.ts`, '7.22 a released lease is led by the next within 4.4 s']] },
  { number: 23, what: '429, and writes that break', heldBy: [[`${kube}/client/api.test.ts`, '429 with Retry-After is asked again after it'], [`${kube}/client/api.test.ts`, '429 without Retry-After is the caller’s'], [`${kube}/client/api.test.ts`, 'not a write after a broken connection: its outcome is unknown']] },
  { number: 24, what: 'a token that is rotated', heldBy: [[`${kube}/client/http-transport.test.ts`, 'is read again after 50 s'], [`${kube}/client/http-transport.test.ts`, 'is read again at once when the server refuses it'], [`${kube}/client/http-transport.test.ts`, 'stays when the file is emptied']] },
  { number: 25, what: 'exec plugins', heldBy: [[`${kube}/credentials/credentials.test.ts`, 'half a certificate'], [`${kube}/credentials/credentials.test.ts`, 'another version'], [`${kube}/credentials/credentials.test.ts`, 'a hundred requests at once run one program']] },
  { number: 26, what: 'forty events', heldBy: [[`${kube}/events/events.test.ts`, 'are one event and a series of two, and its end is written when it has been quiet for 6 minutes'], [`${kube}/events/events.test.ts`, 'are 25 where the filter is on, and the next one says how many were dropped']] },
  { number: 27, what: 'apply', heldBy: [['test/kube-on-twin.test.ts', '7.27 applies own their fields: what is left out goes, what others own is a conflict'], [`${kube}/client/writes.test.ts`, '7.27 a conflict is an outcome that names who owns what']] },
  { number: 28, what: 'shared parts', heldBy: [[`${kube}/informers/store.test.ts`, 'a thousand replicas share their equal parts, and deleting them leaves none behind']] },
  { number: 29, what: 'the front proxy', heldBy: [[aggregated, 'jane, of two groups and an extra scope (case 29)'], [aggregated, 'the same headers without a certificate mean nothing'], [aggregated, 'a certificate of the front proxy with another name']] },
  { number: 30, what: 'admission', heldBy: [[`${kube}/server/admission.test.ts`, 'patched (case 30: the type is always with the patch)'], ['src/twin/webhooks.test.ts', 'a denial as our own handlers write it reads as kubectl prints it (kube-machinery case 30)']] },
  { number: 31, what: 'certificates under load', heldBy: [['src/twin/aggregation/certificate-life.deep.test.ts', '100 calls a second fail not once while leaf and authority are renewed']] },
  { number: 32, what: 'a CRD from zod', heldBy: [[`${kube}/schema/crd.test.ts`, 'kube-machinery case 32'], ['test/real/ballast/checks.ts', 'ballast controller on the real control plane: kinds']] },
  { number: 33, what: 'tables', heldBy: [[aggregated, 'a table (case 33)']] },
  { number: 34, what: 'the discovery probe', heldBy: [[aggregated, 'of the resources holds back the aggregator’s probe and every answer']] },
  { number: 35, what: 'a huge list', heldBy: [[`${kube}/client/huge-list.test.ts`, '7.35 a server that ignores limit is read item by item, and the loop turns all the while']] },
]
