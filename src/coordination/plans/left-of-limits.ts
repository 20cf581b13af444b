// How many pods a policy may still move within this hour and this day. Pure, from the plans that are kept.
import type { PlanPolicy } from '#planning/goals/policy.ts'
import type { RebalancePlan, RebalancePolicy } from '../api.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** States of steps whose pod has left, or is about to. */
const leaving: ReadonlySet<string> = new Set(['Acting', 'Landing', 'Landed', 'Mismatch', 'Failed'])

type KeptPlan = Pick<RebalancePlan, 'spec' | 'status'>

interface Limited {
  readonly spec: Pick<RebalancePolicy['spec'], 'limits'>
  readonly metadata: { readonly name: string }
}

/**
 * `perPlan` of a plan that is made now, with the limit that it is what is left of: of `perPlan`, `perHour` and `perDay` the one that leaves
 * least. Steps have no time of their own: those of a plan count as if all had been made at its last progress. Plans of the last two days
 * are all kept, so none of the day is missing.
 */
export function leftOfLimits(
  policy: Limited,
  plans: readonly KeptPlan[],
  nowMs: number,
): Pick<PlanPolicy['limits'], 'perPlan' | 'perPlanBy'> {
  const { perPlan, perHour, perDay = Number.POSITIVE_INFINITY } = policy.spec.limits
  const own = ofPolicy(policy, plans)
  const perPlanBy = (left: number, of: 'perHour' | 'perDay') => ({ perPlan: Math.max(0, left), perPlanBy: of })
  const ofHour = perPlanBy(perHour - leftSince(own, nowMs - hourMs), 'perHour')
  const ofDay = perPlanBy(perDay - leftSince(own, nowMs - dayMs), 'perDay')
  const paced = ofDay.perPlan < ofHour.perPlan ? ofDay : ofHour
  return paced.perPlan < perPlan ? paced : { perPlan }
}

/** Pods that left after `sinceMs`. */
function leftSince(plans: readonly KeptPlan[], sinceMs: number): number {
  return plans
    .filter(({ status }) => Date.parse(status?.progressAt ?? status?.startedAt ?? '') > sinceMs)
    .flatMap(({ status }) => status?.steps ?? [])
    .filter(({ state, reason }) => leaving.has(state) && reason !== 'EvictionRefused').length
}

function ofPolicy({ metadata }: Limited, plans: readonly KeptPlan[]): readonly KeptPlan[] {
  return plans.filter(({ spec }) => spec.policyRef.name === metadata.name && spec.purpose === 'move')
}

/** Why no further move of the policy may begin: another of its plans took what was left when this one was made. `undefined`: one may. */
export function whyUsedUp(policy: Limited, plans: readonly KeptPlan[], nowMs: number): string | undefined {
  const { perHour, perDay } = policy.spec.limits
  const own = ofPolicy(policy, plans)
  if (perDay !== undefined && leftSince(own, nowMs - dayMs) >= perDay)
    return `spec.limits.perDay is used up: ${leftSince(own, nowMs - dayMs)} pods left within 24 hours`
  return leftSince(own, nowMs - hourMs) < perHour
    ? undefined
    : `spec.limits.perHour is used up: ${leftSince(own, nowMs - hourMs)} pods left within the hour`
}

/** What is used of the limits that a policy has, in pods that left: within the hour, and within 24 hours. */
export function usedOfLimits(
  policy: Limited,
  plans: readonly KeptPlan[],
  nowMs: number,
): readonly { readonly limit: 'perHour' | 'perDay'; readonly used: number; readonly most: number }[] {
  const { perHour, perDay } = policy.spec.limits
  const own = ofPolicy(policy, plans)
  return [
    { limit: 'perHour', used: leftSince(own, nowMs - hourMs), most: perHour },
    ...(perDay === undefined ? [] : [{ limit: 'perDay' as const, used: leftSince(own, nowMs - dayMs), most: perDay }]),
  ]
}
