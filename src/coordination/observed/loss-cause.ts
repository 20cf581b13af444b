// Whether a pod that left was taken away, or whether its own controller let it go; and whether it was us.
import { controllerOf, kindKey, topmostController } from '#cluster/ownership.ts'
import type { KubeObject, Node, OwnerReference, Pod } from '#kube/objects/objects.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { type Cordon, cordonOf } from './cordon.ts'
import { fieldsOf, replicasOf, revisionLabels, timeMs } from './object-fields.ts'
import type { ObservedCluster } from './observed-cluster.ts'
import type { PodLoss } from './pod-losses.ts'
import { rolls, templateGenerationOf, updateRevisionOf } from './template-changes.ts'
import { somebody } from './writers.ts'

/** Why a pod that left is no loss. */
export type NoLoss =
  | 'ours'
  | 'owner-gone'
  | 'nobody-misses-it'
  | 'scaled-down'
  | 'rolled-out'
  | 'job-over'
  | 'gone-with-its-node'
  | 'not-replaced'

type LossVerdict =
  | { readonly kind: 'none'; readonly because: NoLoss }
  | {
      readonly kind: 'lost'
      readonly workload: string
      readonly by: string
      readonly evidence: string
      /** The node was being emptied by this. */
      readonly cordon: Cordon | undefined
    }

/** Kinds of controllers that our caches hold: one that is not found there is gone. */
const watchedControllers: ReadonlySet<string> = new Set([
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'DaemonSet',
  'Job',
])

/** Server clocks of one control plane differ by less than this, in milliseconds. */
const clockSkewMs = 5_000

/**
 * What became of a loss, as the cluster stands now. A deletion by hand and one by the controller look the same in the pod: it was
 * by hand where the controller still wants as many pods as there were before.
 */
export function lossVerdict(loss: PodLoss, cluster: ObservedCluster): LossVerdict {
  const { pod } = loss
  const above = topmostController(cluster, pod)
  const workload = workloadKey(above ?? { kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name })
  const node = cluster.node(pod.spec.nodeName ?? '')
  if (
    cluster
      .ledger()
      .ofWorkload(workload)
      .some(permit => isNamed(loss, permit))
  )
    return none('ours')
  const controller = controllerOf(pod.metadata)
  const because = controller === undefined ? withoutController(loss) : underController(loss, controller, cluster)
  if (because !== undefined) return none(because)
  if (isUnderAnother(loss, cluster.ledger())) return none('ours')
  const cordon = node === undefined ? undefined : cordonOf(node)
  const isDrained = cordon !== undefined && !cordon.isOurs && (loss.cause === 'evicted' || loss.cause === 'deleted')
  return {
    kind: 'lost',
    workload,
    by: isDrained && loss.by === somebody ? cordon.by : byOf(loss, node),
    evidence: loss.cause === 'deleted' ? `${loss.evidence}, which its controller did not ask for` : loss.evidence,
    cordon: isDrained ? cordon : undefined,
  }
}

function none(because: NoLoss): LossVerdict {
  return { kind: 'none', because }
}

/** A permit of ours is for this very pod. */
function isNamed({ pod, serverMs }: PodLoss, permit: PermitRecord): boolean {
  const { uid } = pod.metadata
  return permit.targets.some(target => target.uid !== undefined && target.uid === uid) && mayHaveDone(permit, serverMs)
}

/** A permit that is on no workload, or on another, names the pod or empties its node. */
function isUnderAnother(loss: PodLoss, ledger: LedgerView): boolean {
  return ledger.all().some(permit => isNamed(loss, permit) || isEmptying(loss, permit))
}

function isEmptying({ pod, cause, serverMs }: PodLoss, permit: PermitRecord): boolean {
  if (!(permit.verb === 'drain' || permit.verb === 'terminate' || (permit.verb === 'taint' && cause === 'tainted'))) return false
  const isOnNode = permit.targets.some(target => target.kind === 'Node' && target.name === pod.spec.nodeName)
  const isInTime = isActive(permit) || serverMs <= grantedMs(permit) + longestPermitMs
  return isOnNode && isInTime && mayHaveDone(permit, serverMs)
}

/** The longest that the effect of one permit goes on, in milliseconds: drains have an hour. */
const longestPermitMs = 2 * 3_600_000

/** Server time where we are not ahead of it; a request waited since it was made. */
function grantedMs({ grant, createdMs }: PermitRecord): number {
  return Math.max(createdMs, grant?.atMs ?? 0)
}

/** Whether what happened at `serverMs` can be the doing of `permit`: it was made before, and was not withdrawn. */
function mayHaveDone(permit: PermitRecord, serverMs: number): boolean {
  return permit.grant !== undefined && permit.ending !== 'withdrawn' && serverMs >= permit.createdMs - clockSkewMs
}

/** The maker of a bare pod may take it away; only what others did to it is a loss. */
function withoutController({ cause }: PodLoss): NoLoss | undefined {
  return cause === 'deleted' ? 'nobody-misses-it' : undefined
}

function underController(loss: PodLoss, controller: OwnerReference, cluster: ObservedCluster): NoLoss | undefined {
  const { pod, cause } = loss
  const { namespace = '' } = pod.metadata
  const owner = cluster.object(kindKey(controller.apiVersion, controller.kind), namespace, controller.name)
  const isWatched = watchedControllers.has(controller.kind)
  if (isWatched && (owner === undefined || isGoing(owner) || owner.metadata.uid !== controller.uid)) return 'owner-gone'
  if (isGoing(cluster.object('Namespace', undefined, namespace)) || isGoing(topmostObject(pod, cluster))) return 'owner-gone'
  if (controller.kind === 'DaemonSet' && (cause === 'tainted' || cause === 'node-gone')) return 'gone-with-its-node'
  if (cause !== 'deleted') return undefined
  return owner !== undefined && isWatched ? asItsOwnerWished(loss, owner, cluster) : unlessReplaced(loss, controller.uid, cluster)
}

