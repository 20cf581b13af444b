// Points in time on the wire: RFC 3339 in whole seconds (Time) or with exactly six digits of fraction (MicroTime), both in UTC.

import type { Parsed } from '../problem.ts'

/** One digit of hour is none of RFC 3339, but Go and so Kubernetes reads it. */
const pattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,30}))?(?:Z|([+-])(\d{2}):(\d{2}))$/

/**
 * No trace that a cluster left is of a later day, milliseconds since 1970: a moment of the year 9999 is one object's mistake, not the time of all.
 */
export const latestTraceMs = Date.UTC(2200, 0, 1)

/** Milliseconds since 1970 of an RFC 3339 text with any offset and fraction; what is finer is cut. */
export function parseTime(text: string, where = 'time'): Parsed<number> {
  const micros = parseTimeMicros(text, where)
  return micros.ok ? { ok: true, value: Math.floor(micros.value / 1_000) } : micros
}

/** Microseconds since 1970 (a safe integer for four-digit years up to 2255); what is finer is cut. */
export function parseTimeMicros(text: string, where = 'time'): Parsed<number> {
  const refused: Parsed<number> = {
    ok: false,
    problem: { code: 'time-syntax', where, found: text, expected: 'a time in RFC 3339 form such as 2026-03-04T05:06:07Z' },
  }
  const parts = pattern.exec(text)
  if (parts === null) return refused
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number)
  const [offsetHours, offsetMinutes] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)]
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 24 || offsetMinutes > 59) return refused
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return refused
  const offsetMs = (parts[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000
  const ms = date.getTime() + (hour * 3_600 + minute * 60 + second) * 1_000 - offsetMs
  return { ok: true, value: ms * 1_000 + Number((parts[7] ?? '').slice(0, 6).padEnd(6, '0')) }
}

/** `2026-03-04T05:06:07Z`: parts of a second are cut. @throws RangeError where `ms` is no time with a four-digit year. */
export function formatTime(ms: number): string {
  return `${isoText(ms).slice(0, 19)}Z`
}

/** `2026-03-04T05:06:07.123456Z` for milliseconds with a fraction. Readers refuse any other count of digits. */
export function formatMicroTime(ms: number): string {
  return formatTimeMicros(Math.floor(ms * 1_000))
}

/** As `formatMicroTime`, for whole microseconds since 1970. */
export function formatTimeMicros(micros: number): string {
  const ms = Math.floor(micros / 1_000)
  return `${isoText(ms).slice(0, 23)}${String(micros - ms * 1_000).padStart(3, '0')}Z`
}

function isoText(ms: number): string {
  const text = new Date(Math.floor(ms)).toISOString()
  if (text.length !== 24) throw new RangeError(`time ${ms}: outside of the years 0000 to 9999`)
  return text
}
