// Whether a node other than the one that was chosen has room for a pod, beside what the plan still brings there. Pure.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { requestedOn } from '#planning/goals/bounds.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import { mayLandBeside, RoomRules, summed } from '#planning/sequence/room-rules.ts'
import type { PlanMove } from '../../api.ts'

interface Around {
  readonly state: ClusterState
  readonly planPolicy: PlanPolicy
  /** Other moves of the plan that are not over. */
  readonly awaited: readonly PlanMove[]
}

/**
 * Whether a node may take a pod, for one look at `own`: of thousands of nodes each is asked about. By the policy without its margins: what
 * drifted a little since the plan was made is no reason to make it anew.
 */
export function roomFor({ state, planPolicy, awaited }: Around, own: PlanMove): (node: string, pod: PodState) => boolean {
  const rules = new RoomRules(planPolicy, { keepsMargins: false })
  const coming = Map.groupBy(awaited, ({ to }) => to)
  return (node, pod) => {
    const target = state.nodes.get(node)
    if (target === undefined || !mayLandBeside(planPolicy, own.to, node)) return false
    const others = (coming.get(node) ?? []).map(({ certificate }) => ({ ...certificate.requests, pods: 1 }))
    return rules.allows(target, summed(requestedOn(state, node), { ...pod.requests, pods: 1 }, ...others))
  }
}