function topmostObject(pod: Pod, cluster: ObservedCluster): KubeObject | undefined {
  const top = topmostController(cluster, pod)
  return top && cluster.object(kindKey(top.apiVersion, top.kind), top.namespace, top.name)
}

function isGoing(object: KubeObject | undefined): boolean {
  return object?.metadata.deletionTimestamp !== undefined && object.metadata.deletionTimestamp !== null
}

/** Whether the controller that our caches hold wanted a deletion that gives no reason. */
function asItsOwnerWished(loss: PodLoss, owner: KubeObject, cluster: ObservedCluster): NoLoss | undefined {
  const { labels = {} } = loss.pod.metadata
  switch (owner.kind) {
    case 'DaemonSet': {
      const generation = templateGenerationOf(owner)
      const ofPod = labels['pod-template-generation']
      if (rolls(owner) && generation !== undefined && ofPod !== undefined && ofPod !== generation) return 'rolled-out'
      return unlessReplaced(loss, owner.metadata.uid ?? '', cluster)
    }
    case 'Job':
      return isOver(owner) ? 'job-over' : unlessReplaced(loss, owner.metadata.uid ?? '', cluster)
    case 'StatefulSet': {
      const revision = labels['controller-revision-hash']
      const wanted = updateRevisionOf(owner)
      if (rolls(owner) && wanted !== undefined && revision !== undefined && revision !== wanted) return 'rolled-out'
      return olderSiblings(loss, owner, cluster) >= replicasOf(owner) ? 'scaled-down' : undefined
    }
    default:
      return olderSiblings(loss, owner, cluster) >= replicasOf(owner) ? 'scaled-down' : undefined
  }
}

/** A controller of a kind that we do not know replaces what it misses. */
function unlessReplaced(loss: PodLoss, ownerUid: string, cluster: ObservedCluster): NoLoss | undefined {
  return isReplaced(loss, ownerUid, cluster) ? undefined : 'not-replaced'
}

/** A pod of the same controller and revision (of a DaemonSet: for the same node) was made since. */
function isReplaced({ pod: lost, serverMs }: PodLoss, ownerUid: string, cluster: ObservedCluster): boolean {
  for (const pod of cluster.podsUnder(ownerUid)) {
    if (pod.metadata.uid === lost.metadata.uid || isOlder(pod, serverMs)) continue
    const isSamePlace = controllerOf(pod.metadata)?.kind !== 'DaemonSet' || nodeMeant(pod) === lost.spec.nodeName
    if (isSamePlace && revisionLabels.every(label => pod.metadata.labels?.[label] === lost.metadata.labels?.[label])) return true
  }
  return false
}

/** Whether a deletion that says nothing can be judged already: its replacement is there. */
export function isClear(loss: PodLoss, cluster: ObservedCluster): boolean {
  const controller = controllerOf(loss.pod.metadata)
  return controller !== undefined && isReplaced(loss, controller.uid, cluster)
}

/** The node of a DaemonSet's pod, also before it is bound. */
function nodeMeant({ spec }: Pod): string | undefined {
  if ((spec.nodeName ?? '') !== '') return spec.nodeName
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  return terms.flatMap(term => term.matchFields ?? []).find(field => field.key === 'metadata.name')?.values?.[0]
}

/** Pods of the controller that were there before the loss and stay. */
function olderSiblings(loss: PodLoss, owner: KubeObject, cluster: ObservedCluster): number {
  let count = 0
  for (const pod of cluster.podsUnder(owner.metadata.uid ?? '')) {
    const phase = pod.status?.phase
    if (pod.metadata.uid === loss.pod.metadata.uid || isGoing(pod) || phase === 'Failed' || phase === 'Succeeded') continue
    if (isOlder(pod, loss.serverMs)) count++
  }
  return count
}

/** The server writes whole seconds: what was made in the second of the loss may be its replacement. */
function isOlder(pod: Pod, serverMs: number): boolean {
  return (timeMs(pod.metadata.creationTimestamp) ?? 0) < Math.floor(serverMs / 1000) * 1000
}

function isOver(job: KubeObject): boolean {
  if (fieldsOf(job, 'spec')['suspend'] === true) return true
  const { conditions, completionTime } = fieldsOf(job, 'status')
  if (completionTime !== undefined) return true
  const over = ['Complete', 'Failed', 'SuccessCriteriaMet', 'FailureTarget']
  return Array.isArray(conditions) && conditions.some(condition => over.includes(condition?.type) && condition?.status === 'True')
}

/** The node that is named by a taint with which the node controller says that a node is not there. */
function byOf(loss: PodLoss, node: Node | undefined): string {
  if (loss.cause !== 'tainted' || node === undefined) return loss.by
  const lost = node.spec?.taints?.find(
    ({ key, effect }) =>
      effect === 'NoExecute' && (key === 'node.kubernetes.io/not-ready' || key === 'node.kubernetes.io/unreachable'),
  )
  if (lost === undefined) return loss.by
  return `node ${node.metadata.name} (${lost.key === 'node.kubernetes.io/not-ready' ? 'not ready' : 'unreachable'})`
}
