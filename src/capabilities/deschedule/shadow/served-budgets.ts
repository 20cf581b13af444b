// The eviction API's answers as the budgets' own statuses give them: each eviction that costs a budget one leaves it one less.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { type EvictionAnswer, evictionAnswer } from '#cluster/disruption-budget.ts'
import type { PodDisruptionBudget } from '#kube/objects/objects.ts'

export class ServedBudgets {
  readonly #state: ClusterState
  /** Budgets by namespace, as far as somebody asked. */
  readonly #budgets = new Map<string, PodDisruptionBudget[]>()

  constructor(state: ClusterState) {
    this.#state = state
  }

  /** What the server would answer now; where it is yes the budget has one less from then on. */
  evict(pod: PodState): EvictionAnswer {
    const budgets = this.#of(pod.namespace)
    const answer = evictionAnswer(pod.object, budgets)
    if (answer.kind === 'allowed' && answer.isCounted) {
      const at = budgets.findIndex(({ metadata }) => `${metadata.namespace}/${metadata.name}` === answer.budget)
      const budget = budgets[at]
      if (budget !== undefined) budgets[at] = withOneLess(budget)
    }
    return answer
  }

  #of(namespace: string): PodDisruptionBudget[] {
    const known = this.#budgets.get(namespace)
    if (known !== undefined) return known
    // The state holds only what has the shape of its kind.
    const budgets = this.#state.objectsIn('PodDisruptionBudget', namespace) as readonly PodDisruptionBudget[]
    const own = [...budgets]
    this.#budgets.set(namespace, own)
    return own
  }
}

function withOneLess(budget: PodDisruptionBudget): PodDisruptionBudget {
  const { disruptionsAllowed = 0 } = budget.status ?? {}
  return { ...budget, status: { ...budget.status, disruptionsAllowed: disruptionsAllowed - 1 } }
}
