// PodDisruptionBudgets as a plan sees them: what each allows now, and what is left of it while moves are played (rebalancing 3.10).

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import { parseScaledValue } from '#kube/int-or-string.ts'
import type { PodDisruptionBudget } from '#kube/objects.ts'
import { labelSelectorOf } from '#kube/selector.ts'

export interface BudgetView {
  readonly name: string
  readonly expected: number
  readonly desired: number
  readonly healthy: number
  /** How many more pods may be evicted now. */
  readonly allowed: number
}

interface Budget {
  readonly name: string
  readonly namespace: string
  readonly expected: number
  readonly desired: number
  /** Ready pods that are not going away, in the snapshot. */
  readonly ready: number
  readonly unhealthyPolicy: string
}

export class Budgets {
  readonly #covering: ReadonlyMap<string, readonly Budget[]>
  /** Pods that were evicted and whose replacements are not Ready yet, by budget. */
  readonly #missing = new Map<Budget, number>()

  constructor(source: ClusterState | ReadonlyMap<string, readonly Budget[]>) {
    this.#covering = 'podsOn' in source ? coveringBudgets(source) : source
  }

  /** The budgets whose selector matches the pod, as they stand. */
  covering(pod: PodState): readonly BudgetView[] {
    return (this.#covering.get(pod.key) ?? []).map(budget => this.#view(budget, pod))
  }

  #view(budget: Budget, pod: PodState): BudgetView {
    const healthy = budget.ready - (this.#missing.get(budget) ?? 0)
    const allowed = budget.expected === 0 ? 0 : Math.max(0, healthy - budget.desired)
    const { name, expected, desired } = budget
    return { name, expected, desired, healthy, allowed: pod.isReady || allowed > 0 ? allowed : allowedUnhealthy(budget, healthy) }
  }

  /** Counts the pod as gone until `settle`. */
  evict(pod: PodState): void {
    if (!pod.isReady) return
    for (const budget of this.#covering.get(pod.key) ?? []) this.#missing.set(budget, (this.#missing.get(budget) ?? 0) + 1)
  }

  /** All replacements are Ready. */
  settle(): void {
    this.#missing.clear()
  }

  /** The budgets of the same snapshot, with nothing evicted. */
  fork(): Budgets {
    return new Budgets(this.#covering)
  }
}

/** A pod that is not Ready may go under `AlwaysAllow`, and by default where the others are as many as desired. */
function allowedUnhealthy(budget: Budget, healthy: number): number {
  if (budget.unhealthyPolicy === 'AlwaysAllow') return 1
  return budget.desired > 0 && healthy >= budget.desired ? 1 : 0
}

function coveringBudgets(state: ClusterState): ReadonlyMap<string, readonly Budget[]> {
  const covering = new Map<string, Budget[]>()
  const byNamespace = Map.groupBy(
    [...state.pods.values()].filter(pod => !pod.isFinished),
    pod => pod.namespace,
  )
  for (const object of state.objects('PodDisruptionBudget')) {
    // The state holds objects of the right shape; a budget's fields are read with their defaults below.
    const budget = object as PodDisruptionBudget
    const namespace = budget.metadata.namespace ?? 'default'
    const selector = labelSelectorOf(budget.spec.selector)
    if (!selector.ok) continue
    const pods = (byNamespace.get(namespace) ?? []).filter(pod => selector.value.matches(pod.object.metadata.labels))
    const read = budgetOf(state, budget, pods)
    for (const pod of pods) covering.set(pod.key, [...(covering.get(pod.key) ?? []), read])
  }
  return covering
}

function budgetOf(state: ClusterState, { metadata, spec }: PodDisruptionBudget, pods: readonly PodState[]): Budget {
  const { minAvailable, maxUnavailable } = spec
  const scale = expectedByControllers(state, pods)
  const count = (value: number | string, total: number) => {
    const parsed = parseScaledValue(value, total, 'up')
    // What does not parse protects everything: the disruption controller then fails and allows nothing.
    return parsed.ok ? parsed.value : undefined
  }
  const isWhole = typeof minAvailable === 'number'
  const expected = isWhole ? pods.length : scale
  let desired: number | undefined = expected
  if (maxUnavailable !== undefined) {
    const unavailable = count(maxUnavailable, expected)
    desired = unavailable === undefined ? undefined : Math.max(0, expected - unavailable)
  } else if (minAvailable !== undefined) desired = count(minAvailable, expected)
  const ready = pods.filter(pod => pod.isReady && !pod.isTerminating).length
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? 'default',
    expected,
    desired: desired ?? expected,
    ready,
    unhealthyPolicy: spec.unhealthyPodEvictionPolicy ?? 'IfHealthyBudget',
  }
}

/** Sum of `spec.replicas` over the distinct controllers of the pods; a pod without one that can be read counts itself. */
function expectedByControllers(state: ClusterState, pods: readonly PodState[]): number {
  const seen = new Set<string>()
  let expected = 0
  for (const pod of pods) {
    const owner = controllerOf(pod.object.metadata)
    const object = owner && state.object(kindKey(owner.apiVersion, owner.kind), pod.namespace, owner.name)
    const spec = object?.['spec']
    const replicas = typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : undefined
    if (owner === undefined || typeof replicas !== 'number') {
      expected++
      continue
    }
    if (seen.has(owner.uid)) continue
    seen.add(owner.uid)
    expected += replicas
  }
  return expected
}
