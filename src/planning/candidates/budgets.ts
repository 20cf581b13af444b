// The disruption budgets of a plan: what covers a pod, and what is left of it while moves are played wave by wave.

import { BudgetLedger } from '#cluster/budget-ledger.ts'
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'

export interface BudgetView {
  readonly name: string
  readonly expected: number
  readonly desired: number
  readonly healthy: number
  /** How many more Ready pods may be evicted now. */
  readonly allowed: number
  /** False: not even with all pods healthy. */
  readonly canEverAllow: boolean
}

export class Budgets {
  readonly #ledger: BudgetLedger
  /** Which budgets select a pod; they are asked for many times and do not change. */
  readonly #selecting: Map<string, readonly string[]>
  #evicted: PodState[] = []

  constructor(ledger: BudgetLedger, selecting = new Map<string, readonly string[]>()) {
    this.#ledger = ledger
    this.#selecting = selecting
  }

  static of(state: ClusterState, nowMs: number): Budgets {
    return new Budgets(new BudgetLedger(state, { nowMs }))
  }

  /** The budgets whose selector matches the pod, as they stand. */
  covering(pod: PodState): readonly BudgetView[] {
    return this.#budgetsOf(pod).map(key => {
      const { expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed } = this.#ledger.statusOf(key)
      return {
        name: key.slice(key.indexOf('/') + 1),
        expected: expectedPods,
        desired: desiredHealthy,
        healthy: currentHealthy,
        allowed: disruptionsAllowed,
        canEverAllow: this.#ledger.canEverAllow(key),
      }
    })
  }

  /** Whether the eviction API would let the pod go now. */
  allows(pod: PodState): boolean {
    const [only, second] = this.#budgetsOf(pod)
    if (only !== undefined && second === undefined && pod.isReady && !pod.isTerminating)
      return this.#ledger.statusOf(only).disruptionsAllowed > 0
    return this.#ledger.ask(pod).kind === 'allowed'
  }

  #budgetsOf(pod: PodState): readonly string[] {
    const known = this.#selecting.get(pod.key) ?? this.#ledger.budgetsOf(pod)
    this.#selecting.set(pod.key, known)
    return known
  }

  /** The pod is on its way out until `settle`. */
  evict(pod: PodState): void {
    this.#ledger.put({ ...pod, isTerminating: true })
    this.#evicted.push(pod)
  }

  /** All replacements are Ready: to a budget they are the pods that went. */
  settle(): void {
    for (const pod of this.#evicted) this.#ledger.put({ ...pod, isReady: true })
    this.#evicted = []
  }

  /** Budgets that begin as these are and go their own way. */
  fork(): Budgets {
    return new Budgets(this.#ledger.fork(), this.#selecting)
  }
}
