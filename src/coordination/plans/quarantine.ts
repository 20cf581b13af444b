// Workloads that landed where they came from are left alone for a while, longer each time. Pure, from the plans that are kept.

import { workloadKey } from '#planning/policy.ts'
import type { RebalancePlan } from '../api.ts'
import { isUnheld } from './landing-decision.ts'

const firstMs = 30 * 60_000
const longestMs = 24 * 3_600_000

/** Until when each workload is left alone, by `namespace/Kind/name`: half an hour after the first landing back, doubled with each, at most a day. */
export function quarantines(plans: readonly RebalancePlan[], nowMs: number): ReadonlyMap<string, number> {
  const backs = new Map<string, number[]>()
  for (const plan of plans) {
    const atMs = Date.parse(plan.status?.finishedAt ?? plan.status?.progressAt ?? '')
    if (Number.isNaN(atMs)) continue
    for (const step of plan.status?.steps ?? []) {
      const move = plan.spec.moves.find(({ id }) => id === step.id)
      if (move === undefined || step.state !== 'Mismatch' || step.landedOn !== move.from || isUnheld(step)) continue
      const key = workloadKey(move.workload)
      backs.set(key, [...(backs.get(key) ?? []), atMs])
    }
  }
  const until = new Map<string, number>()
  for (const [key, times] of backs) {
    const untilMs = Math.max(...times) + Math.min(longestMs, firstMs * 2 ** (times.length - 1))
    if (untilMs > nowMs) until.set(key, untilMs)
  }
  return until
}
