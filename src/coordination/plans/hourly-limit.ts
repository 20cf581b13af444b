// How many pods a policy may still move within this hour. Pure, from the plans that are kept.
import type { RebalancePlan, RebalancePolicy } from '../api.ts'

const hourMs = 3_600_000
/** States of steps whose pod has left, or is about to. */
const leaving: ReadonlySet<string> = new Set(['Acting', 'Landing', 'Landed', 'Mismatch', 'Failed'])

/**
 * `perPlan` of a plan that is made now: what the policy's `perHour` leaves of it. Steps have no time of their own: those of a plan that was
 * not begun within the hour, and made no step in it, are not counted.
 */
export function leftOfHour(policy: RebalancePolicy, plans: readonly RebalancePlan[], nowMs: number): number {
  const { perPlan, perHour } = policy.spec.limits
  const isOfHour = ({ status }: RebalancePlan) => nowMs - Date.parse(status?.progressAt ?? status?.startedAt ?? '') < hourMs
  const left = plans
    .filter(plan => plan.spec.policyRef.name === policy.metadata.name && plan.spec.purpose === 'move' && isOfHour(plan))
    .flatMap(({ status }) => status?.steps ?? [])
    .filter(({ state, reason }) => leaving.has(state) && reason !== 'EvictionRefused')
  return Math.max(0, Math.min(perPlan, perHour - left.length))
}
