// Moments in sentences. Whoever makes a sentence does not know the reader's zone: it holds moments as RFC 3339 in UTC, which any program can
// read, and whoever shows it puts them on the reader's clock. Times of schedules are not among them: those stay in their own zone with its name.
import type { Sentence } from '../contract.ts'
import { rfc3339, timeOfDay } from './time.ts'

/** `2025-12-19T13:03:20Z`: shown as `14:03:20` in Berlin. */
export function moment(ms: number): string {
  return rfc3339(Math.trunc(ms / 1_000) * 1_000)
}

/** `2025-12-19T13:03Z`: shown as `14:03`, for what is not meant to the second. */
export function momentToMinute(ms: number): string {
  return rfc3339(ms).replace(/:\d\d(\.\d+)?Z$/, 'Z')
}

interface MomentPart {
  /** As it stands in the sentence. */
  readonly text: string
  /** The moment that it means, in milliseconds since 1970. */
  readonly atMs: number | undefined
}

const moments = /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?Z/g

/** `text` cut into words and moments; joined, the parts are the text. What lies in `literal` was written by somebody and stays as it is. */
export function momentParts(text: string, literal = ''): readonly MomentPart[] {
  const from = literal === '' ? -1 : text.indexOf(literal)
  const isLiteral = (at: number) => from >= 0 && at >= from && at < from + literal.length
  const parts: MomentPart[] = []
  let end = 0
  for (const { 0: found, index } of text.matchAll(moments)) {
    const atMs = Date.parse(found)
    if (Number.isNaN(atMs) || isLiteral(index)) continue
    if (index > end) parts.push({ text: text.slice(end, index), atMs: undefined })
    parts.push({ text: found, atMs })
    end = index + found.length
  }
  if (end < text.length) parts.push({ text: text.slice(end), atMs: undefined })
  return parts
}

/** A moment of a sentence on the clock of `zone`: `14:03:20`, `20 Dec 20:20`; to the minute where it is meant so. */
export function momentOnClock({ text, atMs }: MomentPart, zone: string, nowMs: number): string {
  if (atMs === undefined) return text
  const shown = timeOfDay(atMs, zone, nowMs)
  return /T\d\d:\d\dZ$/.test(text) ? shown.replace(/^(\d\d:\d\d):\d\d$/, '$1') : shown
}

/** The words of a sentence on the clock of `zone`. */
export function inZone({ text, facts }: Pick<Sentence, 'text' | 'facts'>, zone: string, nowMs: number): string {
  return momentParts(text, literalOf(facts))
    .map(part => momentOnClock(part, zone, nowMs))
    .join('')
}

/** The reason itself, where a sentence gives somebody's reason. */
export function literalOf(facts: Sentence['facts']): string {
  const { reason } = facts
  return typeof reason === 'string' ? reason : ''
}
