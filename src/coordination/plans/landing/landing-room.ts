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

/** By the policy without its margins: what drifted a little since the plan was made is no reason to make it anew. */
export function hasRoom({ state, planPolicy, awaited }: Around, own: PlanMove, node: string, pod: PodState): boolean {
  const target = state.nodes.get(node)
  if (target === undefined || !mayLandBeside(planPolicy, own.to, node)) return false
  const coming = awaited.filter(({ to }) => to === node).map(({ certificate }) => ({ ...certificate.requests, pods: 1 }))
  const used = summed(requestedOn(state, node), { ...pod.requests, pods: 1 }, ...coming)
  return new RoomRules(planPolicy, { keepsMargins: false }).allows(target, used)
}
