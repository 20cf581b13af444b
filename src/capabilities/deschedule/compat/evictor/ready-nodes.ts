// Which nodes a cycle works on.
import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import type { Selector } from '#kube/objects/selector.ts'

/**
 * The nodes that `selector` picks and whose `Ready` conditions all say `True`, by name. A node without that condition counts as ready
 * and a cordoned one is among them, as upstream has it.
 */
export function readyNodes(state: ClusterState, selector: Selector): readonly NodeState[] {
  return Array.from(state.nodes.values()).filter(({ object }) => {
    const conditions = object.status?.conditions ?? []
    return (
      selector.matches(object.metadata.labels) && conditions.every(({ type, status }) => type !== 'Ready' || status === 'True')
    )
  })
}
