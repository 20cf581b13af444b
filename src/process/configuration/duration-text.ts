// Durations of a checked configuration in milliseconds.

import { InputError } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'

/** Milliseconds of a duration that a schema has checked. */
export function durationMs(text: string): number {
  const parsed = parseDurationMs(text)
  if (!parsed.ok) throw new InputError([parsed.problem])
  return parsed.value
}
