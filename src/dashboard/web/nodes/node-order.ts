// In which order many nodes are shown: those that miss a goal by most, then those with most requested. Pure.
import type { Goal, NodeRow } from '../../contract.ts'
import { exactPercent } from '../../words/percent.ts'

export type Resource = 'cpu' | 'memory' | 'pods'

/** Rows of nodes have no figures of any other. */
const isColumn = (resource: string): resource is Resource => ['cpu', 'memory', 'pods'].includes(resource)

/** Percent of what the node can give; null where it is unknown. */
export function requestedShare(node: NodeRow, resource: Resource): number | null {
  return resource === 'pods'
    ? exactPercent(node.pods.count, node.pods.allocatable)
    : exactPercent(node[resource].requested, node[resource].allocatable)
}

/** By how many points a node lies outside of the goals on requests that it is held to; 0 where it meets them. */
export function shortfallOf(node: NodeRow, goals: readonly Goal[]): number {
  return goals.reduce((worst, { resource, stat, min, max }) => {
    const share = stat === 'requests' && isColumn(resource) ? requestedShare(node, resource) : null
    if (share === null) return worst
    return Math.max(worst, max === null ? 0 : share - max, min === null ? 0 : min - share)
  }, 0)
}

/** Goals by the nodes that they hold. */
export function goalsByNode(goals: readonly Goal[]): ReadonlyMap<string, readonly Goal[]> {
  const byNode = new Map<string, Goal[]>()
  for (const goal of goals) {
    for (const name of goal.nodes) {
      const of = byNode.get(name)
      if (of === undefined) byNode.set(name, [goal])
      else of.push(goal)
    }
  }
  return byNode
}

/** `nodes` with the worst first. */
export function worstFirst(nodes: readonly NodeRow[], goals: readonly Goal[], resource: Resource): readonly NodeRow[] {
  const held = goalsByNode(goals)
  const keyed = nodes.map(node => ({
    node,
    shortfall: shortfallOf(node, held.get(node.name) ?? []),
    share: requestedShare(node, resource) ?? -1,
  }))
  keyed.sort((a, b) => b.shortfall - a.shortfall || b.share - a.share || (a.node.name < b.node.name ? -1 : 1))
  return keyed.map(({ node }) => node)
}
