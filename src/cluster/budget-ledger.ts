// Disruption budgets across the steps of a simulation: what is evicted, gone, and back again.

import type { PodDisruptionBudget } from '#kube/objects.ts'
import type { Selector } from '#kube/selector.ts'
import type { ClusterState, PodState } from './cluster-state.ts'
import {
  type BudgetRules,
  type BudgetStatus,
  budgetSelector,
  budgetStatus,
  type EvictionAnswer,
  evictionAnswer,
  firstGeneration,
  replicasIn,
} from './disruption-budget.ts'

interface Holding {
  readonly budget: PodDisruptionBudget
  readonly selector: Selector
  readonly pods: ReadonlyMap<string, PodState>
}

/**
 * Keeps each budget's pods. The controller is taken to have caught up before each question, so that the numbers are those of
 * `budgetStatus` for the pods as they are then.
 */
export class BudgetLedger {
  readonly #state: ClusterState
  readonly #rules: BudgetRules
  /** By `namespace/name` of the budget. Replaced, never changed: forks share the values. */
  readonly #holdings: Map<string, Holding>

  /** Begins with the budgets and pods of `state`, or where `from` is now. `nowMs` is for evictions that the budgets' statuses remember. */
  constructor(state: ClusterState, options: { readonly nowMs: number }, from?: BudgetLedger) {
    this.#state = state
    this.#rules = { replicasOf: replicasIn(state), nowMs: options.nowMs }
    this.#holdings = from === undefined ? holdingsOf(state) : new Map(from.#holdings)
  }

  /** The budgets (`namespace/name`) that select a pod. */
  budgetsOf(pod: PodState): readonly string[] {
    return this.#selecting(pod).map(([key]) => key)
  }

  /** The numbers of a budget as they are now. @throws Error for a budget that is not there. */
  statusOf(budget: string): BudgetStatus {
    const holding = this.#holdings.get(budget)
    if (holding === undefined) throw new Error(`budget ${budget}: it is not in this cluster`)
    return budgetStatus(holding.budget, Array.from(holding.pods.values()), this.#rules)
  }

  /** Whether the budget can ever allow a disruption, all its pods being healthy. @throws Error as `statusOf`. */
  canEverAllow(budget: string): boolean {
    const { expectedPods, desiredHealthy, failure } = this.statusOf(budget)
    return failure === undefined && expectedPods > desiredHealthy
  }

  /** What eviction would answer; changes nothing. */
  ask(pod: PodState): EvictionAnswer {
    const current = this.#selecting(pod)
      .map(([, { pods }]) => pods.get(pod.key))
      .find(known => known !== undefined)
    const known = current ?? pod
    if (known.isTerminating || known.isFinished) return { kind: 'allowed', isCounted: false }
    const budgets = this.#selecting(pod).map(([key, { budget }]) => withStatus(budget, this.statusOf(key)))
    return evictionAnswer(asObject(known), budgets)
  }

  /** Evicts a pod: where it is allowed the pod is terminating from then on. */
  evict(pod: PodState): EvictionAnswer {
    const answer = this.ask(pod)
    if (answer.kind === 'allowed') this.put({ ...(this.#known(pod.key) ?? pod), isTerminating: true })
    return answer
  }

  /** The pod (`namespace/name`) is gone. */
  gone(podKey: string): void {
    for (const [key, holding] of this.#holdings) {
      if (!holding.pods.has(podKey)) continue
      const pods = new Map(holding.pods)
      pods.delete(podKey)
      this.#holdings.set(key, { ...holding, pods })
    }
  }

  /** A pod is there, new or changed: `isReady` and `isTerminating` are as it says. */
  put(pod: PodState): void {
    for (const [key, holding] of this.#selecting(pod))
      this.#holdings.set(key, { ...holding, pods: new Map(holding.pods).set(pod.key, pod) })
  }

  /** A ledger that begins as this one is and goes its own way. */
  fork(): BudgetLedger {
    return new BudgetLedger(this.#state, this.#rules, this)
  }

  #known(podKey: string): PodState | undefined {
    for (const { pods } of this.#holdings.values()) {
      const pod = pods.get(podKey)
      if (pod !== undefined) return pod
    }
    return undefined
  }

  #selecting(pod: PodState): readonly (readonly [string, Holding])[] {
    const { labels } = pod.object.metadata
    return Array.from(this.#holdings).filter(
      ([, { budget, selector }]) => budget.metadata.namespace === pod.namespace && selector.matches(labels),
    )
  }
}

function holdingsOf(state: ClusterState): Map<string, Holding> {
  const podsOf = Map.groupBy(state.pods.values(), pod => pod.namespace)
  const holdings = new Map<string, Holding>()
  for (const object of state.objects('PodDisruptionBudget')) {
    // Checked when the cluster was read.
    const budget = object as PodDisruptionBudget
    const selector = budgetSelector(budget)
    const pods = (podsOf.get(budget.metadata.namespace ?? '') ?? []).filter(pod => selector.matches(pod.object.metadata.labels))
    holdings.set(`${budget.metadata.namespace}/${budget.metadata.name}`, {
      budget,
      selector,
      pods: new Map(pods.map(pod => [pod.key, pod])),
    })
  }
  return holdings
}

/** The budget as the controller would have it, which has caught up. */
function withStatus(budget: PodDisruptionBudget, { failure, ...status }: BudgetStatus): PodDisruptionBudget {
  return { ...budget, status: { ...status, observedGeneration: budget.metadata.generation ?? firstGeneration } }
}

/** The pod's object with the readiness the simulation gives it. */
function asObject({ object, isReady, nodeName }: PodState): PodState['object'] {
  const phase = isReady ? 'Running' : (object.status?.phase ?? (nodeName === undefined ? 'Pending' : 'Running'))
  return { ...object, status: { ...object.status, phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] } }
}
