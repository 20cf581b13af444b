// Workloads that landed where they came from are left alone for a while, longer each time. Pure, from the plans that are kept.

import { workloadKey } from '#planning/goals/policy.ts'
import type { RebalancePlan } from '../api.ts'
import { landingResult } from './landing/landing-rate.ts'

const firstMs = 30 * 60_000
const longestMs = 24 * 3_600_000

/**
 * Until when each workload is left alone, by `namespace/Kind/name`: half an hour after the first landing back, doubled with each that
 * follows, at most a day. One that lands as meant begins anew, as for the arbiter.
 */
export function quarantines(plans: readonly RebalancePlan[], nowMs: number): ReadonlyMap<string, number> {
  const landings = new Map<string, { readonly atMs: number; readonly isBack: boolean }[]>()
  for (const plan of plans) {
    const atMs = Date.parse(plan.status?.finishedAt ?? plan.status?.progressAt ?? '')
    if (Number.isNaN(atMs)) continue
    for (const step of plan.status?.steps ?? []) {
      const move = plan.spec.moves.find(({ id }) => id === step.id)
      const result = landingResult(step, move)
      if (move === undefined || (result !== 'back' && result !== 'expected')) continue
      const key = workloadKey(move.workload)
      landings.set(key, [...(landings.get(key) ?? []), { atMs, isBack: result === 'back' }])
    }
  }
  const until = new Map<string, number>()
  for (const [key, all] of landings) {
    // Among landings of one plan at the same time, the landing back weighs more.
    const inOrder = all.toSorted((a, b) => a.atMs - b.atMs || Number(a.isBack) - Number(b.isBack))
    const backs = inOrder.slice(inOrder.findLastIndex(({ isBack }) => !isBack) + 1)
    const last = backs.at(-1)
    if (last === undefined) continue
    const untilMs = last.atMs + Math.min(longestMs, firstMs * 2 ** (backs.length - 1))
    if (untilMs > nowMs) until.set(key, untilMs)
  }
  return until
}
