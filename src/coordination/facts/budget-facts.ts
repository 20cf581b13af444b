// What disruption budgets say about a pod now, from what the disruption controller wrote, less what we granted and have not seen happen.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { KubeObject, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector } from '#kube/objects/selector.ts'
import { SelectorIndex } from '#kube/objects/selector-index.ts'
import { targetKey } from '../intent.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import type { BudgetAnswer } from '../policy/question.ts'

/** The answer of the budgets of `pod`. The API server has the last word; this keeps us from asking what it would refuse. */
export function budgetAnswer(state: ClusterState, pod: PodState, ledger: readonly PermitRecord[]): BudgetAnswer {
  const budgets = budgetsOf(state, pod)
  const [budget] = budgets
  if (budget === undefined) return { kind: 'no-budget' }
  if (budgets.length > 1) return { kind: 'several', budgets: budgets.map(nameOf) }
  const { status } = budget
  const name = nameOf(budget)
  const expected = status?.expectedPods ?? 0
  const desired = status?.desiredHealthy ?? 0
  const isTold = (status?.observedGeneration ?? 0) >= (budget.metadata.generation ?? 0)
  if (status === undefined || !isTold)
    return { kind: 'exhausted', budget: name, message: 'the disruption controller has not judged it yet' }
  if (expected > 0 && desired >= expected) return { kind: 'never-allows', budget: name }
  if (isHarmless(budget, pod)) return { kind: 'allowed', budget: name }
  const unseen = pendingEvictions(state, budget, ledger)
  const allowed = (status.disruptionsAllowed ?? 0) - unseen
  if (allowed > 0) return { kind: 'allowed', budget: name }
  const healthy = `${status.currentHealthy ?? 0} of ${expected} pods are healthy, ${desired} must be`
  return { kind: 'exhausted', budget: name, message: unseen > 0 ? `${healthy}, ${unseen} more may go already` : healthy }
}

/** The budgets of the pod's namespace whose selector matches it, in order of name. */
function budgetsOf(state: ClusterState, pod: PodState): readonly PodDisruptionBudget[] {
  const known = indexes.get(state) ?? new Map<string, SelectorIndex<PodDisruptionBudget>>()
  indexes.set(state, known)
  const index = known.get(pod.namespace) ?? indexOf(state, pod.namespace)
  known.set(pod.namespace, index)
  return index.selecting(pod.namespace, pod.object.metadata.labels)
}

/** By state, which does not change, and namespace. */
const indexes = new WeakMap<ClusterState, Map<string, SelectorIndex<PodDisruptionBudget>>>()

function indexOf(state: ClusterState, namespace: string): SelectorIndex<PodDisruptionBudget> {
  const index = new SelectorIndex<PodDisruptionBudget>()
  for (const budget of state.objectsIn('PodDisruptionBudget', namespace).filter(isBudget)) {
    const selector = selectorOf(budget)
    if (selector !== undefined) index.add(namespace, selector, budget)
  }
  return index
}

/** The cluster model sets budgets aside whose spec is no object. */
function isBudget(object: KubeObject): object is PodDisruptionBudget {
  return object.kind === 'PodDisruptionBudget' && typeof object['spec'] === 'object' && object['spec'] !== null
}

function selects(budget: PodDisruptionBudget, labels: Readonly<Record<string, string>>): boolean {
  return selectorOf(budget)?.matches(labels) === true
}

/** Undefined: it does not parse, and selects nothing. */
function selectorOf(budget: PodDisruptionBudget): Selector | undefined {
  const selector = labelSelectorOf(budget.spec.selector)
  return selector.ok && !selector.value.isNothing ? selector.value : undefined
}

/** A pod that is not Ready takes nothing from a budget that is met (`IfHealthyBudget`) or asks for nothing of it (`AlwaysAllow`). */
function isHarmless(budget: PodDisruptionBudget, pod: PodState): boolean {
  if (pod.isReady) return false
  if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy
}

/** Pods of the budget that we may evict and that still stand there as if nothing were. */
function pendingEvictions(state: ClusterState, budget: PodDisruptionBudget, ledger: readonly PermitRecord[]): number {
  let count = 0
  for (const permit of ledger) {
    if (!isActive(permit) || permit.verb !== 'evict') continue
    for (const target of permit.targets) {
      const pod = state.pods.get(targetKey(target))
      if (pod === undefined || pod.uid !== target.uid || pod.namespace !== budget.metadata.namespace) continue
      const isUnseen = !pod.isTerminating && budget.status?.disruptedPods?.[pod.name] === undefined
      if (isUnseen && selects(budget, pod.object.metadata.labels ?? {})) count++
    }
  }
  return count
}

function nameOf(budget: PodDisruptionBudget): string {
  return `${budget.metadata.namespace ?? ''}/${budget.metadata.name}`
}
