// What a plan came to, from its steps and its goals: the phase says what happened, and the message counts. Pure.
import type { GoalOutcome } from '#planning/plan-record.ts'
import type { RebalancePlanStatus } from '../api.ts'
import type { Phase } from './plan-progress.ts'

/** What is read of a plan. */
interface EndedPlan {
  readonly spec: { readonly moves: readonly { readonly id: string }[] }
  readonly status?: Pick<RebalancePlanStatus, 'steps' | 'goals'>
}

interface Result {
  readonly phase: Phase
  /** `1 of 6 moves landed, 5 left out (CoolDown: m02, m03, m04 and 2 more); not met: light`. */
  readonly message: string
  readonly landed: number
  readonly missed: readonly string[]
  readonly unknown: readonly string[]
}

/** Moves that are named of each reason. */
const mostNamed = 3

/**
 * `failure`: why it was ended early. `doubt`: what is not known of its end. Without either it succeeded where every move landed and no goal is
 * missed that it foretold as met; else it is incomplete.
 */
export function resultOf(
  { spec, status }: EndedPlan,
  goals: readonly Pick<GoalOutcome, 'goal' | 'state'>[],
  { failure, doubt }: { readonly failure?: string | undefined; readonly doubt?: string | undefined },
): Result {
  const missed = namesOf(goals, 'missed')
  const unknown = namesOf(goals, 'unknown')
  const steps = new Map((status?.steps ?? []).map(step => [step.id, step]))
  const landed = spec.moves.filter(({ id }) => steps.get(id)?.state === 'Landed').length
  const left = spec.moves.filter(({ id }) => (steps.get(id)?.state ?? 'Skipped') === 'Skipped')
  const reasons = Map.groupBy(left, ({ id }) => steps.get(id)?.reason ?? 'NotBegun')
  const leftOut = Array.from(reasons, ([reason, moves]) => `${reason}: ${named(moves.map(({ id }) => id))}`)
  const reached =
    missed.length > 0 ? `not met: ${missed.join(', ')}` : unknown.length > 0 ? 'no goal is missed' : 'all goals are met'
  const still = unknown.length === 0 ? '' : `; not measured: ${unknown.join(', ')}`
  const out = left.length === 0 ? '' : `, ${left.length} left out (${leftOut.join('; ')})`
  const ended = goals.length === 0 ? '' : `; ${reached}${still}`
  const result = `${landed} of ${spec.moves.length} moves landed${out}${ended}`
  const isWhole = doubt === undefined && landed === spec.moves.length && !missed.some(goal => wasForetold(status, goal))
  return {
    phase: failure !== undefined ? 'Failed' : isWhole ? 'Succeeded' : 'Incomplete',
    message: [failure, doubt, result].filter(part => part !== undefined).join('; '),
    landed,
    missed,
    unknown,
  }
}

function namesOf(goals: readonly Pick<GoalOutcome, 'goal' | 'state'>[], state: GoalOutcome['state']): readonly string[] {
  return [...new Set(goals.filter(goal => goal.state === state).map(({ goal }) => goal))]
}

/** The plan said that it would meet the goal, on each of its nodes. */
function wasForetold(status: EndedPlan['status'], goal: string): boolean {
  const rows = (status?.goals ?? []).filter(({ name }) => name === goal)
  return rows.length > 0 && rows.every(({ outcome }) => outcome === 'met')
}

function named(ids: readonly string[]): string {
  const rest = ids.length - mostNamed
  return rest <= 0 ? ids.join(', ') : `${ids.slice(0, mostNamed).join(', ')} and ${rest} more`
}

/** The condition `GoalsMet` of a plan that is over. */
export function goalsCondition(
  missed: readonly string[],
  unknown: readonly string[],
): { readonly status: 'True' | 'False' | 'Unknown'; readonly reason: string } {
  if (missed.length > 0) return { status: 'False', reason: 'GoalsMissed' }
  return unknown.length > 0 ? { status: 'Unknown', reason: 'NotMeasured' } : { status: 'True', reason: 'Measured' }
}
