// Which of two plans goes first. One taint and one webhook steer: two plans that run at once would steer each other's pods. Pure.
import type { RebalancePlan } from '../api.ts'
import { isApproved, isOver } from './plan-progress.ts'

/**
 * Why `plan` has to wait for one of `plans`; `undefined`: for none. Isolation is more urgent than balance: a plan for balance pauses
 * between two steps while an approved one of isolation is not over, and that one begins when the other has paused.
 */
export function waitsFor(plan: RebalancePlan, plans: readonly RebalancePlan[]): string | undefined {
  const isWhole = (other: RebalancePlan) => !isOver(other) && other.status?.phase !== undefined
  const others = plans.filter(other => other.metadata.name !== plan.metadata.name && isWhole(other))
  if (plan.spec.purpose === 'move') {
    const isolating = others.find(other => other.spec.purpose === 'isolate' && isApproved(other))
    return isolating === undefined ? undefined : `isolation goes first: ${isolating.metadata.name} is approved and not over`
  }
  const running = others.find(other => other.spec.purpose === 'move' && other.status?.phase === 'Running')
  return running === undefined ? undefined : `${running.metadata.name} has a step under way and pauses after it`
}
