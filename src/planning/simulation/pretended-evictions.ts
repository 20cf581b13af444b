// Evictions that only seem to be done, of one cycle of a descheduler: budgets are asked as the API server asks them, and what replaces a pod
// is not ready before the cycle ends, so that a budget gives a disruption once.
import { BudgetLedger } from '#cluster/budget-ledger.ts'
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { EvictionAnswer } from '#cluster/disruption-budget.ts'

type Refusal = Extract<EvictionAnswer, { readonly kind: 'refused' }>
type Pretended<Went> = { readonly kind: 'refused'; readonly refusal: Refusal } | { readonly kind: 'evicted'; readonly went: Went }

export class PretendedEvictions {
  readonly #state: ClusterState
  readonly #nowMs: number
  #budgets: BudgetLedger | undefined

  /** `state`: the cluster as the cycle found it. `nowMs` is for evictions that the budgets' statuses remember. */
  constructor(state: ClusterState, nowMs: number) {
    this.#state = state
    this.#nowMs = nowMs
  }

  /** Asks for the pod's eviction; where no budget refuses it `go` takes it away and says what came of it. */
  evict<Went>(pod: PodState, go: (pod: PodState) => Went): Pretended<Went> {
    this.#budgets ??= new BudgetLedger(this.#state, { nowMs: this.#nowMs })
    const answer = this.#budgets.evict(pod)
    return answer.kind === 'refused' ? { kind: 'refused', refusal: answer } : { kind: 'evicted', went: go(pod) }
  }
}
