// Texts that mean something else: durations, times and patterns, as literals and when an expression runs.

import { parseDuration } from '../time/duration.ts'
import { parsePattern } from '../values/regex.ts'

/** Nanoseconds of a duration as Go reads it; undefined where a text is none. */
export function durationNanos(text: string): bigint | undefined {
  const parsed = parseDuration(text)
  return parsed.ok ? parsed.value : undefined
}

/** Nanoseconds since 1970 of an RFC 3339 time; undefined where a text is none. */
export function timestampNanos(text: string): bigint | undefined {
  const matched = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (matched === null) return undefined
  const [, seconds = '', fraction = '', zone = ''] = matched
  const ms = Date.parse(`${seconds}${zone}`)
  // Days that a month does not have roll over into the next one.
  if (Number.isNaN(ms) || !new Date(`${seconds}Z`).toISOString().startsWith(seconds)) return undefined
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** Whether a literal can not be what a function makes of it. */
export function isBadLiteral(name: string, value: unknown): boolean {
  if (typeof value !== 'string') return false
  switch (name) {
    case 'matches':
      return !parsePattern(value).ok
    case 'duration':
      return durationNanos(value) === undefined
    case 'timestamp':
      return timestampNanos(value) === undefined
    default:
      return false
  }
}
