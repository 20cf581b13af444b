// What the views of a plan read of it in common: its policy, its goals, who took its place, what of it is under way.

import type { KeptPermit } from '#coordination/account/book.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import { isOver } from '#coordination/plans/plan-progress.ts'
import { type ServableGoal, servableGoals } from '#planning/goals/served-goals.ts'
import type { PlanPhase } from '../../contract.ts'
import type { Picture } from '../../picture.ts'

export function phaseOf(plan: RebalancePlan): PlanPhase | 'Pending' {
  return plan.status?.phase ?? 'Pending'
}

/** Nothing of it happens any more. */
export function isEnded(plan: RebalancePlan): boolean {
  return isOver(plan)
}

/** When it was made, in milliseconds since 1970; 0 where nothing says so. */
export function madeAtMs({ metadata, status }: RebalancePlan): number {
  return firstTime(metadata.creationTimestamp, status?.checkedAt, status?.startedAt) ?? 0
}

/** The first of `times` that is one. */
export function firstTime(...times: readonly (string | undefined)[]): number | undefined {
  return times.map(time => Date.parse(time ?? '')).find(ms => !Number.isNaN(ms))
}

export function policyOf({ book }: Picture, plan: RebalancePlan): RebalancePolicy | undefined {
  return book.policies.find(policy => policy.metadata.name === plan.spec.policyRef.name)
}

/** The goals of the plan's policy with their nodes of now; none where the policy is gone or its selectors do not parse. */
export function goalsOfPlan(picture: Picture, plan: RebalancePlan): readonly ServableGoal[] {
  return servableGoals(shownGoals(policyOf(picture, plan), picture.state))
}

/** Goals by name: how many there are, and how many the plan reaches, or has reached where it is over. */
export function goalTally({ status }: RebalancePlan): { readonly goals: number; readonly reached: number } {
  const outcomes = Map.groupBy(status?.goals ?? [], goal => goal.name)
  const reached = [...outcomes.values()].filter(rows => rows.every(({ outcome }) => outcome === 'met'))
  return { goals: outcomes.size, reached: reached.length }
}

/** The plan that took the place of `plan`, as it names it; `name` alone where that one is gone. */
export function replacementOf(
  { book }: Picture,
  plan: RebalancePlan,
): { readonly name: string; readonly plan: RebalancePlan | undefined; readonly atMs: number | undefined } | undefined {
  const condition = plan.status?.conditions?.find(({ type, status }) => type === 'Superseded' && status === 'True')
  const named = condition?.message?.replace(/^by /, '')
  const found = book.plans.find(one =>
    named === undefined ? one.spec.replaces === plan.metadata.name : one.metadata.name === named,
  )
  const name = found?.metadata.name ?? named
  if (name === undefined) return undefined
  return {
    name,
    plan: found,
    atMs: firstTime(condition?.lastTransitionTime, plan.status?.finishedAt, found?.metadata.creationTimestamp),
  }
}

const activeOf = new WeakMap<readonly KeptPermit[], ReadonlyMap<string, KeptPermit>>()

/** Permits that are out, by the key of each wish that they were granted for or that goes along. */
export function activePermits({ book: { permits } }: Picture): ReadonlyMap<string, KeptPermit> {
  const known = activeOf.get(permits)
  if (known !== undefined) return known
  const active = new Map<string, KeptPermit>()
  for (const permit of permits) {
    if (!isActive(permit.record)) continue
    active.set(permit.record.idempotencyKey, permit)
    for (const { idempotencyKey } of permit.record.joined) active.set(idempotencyKey, permit)
  }
  activeOf.set(permits, active)
  return active
}
