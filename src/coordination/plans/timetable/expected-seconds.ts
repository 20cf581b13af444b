// How long a move is expected to take: as the moves of past plans took, else a stated default. Pure, from the plans that are kept.
import { workloadKey } from '#planning/goals/policy.ts'
import type { MoveAction } from '#planning/plan-record.ts'
import type { RebalancePlan } from '../../api.ts'
import type { AskedMove } from '../move-intent.ts'

/** Seconds from the permit to the landing where nothing is known: a pod ends, its replacement starts and becomes Ready. */
export const defaultSeconds: Readonly<Record<MoveAction, number>> = { evict: 45, surge: 60 }
/** Newest plans that are looked at. */
const mostPlans = 50
/** Fewer moves of other workloads say nothing of this one. */
const leastOfPolicy = 3

/**
 * Seconds that a move takes: the median of those of its workload by the same action, else of those of its policy, else the default. The
 * median, because one image that was pulled or one probe that hung says nothing of the next move.
 */
export function expectedSeconds(
  plans: readonly RebalancePlan[],
  policyName: string,
): (move: Pick<AskedMove, 'workload' | 'action'>) => number {
  const ofWorkload = new Map<string, number[]>()
  const ofPolicy = new Map<MoveAction, number[]>()
  const madeAt = ({ metadata }: RebalancePlan) => metadata.creationTimestamp ?? ''
  for (const plan of plans.toSorted((a, b) => (madeAt(a) < madeAt(b) ? 1 : -1)).slice(0, mostPlans)) {
    const moves = new Map(plan.spec.moves.map(move => [move.id, move]))
    for (const { id, state, seconds } of plan.status?.steps ?? []) {
      const move = moves.get(id)
      if (move === undefined || seconds === undefined || state !== 'Landed') continue
      push(ofWorkload, `${move.action} ${workloadKey(move.workload)}`, seconds)
      if (plan.spec.policyRef.name === policyName) push(ofPolicy, move.action, seconds)
    }
  }
  return ({ workload, action }) => {
    const own = ofWorkload.get(`${action} ${workloadKey(workload)}`)
    if (own !== undefined) return median(own)
    const others = ofPolicy.get(action) ?? []
    return others.length >= leastOfPolicy ? median(others) : defaultSeconds[action]
  }
}

function push<Key>(lists: Map<Key, number[]>, key: Key, value: number): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** The lower of the two in the middle where there is no middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}
