// The cluster as the arbiter is shown it by the drop-in: without disruption budgets. The API server judges those with each eviction, in
// upstream's words and of this very moment; asked beforehand, they would keep back pods that the server deletes whatever their budget says
// (finished, pending, not ready).
import type { ClusterState } from '#cluster/cluster-state.ts'

const budgetKind = 'PodDisruptionBudget'
const shown = new WeakMap<ClusterState, ClusterState>()

/** `state` without its budgets. The same value for the same state. */
export function withoutBudgets(state: ClusterState): ClusterState {
  const known = shown.get(state)
  if (known !== undefined) return known
  const without: ClusterState = {
    nodes: state.nodes,
    pods: state.pods,
    podsOn: node => state.podsOn(node),
    podsOf: workloadUid => state.podsOf(workloadUid),
    objectsIn: (kind, namespace) => (kind === budgetKind ? [] : state.objectsIn(kind, namespace)),
    objects: kind => (kind === budgetKind ? [] : state.objects(kind)),
    object: (kind, namespace, name) => (kind === budgetKind ? undefined : state.object(kind, namespace, name)),
  }
  shown.set(state, without)
  return without
}
