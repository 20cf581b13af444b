// In which quarter-hours of the week a target was wanted, aged: what the last weeks say of the coming one. Pure.
import type { TimeZone } from '#kube/time/time-zone.ts'

export const quarterMs = 900_000
const quartersOfDay = 96
export const quartersOfWeek = 7 * quartersOfDay
const weekMs = quartersOfWeek * quarterMs

/** What was seen so many weeks ago counts half. */
const halfLifeWeeks = 3
/** So much of what was known is left a week later. */
const leftOfWeek = 2 ** (-1 / halfLifeWeeks)
/** Before the first week it counts as so many in which nobody came: one arrival is no habit. */
const emptyWeeks = 2
/** A bucket that was hit in every week. */
const fullBucket = 255
/** A clock that goes back by more than this is taken to be right now. */
const mostBackQuarters = quartersOfDay

export interface Arrivals {
  readonly sinceMs: number
  /** The quarter-hour that is being watched, counted from 1970. */
  readonly quarter: number
  /** What is known of it so far: nobody could ask all triggers, nobody wanted it, or somebody did. */
  readonly seen: 'nothing' | 'rest' | 'arrival'
  /** A byte each, from Sunday 00:00 in the zone of the target. */
  readonly buckets: Uint8Array
}

export function noArrivals(nowMs: number): Arrivals {
  return { sinceMs: nowMs, quarter: quarterAt(nowMs), seen: 'nothing', buckets: new Uint8Array(quartersOfWeek) }
}

export function quarterAt(ms: number): number {
  return Math.floor(ms / quarterMs)
}

/** The bucket of a quarter-hour, by the clocks of the zone. */
export function bucketOf(quarter: number, zone: Pick<TimeZone, 'wallTime'>): number {
  const { weekday, hour, minute } = zone.wallTime(quarter * quarterMs)
  return weekday * quartersOfDay + hour * 4 + Math.floor(minute / 15)
}

/**
 * What is known after one more look at the triggers. A quarter-hour counts once it is over, and only where it was looked at: what nobody saw is
 * no rest. Whole weeks that nobody saw age everything.
 */
export function withLook(
  arrivals: Arrivals,
  { isWanted, nowMs, zone }: { readonly isWanted: boolean | undefined; readonly nowMs: number; readonly zone: TimeZone },
): Arrivals {
  const quarter = quarterAt(nowMs)
  const seen = isWanted === undefined ? 'nothing' : isWanted ? 'arrival' : 'rest'
  const passed = quarter - arrivals.quarter
  if (passed < -mostBackQuarters) return { ...arrivals, sinceMs: Math.min(arrivals.sinceMs, nowMs), quarter, seen }
  if (passed <= 0) {
    const isNews = arrivals.seen === 'nothing' || seen === 'arrival'
    return isNews ? { ...arrivals, seen: seen === 'nothing' ? arrivals.seen : seen } : arrivals
  }
  const closed = arrivals.seen === 'nothing' ? arrivals.buckets : withQuarter(arrivals, zone)
  return { ...arrivals, quarter, seen, buckets: agedBuckets(closed, Math.floor(passed / quartersOfWeek)) }
}

function withQuarter({ buckets, quarter, seen }: Arrivals, zone: TimeZone): Uint8Array {
  const at = bucketOf(quarter, zone)
  const before = buckets[at] ?? 0
  const left = before * leftOfWeek
  const next = seen === 'arrival' ? Math.min(fullBucket, Math.round(left + fullBucket * (1 - leftOfWeek))) : Math.floor(left)
  return next === before ? buckets : buckets.with(at, next)
}

/** After so many weeks in which nobody looked. */
export function agedBuckets(buckets: Uint8Array, weeks: number): Uint8Array {
  return weeks <= 0 ? buckets : buckets.map(one => Math.floor(one * leftOfWeek ** weeks))
}

/** How likely somebody wants the target in that quarter-hour, from 0 to below 1. */
export function chanceIn(arrivals: Arrivals, quarter: number, zone: TimeZone): number {
  const bucket = arrivals.buckets[bucketOf(quarter, zone)] ?? 0
  const weeks = Math.max(0, Math.floor((quarter * quarterMs - arrivals.sinceMs) / weekMs))
  return bucket === 0 ? 0 : Math.min(0.99, bucket / fullBucket / (1 - leftOfWeek ** weeks + emptyWeeks * (1 - leftOfWeek)))
}

/** How many of the coming week's quarter-hours are likely to have somebody: the sum of their chances. */
export function expectedInWeek(arrivals: Arrivals, zone: TimeZone): number {
  let sum = 0
  for (let at = 0; at < quartersOfWeek; at++) sum += chanceIn(arrivals, arrivals.quarter + at, zone)
  return sum
}

export function bucketsText(buckets: Uint8Array): string {
  return Buffer.from(buckets).toString('base64')
}

/** Undefined: it is not the text of as many bytes as a week has quarter-hours. */
export function readBuckets(text: string): Uint8Array | undefined {
  if (text.length !== (quartersOfWeek / 3) * 4 || !/^[A-Za-z0-9+/]*$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'base64'))
}
