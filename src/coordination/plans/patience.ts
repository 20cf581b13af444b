// How long and how often a plan's run waits for the arbiter. The timetable plays by the same figures.
import type { Objection } from '../policy/question.ts'
import { moveLimits } from './move-context.ts'

/** Without progress for this long a running plan gives the move up that it waits for, in milliseconds. */
export const staleMs = 15 * 60_000

/** What is only a matter of time or of others: waiting for it is no failed try. The plan's own deadline ends it. */
const patient: ReadonlySet<Objection['rule']> = new Set([
  'cap',
  'lock',
  'gate',
  'node-lock',
  'zone-drain',
  'plan-lock',
  'waking',
  'overtaken',
  'company',
  'early',
  'window',
  'cool-down',
  'scale-cool-down',
  'reverse-move',
  'quarantine',
])

export function isPatientWith(rule: Objection['rule']): boolean {
  return patient.has(rule)
}

/** `Retry-After`, else 5 s doubling to 60 s. */
export function retryMs(attempt: number, retryAfterMs: number | undefined): number {
  return retryAfterMs ?? Math.min(moveLimits.longestRetryMs, moveLimits.firstRetryMs * 2 ** (attempt - 1))
}

/** When a move that was refused is asked for again, in milliseconds from now: at once when something changes, but after `leastMs`. */
export function askedAgain({
  isWaiting,
  refusals,
  untilMs,
}: {
  readonly isWaiting: boolean
  /** Failed tries so far. */
  readonly refusals: number
  /** What the arbiter named, from now. */
  readonly untilMs: number
}): { readonly leastMs: number; readonly limitMs: number } {
  const retriedMs = isWaiting ? moveLimits.firstRetryMs : retryMs(refusals, undefined)
  return {
    limitMs: Math.min(moveLimits.longestRetryMs, Math.max(retriedMs, untilMs)),
    leastMs: isWaiting ? 0 : retriedMs,
  }
}
