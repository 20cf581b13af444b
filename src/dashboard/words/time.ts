// Times of day in a zone, and schedules in their own zone with the reader's beside it.
import { unknownText } from './percent.ts'

interface Formats {
  readonly clock: Intl.DateTimeFormat
  readonly minutes: Intl.DateTimeFormat
  readonly day: Intl.DateTimeFormat
  readonly date: Intl.DateTimeFormat
}

/** Making formats is slow and there are few zones; of more than this many the oldest goes. */
const mostZones = 32
const formatsOfZone = new Map<string, Formats>()

/** Whether `zone` is an IANA name that dates can be told in. */
export function isZone(zone: string): boolean {
  return formatsFor(zone) !== undefined
}

/**
 * `ms` (since 1970) on the clock of `zone`: `14:03:18` where it is the same day there as `nowMs`, else `19 Dec 14:03`. A zone that is none
 * is taken as UTC.
 */
export function timeOfDay(ms: number | null, zone: string, nowMs: number): string {
  if (ms === null || !isTime(ms)) return unknownText
  const formats = formatsFor(zone) ?? formatsFor('UTC')
  if (formats === undefined) return new Date(ms).toISOString()
  const isToday = isTime(nowMs) && formats.date.format(ms) === formats.date.format(nowMs)
  return isToday ? formats.clock.format(ms) : `${formats.day.format(ms)} ${formats.minutes.format(ms)}`
}

/** `2025-12-19 14:03:20` on the clock of `zone`. */
export function dayAndTime(ms: number, zone: string): string {
  const formats = formatsFor(zone) ?? formatsFor('UTC')
  if (formats === undefined || !isTime(ms)) return unknownText
  return `${formats.date.format(ms)} ${formats.clock.format(ms)}`
}

/** `04:00` on the clock of `zone`. */
export function hourAndMinute(ms: number, zone: string): string {
  const formats = formatsFor(zone) ?? formatsFor('UTC')
  return formats === undefined || !isTime(ms) ? unknownText : formats.minutes.format(ms)
}

/** A time of a schedule in its own zone, with the reader's where the two clocks differ then: `04:00 Europe/Berlin (03:00 UTC)`. */
export function zonedSchedule(ms: number, zone: string, displayZone: string | undefined): string {
  const shown = otherClock(ms, zone, displayZone)
  return `${hourAndMinute(ms, zone)} ${zone}${shown === undefined ? '' : ` (${shown})`}`
}

/** `03:00 UTC` where the reader's clock shows another time than `zone`'s; else `undefined`. */
export function otherClock(ms: number, zone: string, displayZone: string | undefined): string | undefined {
  if (displayZone === undefined || displayZone === zone || !isZone(displayZone)) return undefined
  const [there, here] = [hourAndMinute(ms, zone), hourAndMinute(ms, displayZone)]
  return there === here ? undefined : `${here} ${displayZone}`
}

/** RFC 3339 in UTC without fractions of zero: `2025-12-19T13:03:20Z`. Of no time the empty string. */
export function rfc3339(ms: number): string {
  return isTime(ms) ? new Date(ms).toISOString().replace('.000Z', 'Z') : ''
}

function isTime(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15
}

function formatsFor(zone: string): Formats | undefined {
  const known = formatsOfZone.get(zone)
  if (known !== undefined) return known
  const made = madeFormats(zone)
  if (made === undefined) return undefined
  const [oldest] = formatsOfZone.keys()
  if (formatsOfZone.size >= mostZones && oldest !== undefined) formatsOfZone.delete(oldest)
  formatsOfZone.set(zone, made)
  return made
}

function madeFormats(timeZone: string): Formats | undefined {
  const hours = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  try {
    return {
      clock: new Intl.DateTimeFormat('en-GB', { ...hours, second: '2-digit', timeZone }),
      minutes: new Intl.DateTimeFormat('en-GB', { ...hours, timeZone }),
      day: new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone }),
      // Sweden writes dates as RFC 3339 does.
      date: new Intl.DateTimeFormat('sv-SE', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone }),
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
