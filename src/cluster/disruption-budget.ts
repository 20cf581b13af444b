// What a PodDisruptionBudget allows: the arithmetic of the disruption controller, and what the eviction subresource answers.
// Both as in Kubernetes 1.34 and 1.36, texts included.

import type { KubeObject, OwnerReference, Pod, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { labelSelectorOf, nothing, type Selector } from '#kube/objects/selector.ts'
import { scaledValue } from '#kube/values/int-or-string.ts'
import type { PodState } from './cluster-state.ts'
import { controllerOf, kindKey } from './ownership.ts'
import type { OwnerLookup } from './state-shapes.ts'

/** What a budget's arithmetic looks at of a pod. */
export type BudgetedPod = Pick<PodState, 'namespace' | 'name' | 'object' | 'isTerminating' | 'isReady'>

export interface BudgetStatus {
  readonly expectedPods: number
  readonly desiredHealthy: number
  readonly currentHealthy: number
  readonly disruptionsAllowed: number
  /** Why the controller cannot tell and so allows nothing; the other numbers are then those it wrote last. */
  readonly failure: string | undefined
}

export interface BudgetRules {
  /** Replicas that a pod's controller is to have; `undefined` where there is no such controller or it has no scale. */
  readonly replicasOf: (
    controller: OwnerReference,
    namespace: string,
  ) => { readonly key: string; readonly replicas: number } | undefined
  /** For `status.disruptedPods`: pods on their way out for less than two minutes count as unhealthy. */
  readonly nowMs: number
}

const longestDisruptionMs = 120_000
const mostDisruptedPods = 2_000
/** What an object has when it is made; files and trimmed dumps leave it out. */
export const firstGeneration = 1

/** Which pods of its namespace `budget` selects: none without a selector, all with an empty one, none where it does not parse. */
export function budgetSelector(budget: PodDisruptionBudget): Selector {
  const parsed = labelSelectorOf(budget.spec.selector)
  return parsed.ok ? parsed.value : nothing
}

/** What the controller writes as the budget's status for the pods that it selects (`budgetSelector`). */
export function budgetStatus(budget: PodDisruptionBudget, selected: readonly BudgetedPod[], rules: BudgetRules): BudgetStatus {
  const expectation = expectedPods(budget, selected, rules)
  if (typeof expectation === 'string') {
    const { expectedPods = 0, desiredHealthy = 0, currentHealthy = 0 } = budget.status ?? {}
    return { expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed: 0, failure: expectation }
  }
  const { expected, desired } = expectation
  const disrupted = budget.status?.disruptedPods ?? {}
  const isLeaving = (pod: BudgetedPod) => {
    const sinceMs = Object.hasOwn(disrupted, pod.name) ? Date.parse(disrupted[pod.name] ?? '') : Number.NaN
    return sinceMs + longestDisruptionMs > rules.nowMs
  }
  const healthy = selected.filter(pod => pod.isReady && !pod.isTerminating && !isLeaving(pod)).length
  return {
    expectedPods: expected,
    desiredHealthy: desired,
    currentHealthy: healthy,
    disruptionsAllowed: expected <= 0 ? 0 : Math.max(0, healthy - desired),
    failure: undefined,
  }
}

/** How many pods there are to be and how many of them healthy; or why that cannot be told. */
function expectedPods(
  { spec }: PodDisruptionBudget,
  pods: readonly BudgetedPod[],
  rules: BudgetRules,
): { readonly expected: number; readonly desired: number } | string {
  const { maxUnavailable, minAvailable } = spec
  if (maxUnavailable === undefined && typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable }
  if (maxUnavailable === undefined && minAvailable === undefined) return { expected: 0, desired: 0 }
  const expected = expectedScale(pods, rules)
  if (typeof expected === 'string') return expected
  try {
    if (maxUnavailable !== undefined)
      return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, 'up')) }
    return { expected, desired: scaledValue(minAvailable ?? 0, expected, 'up') }
  } catch (error) {
    if (error instanceof RangeError) return error.message
    throw error
  }
}

/** The replicas of all controllers of the pods; pods without one do not count. */
function expectedScale(pods: readonly BudgetedPod[], { replicasOf }: BudgetRules): number | string {
  const replicas = new Map<string, number>()
  let last: OwnerReference | undefined
  for (const pod of pods) {
    const controller = controllerOf(pod.object.metadata)
    // Pods of one controller come together, and mostly share the reference.
    if (controller === undefined || controller === last) continue
    last = controller
    const scale = replicasOf(controller, pod.namespace)
    if (scale === undefined) return `found no controllers for pod "${pod.name}"`
    replicas.set(scale.key, scale.replicas)
  }
  return Array.from(replicas.values()).reduce((sum, count) => sum + count, 0)
}

