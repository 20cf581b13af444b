// DefaultEvictor: which pods may be evicted at all (`Filter`), and which right before it happens (`PreEvictionFilter`). Rules, their order
// and their texts are upstream's.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { textIn } from '#cluster/loose-fields.ts'
import type { Evictor, NodeFit, Refusals } from '../contract.ts'
import type { CyclePods } from '../cycle-pods.ts'
import type { DefaultEvictorArgs, PodProtection } from '../policy/args.ts'
import { systemCriticalPriority } from '../policy/evictor-args.ts'
import { preferNoEvictionAnnotation } from '../strategies/pod-order.ts'
import { BudgetIndex } from './budget-index.ts'
import { readyNodes } from './ready-nodes.ts'

/** What the evictor looks at. */
interface EvictorView {
  readonly pods: CyclePods
  readonly fit: NodeFit
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** Upstream's text where the rule refuses. */
type Rule = (pod: PodState) => string | undefined

const none: Refusals = []
const evictAnnotation = 'descheduler.alpha.kubernetes.io/evict'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const sourceAnnotation = 'kubernetes.io/config.source'

/** The evictor of a profile, for one cycle. */
export function defaultEvictor(args: DefaultEvictorArgs, view: EvictorView): Evictor {
  const rules = filterRules(args, view)
  const preEvictionRules = [nodeFitRule(args, view), namespaceRule(args, view.pods.state)].filter(rule => rule !== undefined)
  return {
    filter: pod => {
      if (hasAnnotation(pod, evictAnnotation)) return none
      if (args.isPreferNoEvictionMandatory && hasAnnotation(pod, preferNoEvictionAnnotation)) return [mandatoryRefusal]
      return refusalsOf(rules, pod)
    },
    preEvictionFilter: pod => {
      for (const rule of preEvictionRules) {
        const refusal = rule(pod)
        if (refusal !== undefined) return [refusal]
      }
      return none
    },
  }
}

/** Upstream refuses these without a word. */
const mandatoryRefusal = 'pod prefers no eviction and the noEvictionPolicy is Mandatory'

/** All of `evictors` must let a pod pass. What the first ones refuse the others are not asked. */
export function allOf(evictors: readonly Evictor[]): Evictor {
  const asked = (ask: (evictor: Evictor) => Refusals): Refusals => {
    for (const evictor of evictors) {
      const refusals = ask(evictor)
      if (refusals.length > 0) return refusals
    }
    return none
  }
  return {
    filter: pod => asked(evictor => evictor.filter(pod)),
    preEvictionFilter: pod => asked(evictor => evictor.preEvictionFilter(pod)),
  }
}

function refusalsOf(rules: readonly Rule[], pod: PodState): Refusals {
  let refusals: string[] | undefined
  for (const rule of rules) {
    const refusal = rule(pod)
    if (refusal === undefined) continue
    if (refusals === undefined) refusals = [refusal]
    else refusals.push(refusal)
  }
  return refusals ?? none
}

function filterRules(args: DefaultEvictorArgs, view: EvictorView): readonly Rule[] {
  const { protections, priorityThreshold, labelSelector } = args
  const isProtected = (protection: PodProtection) => protections.has(protection)
  const when = (holds: boolean, ...rules: readonly Rule[]) => (holds ? rules : [])
  return [
    refuse(pod => hasAnnotation(pod, mirrorAnnotation), 'pod is a mirror pod'),
    refuse(isStatic, 'pod is a static pod'),
    refuse(pod => pod.isTerminating, 'pod is terminating'),
    ...when(
      isProtected('SystemCriticalPods'),
      refuse(hasPriorityFrom(systemCriticalPriority), 'pod has system critical priority and is protected against eviction'),
      refuse(hasPriorityFrom(priorityThreshold), 'pod has higher priority than specified priority class threshold'),
    ),
    isProtected('FailedBarePods')
      ? refuse(isBare, 'pod does not have any ownerRefs')
      : refuse(pod => isBare(pod) && !isFailed(pod), 'pod does not have any ownerRefs and is not in failed phase'),
    ...when(
      isProtected('PodsWithLocalStorage'),
      refuse(hasLocalStorage, 'pod has local storage and is protected against eviction'),
    ),
    ...when(isProtected('DaemonSetPods'), refuse(isOfDaemonSet, 'daemonset pods are protected against eviction')),
    ...when(isProtected('PodsWithPVC'), claimRule(args.protectedStorageClasses, view.pods.state)),
    ...when(isProtected('PodsWithoutPDB'), budgetRule(view.pods.state)),
    ...when(
      isProtected('PodsWithResourceClaims'),
      refuse(hasResourceClaims, 'pod has ResourceClaims and descheduler is configured to protect ResourceClaims pods'),
    ),
    ...(labelSelector === undefined
      ? []
      : [
          refuse(
            pod => !labelSelector.matches(pod.object.metadata.labels),
            'pod labels do not match the labelSelector filter in the policy parameter',
          ),
        ]),
    ...when(args.minReplicas > 1, replicasRule(args.minReplicas, view.pods)),
    ...ageRules(args, view.nowMs),
  ]
}

function refuse(isRefused: (pod: PodState) => boolean, text: string): Rule {
  return pod => (isRefused(pod) ? text : undefined)
}

function hasAnnotation(pod: PodState, key: string): boolean {
  const { annotations } = pod.object.metadata
  return annotations !== undefined && Object.hasOwn(annotations, key)
}

function isStatic(pod: PodState): boolean {
  return hasAnnotation(pod, sourceAnnotation) && pod.object.metadata.annotations?.[sourceAnnotation] !== 'api'
}

/** A pod without a priority has none that is too high. */
function hasPriorityFrom(threshold: number): (pod: PodState) => boolean {
  return ({ object: { spec } }) => typeof spec.priority === 'number' && spec.priority >= threshold
}

function isBare(pod: PodState): boolean {
  return (pod.object.metadata.ownerReferences ?? []).length === 0
}

function isFailed(pod: PodState): boolean {
  return pod.object.status?.phase === 'Failed'
}

function hasLocalStorage(pod: PodState): boolean {
  return (pod.object.spec.volumes ?? []).some(({ hostPath, emptyDir }) => isThere(hostPath) || isThere(emptyDir))
}

function isOfDaemonSet(pod: PodState): boolean {
  return (pod.object.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'DaemonSet')
}

function hasResourceClaims(pod: PodState): boolean {
  return (pod.object.spec.resourceClaims ?? []).length > 0
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** Claims named by volumes; those of generic ephemeral volumes are not seen, as upstream. */
function claimRule(protectedClasses: readonly string[], state: ClusterState): Rule {
  const claimsOf = (pod: PodState) =>
    (pod.object.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => (claim ? [claim.claimName] : []))
  if (protectedClasses.length === 0) return refuse(pod => claimsOf(pod).length > 0, 'pod with PVC is protected against eviction')
  return pod => {
    const classes = claimsOf(pod).map(claim => storageClass(state, { namespace: pod.namespace, claim }))
    const unread = classes.find(found => !found.ok)
    if (unread !== undefined) return unread.name
    const found = classes.find(({ name }) => protectedClasses.includes(name))
    return found && `pod using protected storage class "${found.name}"`
  }
}

/** The class of a claim; not ok: upstream's text of why there is none. */
function storageClass(
  state: ClusterState,
  { namespace, claim }: { readonly namespace: string; readonly claim: string },
): { readonly ok: boolean; readonly name: string } {
  const found = state.object('PersistentVolumeClaim', namespace, claim)
  if (found === undefined) {
    const text = `failed to get persistent volume claim "${namespace}"/"${claim}": persistentvolumeclaim "${claim}" not found`
    return { ok: false, name: text }
  }
  const spec = found['spec']
  const name = typeof spec === 'object' && spec !== null ? (textIn({ ...spec }, 'storageClassName') ?? '') : ''
  return name === ''
    ? { ok: false, name: `failed to resolve storage class for pod "${namespace}"/"${claim}"` }
    : { ok: true, name }
}

function budgetRule(state: ClusterState): Rule {
  const budgets = new BudgetIndex(state)
  return refuse(pod => !budgets.covers(pod), 'pod does not have a PodDisruptionBudget and is protected against eviction')
}

/** Only of pods with one owner. */
function replicasRule(minReplicas: number, pods: CyclePods): Rule {
  return pod => {
    const [owner, second] = pod.object.metadata.ownerReferences ?? []
    if (owner === undefined || second !== undefined) return undefined
    const replicas = pods.replicasOf(owner.uid)
    return replicas < minReplicas ? `owner has ${replicas} replicas which is less than minReplicas of ${minReplicas}` : undefined
  }
}

function ageRules({ minPodAge }: DefaultEvictorArgs, nowMs: number): readonly Rule[] {
  if (minPodAge === undefined) return []
  const text = `pod age is not older than MinPodAge: ${minPodAge.text} seconds`
  return [
    pod => {
      const ageMs = nowMs - Date.parse(pod.object.status?.startTime ?? '')
      return ageMs >= minPodAge.ms ? undefined : text
    },
  ]
}

function nodeFitRule(args: DefaultEvictorArgs, { pods, fit }: EvictorView): Rule | undefined {
  if (!args.nodeFit) return undefined
  let nodes: readonly NodeState[] | undefined
  return pod => {
    nodes ??= readyNodes(pods.state, args.nodeSelector)
    if (fit.fitsAnyOther(pod, nodes)) return undefined
    return 'pod does not fit on any other node because of nodeSelector(s), Taint(s), or nodes marked as unschedulable'
  }
}

function namespaceRule({ namespaceLabelSelector: selector }: DefaultEvictorArgs, state: ClusterState): Rule | undefined {
  if (selector === undefined) return undefined
  const matching = new Set(
    state
      .objects('Namespace')
      .filter(({ metadata }) => selector.matches(metadata.labels))
      .map(({ metadata }) => metadata.name),
  )
  return refuse(
    pod => !matching.has(pod.namespace),
    'pod namespace do not match the namespaceLabelSelector filter in the policy parameter',
  )
}
