// What the annotation `ballast.dev/pre-warm` asks for: `2h`, `2h,waiting=10`, `2h,waiting=10,timezone=Europe/Berlin`. Pure.
import { parseDurationMs } from '#kube/time/duration.ts'
import { type TimeZone, timeZone } from '#kube/time/time-zone.ts'

export interface PreWarmWish {
  /** So long a day it may be awake for nobody. */
  readonly budgetMs: number
  /** One minute in which somebody waits is worth so many in which it idles. */
  readonly waiting: number
  /** In whose days and hours is learned; an IANA name. */
  readonly zone: string
}

const defaultWaiting = 10
const mostWaiting = 1_000
const leastBudgetMs = 60_000
const mostBudgetMs = 86_400_000
/** Characters of the name of a zone. */
export const longestZone = 40
/** Zones that are kept: each remembers what its clocks show. */
const mostZones = 64

export const expectedWish = `a time from 1m to 24h a day, then waiting=1 to ${mostWaiting} and timezone= an IANA name where you like: "2h,waiting=10"`

/** Undefined: it cannot be read. */
export function readPreWarmWish(text: string): PreWarmWish | undefined {
  const [budget = '', ...options] = text.split(',').map(part => part.trim())
  const read = parseDurationMs(budget)
  if (!read.ok || read.value < leastBudgetMs || read.value > mostBudgetMs) return undefined
  const given = new Map<string, string>()
  for (const option of options) {
    const [, name, value] = /^(waiting|timezone)=(.+)$/.exec(option) ?? []
    if (name === undefined || value === undefined || given.has(name)) return undefined
    given.set(name, value)
  }
  const waiting = given.get('waiting') ?? String(defaultWaiting)
  const zone = given.get('timezone') ?? 'UTC'
  const isWaiting = /^\d{1,4}(\.\d{1,2})?$/.test(waiting) && Number(waiting) >= 1 && Number(waiting) <= mostWaiting
  if (!isWaiting || zone === 'Local' || zoneNamed(zone) === undefined) return undefined
  return { budgetMs: read.value, waiting: Number(waiting), zone }
}

const zones = new Map<string, TimeZone>()

/** As `timeZone`, made once: annotations are read with every change. */
export function zoneNamed(name: string): TimeZone | undefined {
  const known = zones.get(name)
  if (known !== undefined || name.length > longestZone) return known
  const zone = timeZone(name)
  if (zones.size >= mostZones) zones.clear()
  if (zone !== undefined) zones.set(name, zone)
  return zone
}
