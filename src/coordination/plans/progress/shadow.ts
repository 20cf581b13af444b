// What became of the moves of a plan that was never begun: pods that somebody else moved meanwhile, and whether their replacements are where the
// plan would have put them. Pure.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { acceptance } from '#planning/sequence/acceptance.ts'
import type { RebalancePlan, RebalancePlanStatus } from '../../api.ts'
import { isOver } from '../plan-progress.ts'

type Shadow = NonNullable<RebalancePlanStatus['shadow']>

/** Whether the plan is over, was never begun, and nobody has looked at what became of its moves. */
export function isUnjudged({ spec, status }: RebalancePlan): boolean {
  const isBegun = (status?.steps ?? []).length > 0 || status?.startedAt !== undefined
  return (
    isOver({ ...(status === undefined ? {} : { status }) }) && !isBegun && spec.moves.length > 0 && status?.shadow === undefined
  )
}

/**
 * The moves of `plan` held against the cluster as it is: a pod that is gone was moved by somebody else. A workload that has more new pods than the
 * plan misses is not judged, since nobody knows which of them stands for which.
 */
export function shadowOf({ metadata, spec }: RebalancePlan, state: ClusterState): Shadow {
  const uids = new Set(Array.from(state.pods.values(), ({ uid }) => uid))
  const madeMs = Date.parse(metadata.creationTimestamp ?? '')
  const first = spec.moves.filter(({ follows }) => follows === undefined)
  const gone = first.filter(({ pod }) => !uids.has(pod.uid))
  const isNew = (pod: PodState) => Date.parse(pod.object.metadata.creationTimestamp ?? '') >= madeMs
  const fresh = Map.groupBy(
    [...state.pods.values()].filter(pod => pod.nodeName !== undefined && !pod.isFinished && !pod.isTerminating && isNew(pod)),
    ({ workload }) => (workload === undefined ? '' : workloadKey(workload)),
  )
  const shadow = { moves: first.length, asForetold: 0, elsewhere: 0 }
  for (const [key, moves] of Map.groupBy(gone, ({ workload }) => workloadKey(workload))) {
    const left = [...(fresh.get(key) ?? [])]
    if (left.length > moves.length) continue
    const landed = left.length
    let met = 0
    for (const move of moves) {
      const accepts = acceptance(spec, move)
      const at = left.findIndex(({ nodeName = '' }) => accepts(nodeName))
      if (at < 0) continue
      left.splice(at, 1)
      met++
    }
    shadow.asForetold += met
    shadow.elsewhere += landed - met
  }
  return shadow
}
