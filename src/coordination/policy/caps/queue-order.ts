// Who comes first of those that wait for the same: by urgency, which grows with waiting, then by age.
import { classNumber, type Intent, wishKey } from '../../intent.ts'
import type { Question } from '../question.ts'

const agedMs = 30 * 60_000

interface Waiting {
  readonly intent: Pick<Intent, 'class' | 'requester' | 'idempotencyKey'>
  readonly firstAskedMs: number
}

/** The class with one step more of urgency for each half hour of waiting, never above class 1. */
export function effectiveClass({ intent, firstAskedMs }: Waiting, nowMs: number): number {
  const own = classNumber(intent.class)
  const steps = Math.floor(Math.max(0, nowMs - firstAskedMs) / agedMs)
  return own <= 1 ? own : Math.max(1, own - steps)
}

/** Whether `a` comes before `b`; never both ways. */
export function isAhead(a: Waiting, b: Waiting, nowMs: Question['nowMs']): boolean {
  const byClass = effectiveClass(a, nowMs) - effectiveClass(b, nowMs)
  if (byClass !== 0) return byClass < 0
  if (a.firstAskedMs !== b.firstAskedMs) return a.firstAskedMs < b.firstAskedMs
  return wishKey(a.intent) < wishKey(b.intent)
}
