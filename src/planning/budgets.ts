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
  #evicted: PodState[] = []

  constructor(source: BudgetLedger) {
    this.#ledger = source
  }

  static of(state: ClusterState, nowMs: number): Budgets {
    return new Budgets(new BudgetLedger(state, { nowMs }))
  }

  /** The budgets whose selector matches the pod, as they stand. */
  covering(pod: PodState): readonly BudgetView[] {
    return this.#ledger.budgetsOf(pod).map(key => {
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
    return this.#ledger.ask(pod).kind === 'allowed'
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
    return new Budgets(this.#ledger.fork())
  }
}
