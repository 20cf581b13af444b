// What is learned of one target and outlives the process: its arrivals, its boot times, and what of today's budget is spent. Pure.
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import type { TimeZone } from '#kube/time/time-zone.ts'
import { type Arrivals, bucketsText, noArrivals, readBuckets } from './arrivals.ts'
import { longestZone } from './wish.ts'

export interface Learned {
  /** Whose days and hours these are. */
  readonly zone: string
  readonly arrivals: Arrivals
  /** Milliseconds from a write of replicas to the moment when they were ready, the newest last. */
  readonly bootsMs: readonly number[]
  /** The day of which something is spent, as `20270115`. */
  readonly day: number
  readonly spentMs: number
  /** Until when all is accounted for. */
  readonly countedMs: number
}

/** The middle one of these counts. */
const mostBoots = 8
/** What takes longer is no boot: somebody else has to help. */
export const longestBootMs = 3_600_000
/** Characters of one entry. */
export const longestEntry = 1_200
const latestMs = 8_640_000_000_000_000

export function nothingLearned(zone: string, nowMs: number): Learned {
  return { zone, arrivals: noArrivals(nowMs), bootsMs: [], day: 0, spentMs: 0, countedMs: nowMs }
}

export function withBoot(learned: Learned, bootMs: number): Learned {
  return { ...learned, bootsMs: [...learned.bootsMs, Math.max(1_000, Math.round(bootMs))].slice(-mostBoots) }
}

/** The middle of the last ones; undefined: none was seen. */
export function bootTimeMs({ bootsMs }: Learned): number | undefined {
  return bootsMs.toSorted((a, b) => a - b)[Math.floor(bootsMs.length / 2)]
}

/** What is spent of the budget of the day of `nowMs`. */
export function spentToday({ day, spentMs }: Learned, nowMs: number, zone: TimeZone): number {
  return day === dayOf(nowMs, zone) ? spentMs : 0
}

/** Accounts for the time until `nowMs`, of which the last `idleMs` were spent for nobody. What was spent yesterday is over. */
export function counted(learned: Learned, { idleMs, nowMs, zone }: { idleMs: number; nowMs: number; zone: TimeZone }): Learned {
  const ofToday = Math.min(Math.max(0, idleMs), nowMs - startOfDay(nowMs, zone))
  const spentMs = spentToday(learned, nowMs, zone) + ofToday
  return { ...learned, day: dayOf(nowMs, zone), spentMs, countedMs: nowMs }
}

function dayOf(ms: number, zone: TimeZone): number {
  const { year, month, day } = zone.wallTime(ms)
  return year * 10_000 + month * 100 + day
}

function startOfDay(ms: number, zone: TimeZone): number {
  const { year, month, day } = zone.wallTime(ms)
  return zone.instant({ year, month, day })
}

/** When the day after that of `ms` begins. */
export function nextDay(ms: number, zone: TimeZone): number {
  const { year, month, day } = zone.wallTime(ms)
  return zone.instant({ year, month, day: day + 1 })
}

const time = z.int().min(0).max(latestMs)
const entry = z.strictObject({
  version: z.literal(1),
  zone: z.string().min(1).max(longestZone),
  since: time,
  quarter: time,
  seen: z.enum(['nothing', 'rest', 'arrival']),
  boots: z.array(z.int().min(1_000).max(longestBootMs)).max(mostBoots),
  day: z.int().min(0).max(99_991_231),
  spent: z.int().min(0).max(172_800_000),
  counted: time,
  buckets: z.string(),
})

/** One line of JSON, at most {@link longestEntry} characters. */
export function learnedText({ zone, arrivals, bootsMs, day, spentMs, countedMs }: Learned): string {
  const { sinceMs, quarter, seen, buckets } = arrivals
  const said: z.output<typeof entry> = {
    ...{ version: 1, zone, since: Math.round(sinceMs), quarter, seen, boots: [...bootsMs], day },
    ...{ spent: Math.ceil(spentMs), counted: Math.round(countedMs), buckets: bucketsText(buckets) },
  }
  return JSON.stringify(said)
}

/** Reads what {@link learnedText} wrote. `problem`: why it cannot be read, in words. */
export function readLearned(text: string): { readonly learned: Learned } | { readonly problem: string } {
  if (text.length > longestEntry) return { problem: `it has ${text.length} characters, more than ${longestEntry}` }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    return { problem: `it is no JSON: ${messageOf(error)}` }
  }
  const read = checkAgainst(entry, found, 'entry')
  if (!read.ok) return { problem: read.problems.map(problemSentence).join('; ') }
  const { zone, since, quarter, seen, boots, day, spent, counted: until } = read.value
  const buckets = readBuckets(read.value.buckets)
  if (buckets === undefined) return { problem: 'buckets are not the 672 bytes of a week in base64' }
  const arrivals = { sinceMs: since, quarter, seen, buckets }
  return { learned: { zone, arrivals, bootsMs: boots, day, spentMs: spent, countedMs: until } }
}
