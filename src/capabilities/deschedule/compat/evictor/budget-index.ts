// Whether a PodDisruptionBudget selects a pod. Budgets are filed by one label that their pods must have, so that a namespace with
// a thousand of each costs no million comparisons.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { budgetSelector } from '#cluster/disruption-budget.ts'
import type { PodDisruptionBudget } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'

interface Filed {
  /** By `key=value` of a label that the selector asks for. */
  readonly byLabel: Map<string, Selector[]>
  readonly others: Selector[]
}

export class BudgetIndex {
  readonly #byNamespace = new Map<string, Filed>()

  constructor(state: ClusterState) {
    for (const budget of state.objects('PodDisruptionBudget')) {
      // `checkedObject` passes only what has the shape of its kind.
      this.#file(budget.metadata.namespace ?? 'default', budgetSelector(budget as PodDisruptionBudget))
    }
  }

  /** Whether at least one budget of its namespace selects the pod. */
  covers(pod: PodState): boolean {
    const filed = this.#byNamespace.get(pod.namespace)
    if (filed === undefined) return false
    const labels = pod.object.metadata.labels ?? {}
    if (filed.others.some(selector => selector.matches(labels))) return true
    for (const key of Object.keys(labels)) {
      const selectors = filed.byLabel.get(`${key}=${labels[key]}`)
      if (selectors?.some(selector => selector.matches(labels))) return true
    }
    return false
  }

  #file(namespace: string, selector: Selector): void {
    if (selector.isNothing) return
    const filed: Filed = this.#byNamespace.get(namespace) ?? { byLabel: new Map(), others: [] }
    this.#byNamespace.set(namespace, filed)
    const exact = selector.requirements.find(
      ({ operator, values }) => operator === '=' || (operator === 'in' && values.length === 1),
    )
    if (exact === undefined) {
      filed.others.push(selector)
      return
    }
    const label = `${exact.key}=${exact.values[0]}`
    filed.byLabel.set(label, [...(filed.byLabel.get(label) ?? []), selector])
  }
}
