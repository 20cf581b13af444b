// DefaultEvictor: which pods may be evicted at all (`Filter`), and which right before it happens (`PreEvictionFilter`). Rules, their order
// and their texts are upstream's.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import type { Evictor, NodeFit, Refusals } from '../contract.ts'
import type { CyclePods } from '../cycle-pods.ts'
import type { DefaultEvictorArgs, PodProtection } from '../policy/args.ts'
import { systemCriticalPriority } from '../policy/evictor-args.ts'
import { preferNoEvictionAnnotation } from '../strategies/pod-order.ts'
import { BudgetIndex } from './budget-index.ts'
import { claimRule } from './claim-rule.ts'
import { type Refuse, type Rule, refuse } from './filter-rule.ts'
import { readyNodes } from './ready-nodes.ts'

/** What the evictor looks at. */
interface EvictorView {
  readonly pods: CyclePods
  readonly fit: NodeFit
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

const none: Refusals = []
const evictAnnotation = 'descheduler.alpha.kubernetes.io/evict'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const sourceAnnotation = 'kubernetes.io/config.source'

/** The evictor of a profile, for one cycle. */
export function defaultEvictor(args: DefaultEvictorArgs, view: EvictorView): Evictor {
  const rules = filterRules(args, view)
  const ofShapes = rules.filter(({ isOfShape }) => isOfShape)
  const ofPods = rules.filter(({ isOfShape }) => !isOfShape)
  const verdict = view.pods.shapes.memo((pod): ShapeVerdict => {
    if (hasAnnotation(pod, evictAnnotation)) return { isLast: true, refusals: none }
    if (args.isPreferNoEvictionMandatory && hasAnnotation(pod, preferNoEvictionAnnotation))
      return { isLast: true, refusals: [mandatoryRefusal] }
    return { isLast: false, refusals: refusalsOf(ofShapes, pod) }
  })
  const preEvictionRules = [nodeFitRule(args, view), namespaceRule(args, view.pods.state)].filter(rule => rule !== undefined)
  return {
    filter: pod => {
      const { isLast, refusals } = verdict(pod)
      if (isLast) return refusals
      for (const { refusal } of ofPods) if (refusal(pod) !== undefined) return refusalsOf(rules, pod)
      return refusals
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

/** What the rules say of all pods of one shape. */
interface ShapeVerdict {
  /** The other rules are not asked. */
  readonly isLast: boolean
  readonly refusals: Refusals
}

/** Upstream refuses these without a word. */
const mandatoryRefusal = 'pod prefers no eviction and the noEvictionPolicy is Mandatory'

/** All of `evictors` must let a pod pass. What the first ones refuse the others are not asked. */
export function allOf(evictors: readonly Evictor[]): Evictor {
  const [only, ...others] = evictors
  if (only !== undefined && others.length === 0) return only
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
    const refusal = rule.refusal(pod)
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
    { refusal: pod => (pod.isTerminating ? 'pod is terminating' : undefined), isOfShape: false },
    ...when(
      isProtected('SystemCriticalPods'),
      refuse(hasPriorityFrom(systemCriticalPriority), 'pod has system critical priority and is protected against eviction'),
      refuse(hasPriorityFrom(priorityThreshold), 'pod has higher priority than specified priority class threshold'),
    ),
    isProtected('FailedBarePods')
      ? refuse(isBare, 'pod does not have any ownerRefs')
      : {
          ...refuse(pod => isBare(pod) && !isFailed(pod), 'pod does not have any ownerRefs and is not in failed phase'),
          isOfShape: false,
        },
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

function budgetRule(state: ClusterState): Rule {
  const budgets = new BudgetIndex(state)
  return refuse(pod => !budgets.covers(pod), 'pod does not have a PodDisruptionBudget and is protected against eviction')
}

/** Only of pods with one owner. */
function replicasRule(minReplicas: number, pods: CyclePods): Rule {
  const refusal = (pod: PodState) => {
    const [owner, second] = pod.object.metadata.ownerReferences ?? []
    if (owner === undefined || second !== undefined) return undefined
    const replicas = pods.replicasOf(owner.uid)
    return replicas < minReplicas ? `owner has ${replicas} replicas which is less than minReplicas of ${minReplicas}` : undefined
  }
  return { refusal, isOfShape: false }
}

function ageRules({ minPodAge }: DefaultEvictorArgs, nowMs: number): readonly Rule[] {
  if (minPodAge === undefined) return []
  const text = `pod age is not older than MinPodAge: ${minPodAge.text} seconds`
  const refusal = (pod: PodState) => {
    const ageMs = nowMs - Date.parse(pod.object.status?.startTime ?? '')
    return ageMs >= minPodAge.ms ? undefined : text
  }
  return [{ refusal, isOfShape: false }]
}

function nodeFitRule(args: DefaultEvictorArgs, { pods, fit }: EvictorView): Refuse | undefined {
  if (!args.nodeFit) return undefined
  let nodes: readonly NodeState[] | undefined
  return pod => {
    nodes ??= readyNodes(pods.state, args.nodeSelector)
    if (fit.fitsAnyOther(pod, nodes)) return undefined
    return 'pod does not fit on any other node because of nodeSelector(s), Taint(s), or nodes marked as unschedulable'
  }
}

function namespaceRule({ namespaceLabelSelector: selector }: DefaultEvictorArgs, state: ClusterState): Refuse | undefined {
  if (selector === undefined) return undefined
  const matching = new Set(
    state
      .objects('Namespace')
      .filter(({ metadata }) => selector.matches(metadata.labels))
      .map(({ metadata }) => metadata.name),
  )
  const text = 'pod namespace do not match the namespaceLabelSelector filter in the policy parameter'
  return pod => (matching.has(pod.namespace) ? undefined : text)
}
