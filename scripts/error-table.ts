// `docs/errors.md`: what each code of an error means. A code that nothing explains here and an explanation whose code is gone both
// stop the generator, and with it `npm run check` and the tests.
import { type Form, type UsedCode, usedCodes } from './error-codes.ts'

type Explanations = Readonly<Record<Form, Readonly<Record<string, string>>>>

const explanations: Explanations = {
  problem: {
    'annotations-too-large': 'annotations of an object of at most 256 KiB together',
    'auth-provider': 'an `exec` entry: the named auth provider was taken out of Kubernetes',
    'auth-several': 'a token or a user name in a kubeconfig user, not both',
    'certificate-data': 'a certificate or key in PEM form (in a kubeconfig in base64)',
    'certificate-expired': 'a certificate that is still good',
    'certificate-half': 'a client certificate and its key, or neither',
    'cluster-missing': 'a cluster that the kubeconfig has; it lists those there are',
    'configuration-kind': 'the apiVersion and kind of a Ballast configuration',
    'configuration-yaml': 'one YAML document with an object, within the size and aliases that are read',
    'context-missing': 'a context that the kubeconfig has; it lists those there are',
    'cron-syntax': 'a cron schedule of 5 fields, a name such as `@daily`, or `@every` with a duration',
    'document-shape': 'a Kubernetes object, or a list of them, in each YAML document',
    'duration-syntax': 'a duration such as `1h30m` or `500ms`',
    'exec-command': 'the command of an `exec` plugin',
    'exec-mode': '`Never`, `IfAvailable` or `Always` as interactiveMode of an `exec` plugin',
    'exec-shape': 'a map as `exec` of a kubeconfig user',
    'exec-version': 'a version of `client.authentication.k8s.io` that Ballast speaks',
    'field-missing': 'a field that the kind of object must have',
    'field-selector-syntax': 'a field selector such as `spec.nodeName=a,status.phase!=Failed`',
    'field-type': 'a value of the type that the field has',
    'file-missing': 'a kubeconfig file where one was named',
    'file-too-large': 'a file that is short enough to be read',
    'file-unreadable': 'a file that can be read and is short enough',
    'goal-above-headroom': 'a `min` that `spec.headroom` leaves room for on that node',
    'goal-name-duplicate': 'a name that no other goal of the policy has',
    'goal-without-bound': '`max`, `min` or both in a goal',
    'goal-without-node': 'at least one node in a goal',
    'goals-contradict': 'a `min` and a `max` for one node and resource that can hold together, margins counted',
    'impersonation-user': 'a user beside the groups, uid or extra to act as',
    'int-or-string-syntax': 'a whole number, or a percentage such as `25%`',
    'json-patch-does-not-apply': 'a JSON patch whose paths and tests hold on the object',
    'json-patch-syntax': 'a JSON patch (RFC 6902): a list of operations with op, path and what the op needs',
    'kind-unknown': 'a kind and version of a built-in API group, or of a custom one; the nearest name is given',
    'kubeconfig-shape': 'a kubeconfig: a map with lists of clusters, users and contexts by name',
    'limit-range': 'a whole number from 0 up in `spec.limits`',
    'line-too-long': 'lines that the YAML parser can take; the document is left out',
    'list-too-deep': 'lists of objects that are not nested so deep',
    'missing-key': 'a key that has to be there and no default',
    'no-configuration': "a kubeconfig (`--kubeconfig`, `KUBECONFIG`, `~/.kube/config`) or a pod's service account",
    'node-duplicate': 'one node of each name; the cluster cannot be read',
    'node-missing': 'the name of a node that the cluster has',
    'not-in-cluster': 'the variables that a pod is given by its kubelet',
    'object-duplicate': 'one object of each kind, namespace and name',
    'object-shape': 'an object with apiVersion, kind and metadata.name',
    'owner-absent': 'the ReplicaSet of pods that name it; the twin rebuilds it from its Deployment',
    'pattern-syntax': 'a regular expression in RE2 syntax, of bounded length',
    'percent-range': 'a percentage from 0 to 100',
    'plan-shape': 'a RebalancePlan as its schema says',
    'pod-node-missing': 'in `spec.nodeName` a node of the cluster that is not set aside; the pod is left out',
    'policy-shape': 'a RebalancePolicy as its schema says',
    'protobuf-frame': "Kubernetes' frame around protobuf: its four first bytes and an envelope of the right length",
    'proxy-address': 'an `http://`, `https://` or `socks5://` address',
    'quantity-absurd': 'a quantity that a machine can have',
    'quantity-negative': 'a quantity of 0 or more',
    'quantity-syntax': 'a quantity such as `500m`, `1.5` or `2Gi`',
    'quantity-type': 'a quantity as text or number',
    'schedule-continuous': 'at least 15 minutes between two runs while `coordination.enforce` is true',
    'schedule-missing': 'a cron schedule, or `spec.trigger: manual`',
    'scheduler-configuration-kind': 'a KubeSchedulerConfiguration',
    'scheduler-percentage': 'a whole number from 0 to 100 as percentageOfNodesToScore',
    'scheduler-profile-unknown': 'the schedulerName of a profile in the scheduler configuration',
    'scheduler-shape-missing': 'at least one point in the shape of RequestedToCapacityRatio',
    'scheduler-strategy-unknown': '`LeastAllocated`, `MostAllocated` or `RequestedToCapacityRatio`',
    'selector-syntax': 'a label selector as Kubernetes writes it',
    'server-address': 'an address such as `https://10.0.0.1:6443`',
    'source-empty': 'Kubernetes objects in `.yaml`, `.yml` or `.json` files',
    'source-missing': 'a file or folder that can be read after `--cluster`',
    'time-syntax': 'a time in RFC 3339 form such as `2026-03-04T05:06:07Z`',
    'tls-contradiction': 'a certificate authority or insecure-skip-tls-verify, not both',
    'token-missing': "the token file of a pod's service account",
    'unknown-key': 'a key that is known there; the nearest name is given',
    'user-missing': 'a user that the kubeconfig has; it lists those there are',
    'window-cron': 'a cron schedule of 5 or 6 fields as the start of a window',
    'window-duration': 'a duration above 0 and at most 8784h as the length of a window',
    'window-syntax': '`CRON;DURATION;ZONE`, such as `0 4 * * *;2h;Europe/Berlin`',
    'window-zone': 'a time zone such as `Europe/Berlin`',
    'wrong-type': 'a value of another type',
    'wrong-value': 'one of the values, or a value within the bounds, that the schema names',
    'yaml-alias': 'aliases that name an anchor, and not too many of them',
    'yaml-syntax': 'YAML; line and column are given',
  },
  finding: {
    action: 'a surge only for a workload that can have one; else an eviction',
    budget: 'a certificate with the one PodDisruptionBudget that covers the pod, and a disruption that it allows then',
    'certificate-number': 'the requests, free amounts and totals that the cluster itself gives at that step',
    destination: 'another node than the one it leaves, the same in move and certificate, and among those acceptable',
    'does-not-fit': 'a destination with room for the pod at that step, and no rule that speaks against it',
    filter: "every one of the scheduler's filters passed",
    goal: 'the state of each goal that the final placement gives',
    'id-repeated': 'an id of its own for each move',
    landing: 'the landing that a replay of the scheduler gives, inside the acceptable nodes',
    'node-missing': 'a node that the cluster has',
    objective: 'the value of the objective that the moves add up to',
    'pod-missing': 'a pod that runs',
    'pod-twice': 'at most one move for each pod',
    'pod-uid': 'the uid that the pod has',
    share: 'the use and percentage of each node that the cluster gives before and after',
    'snapshot-hash': 'the hash of the cluster that the plan was made for',
    source: 'the node that the pod runs on at that step',
    'wave-order': 'waves that count up by one',
    workload: 'the topmost controller of the pod',
    'workload-twice': 'at most one move of a workload in a wave',
  },
  reason: {
    'lands-elsewhere': 'skipped: a replacement could land outside of the nodes that the plan accepts',
    'no-room': 'skipped: a replacement fits on no node now',
    'node-closed': 'skipped: the destination is cordoned or not ready',
    'node-gone': 'skipped: the destination is no longer there',
    'pod-elsewhere': 'skipped: the pod runs on another node than the plan says',
    'pod-gone': 'skipped: the pod of the plan is gone, ending or finished',
    rebalance: 'the permit is for a move of a RebalancePlan',
    steer: 'the permit is for taints that steer where replacements land',
  },
}

