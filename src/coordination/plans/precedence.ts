// Which of two plans goes first. One taint and one webhook steer: two plans that run at once would steer each other's pods. Pure.
import type { RebalancePlan } from '../api.ts'
import { classNumber, plansFor } from '../intent.ts'
import { isApproved, isOver } from './plan-progress.ts'

/**
 * Why `plan` has to wait for one of `plans`; `undefined`: for none. Where an approved plan of a more urgent class is not over (isolation
 * before balance), the other pauses between two steps, and the more urgent one begins when it has paused.
 */
export function waitsFor(plan: RebalancePlan, plans: readonly RebalancePlan[]): string | undefined {
  const isWhole = (other: RebalancePlan) => !isOver(other) && other.status?.phase !== undefined
  const others = plans.filter(other => other.metadata.name !== plan.metadata.name && isWhole(other))
  const urgent = others.find(other => urgency(other) < urgency(plan) && isApproved(other))
  if (urgent !== undefined)
    return `${plansFor(urgent.spec.purpose).word} goes first: ${urgent.metadata.name} is approved and not over`
  const running = others.find(other => urgency(other) > urgency(plan) && other.status?.phase === 'Running')
  return running === undefined ? undefined : `${running.metadata.name} has a step under way and pauses after it`
}

/** The number of its class: less is more urgent. */
function urgency({ spec }: RebalancePlan): number {
  return classNumber(plansFor(spec.purpose).class)
}
