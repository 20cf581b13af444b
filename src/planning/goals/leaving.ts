// Nodes that somebody is taking away.
import type { NodeState } from '#cluster/cluster-state.ts'

const leavingTaints = new Set([
  'karpenter.sh/disrupted',
  'ToBeDeletedByClusterAutoscaler',
  'node.kubernetes.io/unschedulable',
  'ballast.dev/off',
  'ballast.dev/agent-not-ready',
])

/** Somebody is taking the node away: it is neither source nor destination of a move for balance. */
export function isLeaving({ object }: Pick<NodeState, 'object'>): boolean {
  return (object.spec?.taints ?? []).some(({ key }) => leavingTaints.has(key))
}