const headings: Readonly<Record<Form, { readonly title: string; readonly text: string; readonly column: string }>> = {
  problem: {
    title: 'What was given',
    text: 'Printed as `where: found "…", expected … [code]`, all that were found together. The command line then ends with 2.',
    column: 'expected was',
  },
  finding: {
    title: 'What the verifier finds in a plan',
    text: 'Said by `ballast plan verify`, which then ends with 3. The verifier shares no code with the planner: a finding means that the plan was edited, that the cluster is another than it was made for, or a bug of ours.',
    column: 'expected was',
  },
  reason: {
    title: 'Why a move was asked for or skipped',
    text: 'On DisruptionPermits and in the steps of a RebalancePlan.',
    column: 'meaning',
  },
}

/** Path below the project's root → text. @throws Error naming every code without explanation and every explanation without code. */
export function errorTable(root: string): ReadonlyMap<string, string> {
  const used = usedCodes(root)
  const faults = tableFaults(used, explanations)
  if (faults.length > 0) throw new Error(`scripts/error-table.ts: ${faults.join('; ')}`)
  const sections = (['problem', 'finding', 'reason'] as const).map(form => section(form, used))
  return new Map([['docs/errors.md', `${[introduction, ...sections].join('\n\n')}\n`]])
}

const introduction = `# Error codes

Made by \`npm run generate\` from the source. Codes do not change; the words around them may. Why a pod stays where it is has reasons of
its own, in [rebalancing.md](rebalancing.md); what the twin answers as an API server are Kubernetes' own reasons.`

/** What does not match between the codes in use and their explanations. */
export function tableFaults(used: readonly UsedCode[], known: Explanations): string[] {
  const isUsed = new Set(used.map(({ form, code }) => `${form} ${code}`))
  const isKnown = new Set(Object.entries(known).flatMap(([form, codes]) => Object.keys(codes).map(code => `${form} ${code}`)))
  return [
    ...[...isUsed].filter(name => !isKnown.has(name)).map(name => `${name} has no explanation`),
    ...[...isKnown].filter(name => !isUsed.has(name)).map(name => `${name} is explained and nothing uses it`),
  ].sort()
}

function section(form: Form, used: readonly UsedCode[]): string {
  const { title, text, column } = headings[form]
  const rows = Object.entries(explanations[form])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, explanation]) => {
      const rooms = new Set(used.flatMap(use => (use.form === form && use.code === code ? [use.room] : [])))
      return `| \`${code}\` | ${[...rooms].sort().join(', ')} | ${explanation} |`
    })
  return `## ${title}\n\n${text}\n\n| code | from | ${column} |\n|---|---|---|\n${rows.join('\n')}`
}