/** `replicasOf` from the objects of a cluster: a ReplicaSet of a Deployment counts as the Deployment; DaemonSets and Jobs have no scale. */
export function replicasIn(cluster: OwnerLookup): BudgetRules['replicasOf'] {
  return (controller, namespace) => {
    const found = cluster.object(kindKey(controller.apiVersion, controller.kind), namespace, controller.name)
    const above = found?.kind === 'ReplicaSet' ? controllerOf(found.metadata) : undefined
    const deployment = above?.kind === 'Deployment' ? cluster.object('Deployment', namespace, above.name) : undefined
    const scaled = deployment ?? found
    const replicas = scaled === undefined ? undefined : replicasField(scaled)
    return scaled === undefined || replicas === undefined
      ? undefined
      : { key: `${scaled.kind}/${scaled.metadata.name}`, replicas }
  }
}

const defaultedKinds: ReadonlySet<string> = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'ReplicationController'])

function replicasField(object: KubeObject): number | undefined {
  const spec = object['spec']
  const replicas: unknown = typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : undefined
  if (typeof replicas === 'number') return replicas
  return defaultedKinds.has(object.kind) ? 1 : undefined
}

export type EvictionAnswer =
  | {
      readonly kind: 'allowed'
      /** `namespace/name` of the budget that was asked; absent: none selects the pod, or the pod needs none. */
      readonly budget?: string
      /** Whether it costs the budget one of its allowed disruptions. */
      readonly isCounted: boolean
    }
  | {
      readonly kind: 'refused'
      readonly code: 403 | 429 | 500
      readonly message: string
      /** The cause `DisruptionBudget` of a 429. */
      readonly cause?: string
      readonly retryAfterSeconds?: number
      readonly budget?: string
    }

const tooMany = "Cannot evict pod as it would violate the pod's disruption budget."

/** What the eviction subresource answers for `pod`, given all budgets of its namespace with the statuses they have. */
export function evictionAnswer(pod: Pod, budgets: readonly PodDisruptionBudget[]): EvictionAnswer {
  if (needsNoBudget(pod)) return { kind: 'allowed', isCounted: false }
  const selecting = budgets.filter(
    budget => budget.metadata.namespace === pod.metadata.namespace && budgetSelector(budget).matches(pod.metadata.labels),
  )
  const [budget, second] = selecting
  if (second !== undefined) {
    return {
      kind: 'refused',
      code: 500,
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    }
  }
  return budget === undefined ? { kind: 'allowed', isCounted: false } : budgetAnswer(budget, isReady(pod))
}

function budgetAnswer(budget: PodDisruptionBudget, isPodReady: boolean): EvictionAnswer {
  const { name } = budget.metadata
  const key = `${budget.metadata.namespace}/${name}`
  const status = budget.status ?? {}
  const { currentHealthy = 0, desiredHealthy = 0, disruptionsAllowed = 0 } = status
  if (!isPodReady) {
    const isHealthy = currentHealthy >= desiredHealthy && desiredHealthy > 0
    if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow' || isHealthy)
      return { kind: 'allowed', budget: key, isCounted: false }
  }
  if ((status.observedGeneration ?? 0) < (budget.metadata.generation ?? firstGeneration)) {
    const cause = `The disruption budget ${name} is still being processed by the server.`
    return { kind: 'refused', code: 429, message: tooMany, cause, retryAfterSeconds: 10, budget: key }
  }
  const forbidden = (why: string): EvictionAnswer => ({
    kind: 'refused',
    code: 403,
    message: `poddisruptionbudget.policy "${name}" is forbidden: ${why}`,
    budget: key,
  })
  if (disruptionsAllowed < 0) return forbidden('pdb disruptions allowed is negative')
  if (Object.keys(status.disruptedPods ?? {}).length > mostDisruptedPods) {
    return forbidden('DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  }
  if (disruptionsAllowed > 0) return { kind: 'allowed', budget: key, isCounted: true }
  return { kind: 'refused', code: 429, message: tooMany, cause: exhaustedWords(name, status), budget: key }
}

/** Why a budget allows no disruption, in the server's words. */
function exhaustedWords(name: string, status: NonNullable<PodDisruptionBudget['status']>): string {
  const { currentHealthy = 0, desiredHealthy = 0 } = status
  const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed')
  const said = condition?.status === 'False' ? (condition.message ?? '') : ''
  const refusal = `The disruption budget ${name} does not allow evicting pods currently`
  if (said !== '' && condition?.reason === 'SyncFailed') return `${refusal} because it failed sync: ${said}`
  if (currentHealthy <= desiredHealthy)
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`
  return said === '' ? refusal : `${refusal} (${condition?.reason ?? ''}): ${said}`
}

/** Pods that run nothing, or are leaving anyway, are deleted without asking a budget. */
function needsNoBudget(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || Boolean(pod.metadata.deletionTimestamp)
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') ?? false
}
