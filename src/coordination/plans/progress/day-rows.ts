// A policy's days: what its plans foretold, and what came of it. The row of a day is a function of the plans that ended on it. Pure.
import type { RebalancePlan, RebalancePolicyStatus } from '../../api.ts'
import { isOver } from '../plan-progress.ts'

export type DayRow = NonNullable<RebalancePolicyStatus['days']>[number]

const dayMs = 86_400_000
/** A month. */
const mostDays = 31

/**
 * The rows as they are at `nowMs`, newest last. Those of today and yesterday are made anew from `plans`, of which all that ended within two days
 * are kept unless somebody deletes them; older ones stay as they are. The very same list where nothing changed.
 */
export function rowsAfter(
  known: readonly DayRow[] | undefined,
  plans: readonly RebalancePlan[],
  nowMs: number,
): readonly DayRow[] {
  const before = known ?? []
  const anew = [dayOf(nowMs - dayMs), dayOf(nowMs)]
  const made = anew.flatMap(day => {
    const ended = plans.filter(plan => isOver(plan) && dayOf(Date.parse(plan.status?.finishedAt ?? '')) === day)
    // Plans that somebody deleted stay told.
    return ended.length === 0 ? before.filter(row => row.day === day) : [rowOf(day, ended)]
  })
  // What a clock that was set back has written for days to come goes.
  const oldest = anew[0] ?? ''
  const rows = [...before.filter(({ day }) => day < oldest), ...made].slice(-mostDays)
  return JSON.stringify(rows) === JSON.stringify(before) ? before : rows
}

/** `2026-03-02`, by UTC; empty where the time is none. */
function dayOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 10) : ''
}

/** The row of `day` for the plans that ended on it. */
export function rowOf(day: string, plans: readonly RebalancePlan[]): DayRow {
  const begun = plans.filter(isBegun)
  const steps = begun.map(stepsOf)
  const shadows = plans.flatMap(({ status }) => status?.shadow ?? [])
  return {
    day,
    plans: plans.length,
    goalsMet: plans.filter(({ status }) => status?.conditions?.some(one => one.type === 'GoalsMet' && one.status === 'True'))
      .length,
    begun: begun.length,
    moves: total(steps.map(({ landed, elsewhere, left }) => landed + elsewhere + left)),
    landed: total(steps.map(({ landed }) => landed)),
    elsewhere: total(steps.map(({ elsewhere }) => elsewhere)),
    left: total(steps.map(({ left }) => left)),
    expectedSeconds: total(begun.map(({ status }) => status?.expected?.seconds ?? 0)),
    realSeconds: total(begun.map(realSeconds)),
    proposed: total(shadows.map(({ moves }) => moves)),
    asForetold: total(shadows.map(({ asForetold }) => asForetold)),
    otherwise: total(shadows.map(({ elsewhere }) => elsewhere)),
  }
}

function isBegun({ status }: RebalancePlan): boolean {
  return status?.startedAt !== undefined
}

/** What a plan has not begun when another takes its place is that one's. */
function stepsOf({ spec, status }: RebalancePlan): {
  readonly landed: number
  readonly elsewhere: number
  readonly left: number
} {
  const states = new Map((status?.steps ?? []).map(({ id, state }) => [id, state]))
  const count = (...wanted: readonly (string | undefined)[]) =>
    spec.moves.filter(({ id }) => wanted.includes(states.get(id))).length
  const [landed, elsewhere] = [count('Landed'), count('Mismatch')]
  const left = status?.phase === 'Expired' ? count('Skipped', 'Failed') : spec.moves.length - landed - elsewhere
  return { landed, elsewhere, left }
}

function realSeconds({ status }: RebalancePlan): number {
  const ms = Date.parse(status?.finishedAt ?? '') - Date.parse(status?.startedAt ?? '')
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms / 1000)) : 0
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
