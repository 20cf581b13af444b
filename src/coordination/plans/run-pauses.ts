// Why an approved plan stands still: nobody wants it just now, or a window is closed. Pure.
import type { RebalancePlan, RebalancePolicy } from '../api.ts'
import type { Arbiter } from '../arbiter/arbiter.ts'
import { freezeOf } from '../freeze.ts'
import { askingOf, runUntilAnnotation } from './names.ts'
import { isApproved, isFinal, stepOf } from './plan-progress.ts'
import { runsAt } from './schedule.ts'
import { arbiterOpensMs } from './timetable/openings.ts'

/** It was told to run up to a move, and that one is over. */
const stepDone = (until: string): string => `it was to run up to move ${until}, which is over`

/** Why a plan may not run just now; `undefined`: it may. */
export function whyPaused(plan: RebalancePlan, policy: RebalancePolicy | undefined, nowMs: number): string | undefined {
  if (policy === undefined) return 'its policy is gone'
  if (policy.spec.mode === 'Report') return 'its policy only reports'
  if (!isApproved(plan)) return 'its approval was withdrawn'
  const freeze = freezeOf(plan, nowMs) ?? freezeOf(policy, nowMs)
  if (freeze !== undefined) return `frozen by ${freeze.where}: ${freeze.reason}`
  const until = plan.metadata.annotations?.[runUntilAnnotation]
  if (until !== undefined && isFinal(stepOf(plan, until))) return stepDone(until)
  const window = runsAt(policy, nowMs)
  return window.isOpen
    ? undefined
    : `outside of the policy's windows${window.nextMs === undefined ? '' : `, the next opens ${new Date(window.nextMs).toISOString()}`}`
}

/** Why the arbiter's own windows keep the plan from going on: it pauses, as outside of its policy's; `undefined`: they do not. */
export function whyClosed(plan: RebalancePlan, arbiter: Pick<Arbiter, 'surroundings'>, nowMs: number): string | undefined {
  const opensMs = arbiterOpensMs({ arbiter: arbiter.surroundings().policy, asking: askingOf(plan) }, nowMs)
  if (opensMs <= nowMs) return undefined
  const next = Number.isFinite(opensMs) ? `, the next opens ${new Date(opensMs).toISOString()}` : ''
  return `outside of the arbiter's windows for ${askingOf(plan).requester}${next}`
}
