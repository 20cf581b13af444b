// Cron schedules by the rule Kubernetes' own controllers follow (robfig/cron, five fields): CronJob, KEDA's cron trigger,
// Karpenter's budgets. Our own maintenance windows follow another rule: window.ts.

import type { Parsed } from '../problem.ts'
import { parseDuration } from './duration.ts'
import { type TimeZone, timeZone, type WallTime } from './time-zone.ts'

interface CronSchedule {
  /** The first time after `afterMs`, in milliseconds since 1970; `undefined` where none comes within five years. */
  next(afterMs: number): number | undefined
}

interface Bounds {
  readonly least: number
  readonly most: number
  readonly names: Readonly<Record<string, number>>
}

interface Field {
  readonly values: ReadonlySet<number>
  /** Whether `*` (without a step) is among the ranges: then days of month and week must both match, not either. */
  readonly isAny: boolean
}

interface Fields {
  readonly minute: Field
  readonly hour: Field
  readonly dayOfMonth: Field
  readonly month: Field
  readonly dayOfWeek: Field
}

const numbered = (names: string, first: number): Readonly<Record<string, number>> =>
  Object.fromEntries(names.split(' ').map((name, index) => [name, first + index]))

const bounds = {
  minute: { least: 0, most: 59, names: {} },
  hour: { least: 0, most: 23, names: {} },
  dayOfMonth: { least: 1, most: 31, names: {} },
  month: { least: 1, most: 12, names: numbered('jan feb mar apr may jun jul aug sep oct nov dec', 1) },
  dayOfWeek: { least: 0, most: 6, names: numbered('sun mon tue wed thu fri sat', 0) },
} as const satisfies Readonly<Record<keyof Fields, Bounds>>

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

const longestText = 1_024
const yearsSearched = 5
/** Some clock changes let robfig's search go round for ever; ours ends as if no time came. Five years take some 2,000 steps. */
const stepsLimit = 20_000

/** Thrown inside this file only: why a text is no schedule. */
class CronMessage extends Error {}

/**
 * The schedule `text` says: five fields, `@hourly` and its kin, `@every 90m`; before it `TZ=` or `CRON_TZ=` and a zone's name.
 * Times are those of `zone` (IANA name, `UTC`, `Local`) unless the text names another. The problem's `message` is robfig's.
 */
export function parseCron(text: string, options: { readonly zone?: string; readonly where?: string } = {}): Parsed<CronSchedule> {
  const where = options.where ?? 'schedule'
  try {
    if (text.length > longestText) throw new CronMessage(`at most ${longestText} characters`)
    return { ok: true, value: readSchedule(text, options.zone ?? 'UTC') }
  } catch (error) {
    if (!(error instanceof CronMessage)) throw error
    const expected = `five fields: minute, hour, day of month, month, day of week (${error.message})`
    return { ok: false, problem: { code: 'cron-syntax', where, found: text, expected, message: error.message } }
  }
}

function readSchedule(text: string, defaultZone: string): CronSchedule {
  if (text === '') throw new CronMessage('empty spec string')
  const prefix = /^(?:CRON_)?TZ=([^ ]*)( ?)/.exec(text)
  if (prefix !== null && prefix[2] === '') throw new CronMessage('a schedule after the time zone')
  const zoneName = prefix?.[1] ?? defaultZone
  const zone = timeZone(zoneName)
  if (zone === undefined) throw new CronMessage(`provided bad location ${zoneName}: unknown time zone ${zoneName}`)
  const spec = prefix === null ? text : text.slice(prefix[0].length).trim()
  if (spec.startsWith('@every ')) return everySchedule(spec)
  const meant = Object.hasOwn(descriptors, spec) ? (descriptors[spec] ?? spec) : spec
  if (meant.startsWith('@')) throw new CronMessage(`unrecognized descriptor: ${spec}`)
  const fields = readFields(meant)
  return { next: afterMs => nextTime(fields, zone, afterMs) }
}

/** A fixed distance in whole seconds, one at least, from whatever time is asked about. */
function everySchedule(spec: string): CronSchedule {
  const parsed = parseDuration(spec.slice('@every '.length))
  if (!parsed.ok) throw new CronMessage(`failed to parse duration ${spec}: ${parsed.problem.message}`)
  const stepMs = Math.max(1, Math.floor(Number(parsed.value / 1_000_000_000n))) * 1_000
  return { next: afterMs => Math.floor(afterMs / 1_000) * 1_000 + stepMs }
}

function readFields(spec: string): Fields {
  const texts = spec.split(/\s+/).filter(field => field !== '')
  const [minute, hour, dayOfMonth, month, dayOfWeek] = texts
  if (
    minute === undefined ||
    hour === undefined ||
    dayOfMonth === undefined ||
    month === undefined ||
    dayOfWeek === undefined ||
    texts.length > 5
  ) {
    throw new CronMessage(`expected exactly 5 fields, found ${texts.length}: [${texts.join(' ')}]`)
  }
  return {
    minute: readField(minute, bounds.minute),
    hour: readField(hour, bounds.hour),
    dayOfMonth: readField(dayOfMonth, bounds.dayOfMonth),
    month: readField(month, bounds.month),
    dayOfWeek: readField(dayOfWeek, bounds.dayOfWeek),
  }
}

function readField(text: string, limits: Bounds): Field {
  const ranges = text
    .split(',')
    .filter(range => range !== '')
    .map(range => readRange(range, limits))
  return {
    values: new Set(ranges.flatMap(range => range.values)),
    isAny: ranges.some(range => range.isAny),
  }
}

/** `*`, `?`, `5`, `5-9`, and each with `/step`; a single number with a step runs to the end. */
function readRange(text: string, limits: Bounds): { readonly values: readonly number[]; readonly isAny: boolean } {
  const [span = '', stepText, ...moreSteps] = text.split('/')
  const [low = '', high, ...moreBounds] = span.split('-')
  const isStar = low === '*' || low === '?'
  if (!isStar && moreBounds.length > 0) throw new CronMessage(`too many hyphens: ${text}`)
  if (moreSteps.length > 0) throw new CronMessage(`too many slashes: ${text}`)
  const first = isStar ? limits.least : readNumber(low, limits.names)
  const isOpenEnded = isStar || (high === undefined && stepText !== undefined)
  const last = isOpenEnded ? limits.most : high === undefined ? first : readNumber(high, limits.names)
  const step = stepText === undefined ? 1 : readNumber(stepText, {})
  if (first < limits.least) throw new CronMessage(`beginning of range (${first}) below minimum (${limits.least}): ${text}`)
  if (last > limits.most) throw new CronMessage(`end of range (${last}) above maximum (${limits.most}): ${text}`)
  if (first > last) throw new CronMessage(`beginning of range (${first}) beyond end of range (${last}): ${text}`)
  if (step === 0) throw new CronMessage(`step of range should be a positive number: ${text}`)
  const values: number[] = []
  for (let value = first; value <= last; value += step) values.push(value)
  return { values, isAny: isStar && step === 1 }
}

function readNumber(text: string, names: Readonly<Record<string, number>>): number {
  const name = text.toLowerCase()
  const named = Object.hasOwn(names, name) ? names[name] : undefined
  if (named !== undefined) return named
  if (!/^[+-]?[0-9]+$/.test(text))
    throw new CronMessage(`failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`)
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    throw new CronMessage(`failed to parse int from ${text}: strconv.Atoi: parsing "${text}": value out of range`)
  return value
}

/** One unit of the search, from the largest to the smallest. */
interface Unit {
  matches(wall: WallTime): boolean
  /** The beginning of the unit `wall` is in: taken once, before the first step of the whole search. */
  floor(wall: WallTime, ms: number): number
  step(wall: WallTime, ms: number): number
  /** Whether a step ended in the next larger unit, which must be looked at again. */
  isWrapped(wall: WallTime): boolean
}

const minuteMs = 60_000
const hourMs = 3_600_000

/**
 * Raises month, day, hour and minute in turn until all match. Hours and minutes are absolute: a wall time that is skipped is
 * waited for until its next day, one that is shown twice matches twice.
 */
function nextTime(fields: Fields, zone: TimeZone, afterMs: number): number | undefined {
  const units = unitsOf(fields, zone)
  let at = Math.floor(afterMs / 1_000) * 1_000 + 1_000
  const lastYear = zone.wallTime(at).year + yearsSearched
  let isFloored = false
  let steps = 0
  const raise = (unit: Unit): boolean => {
    for (let wall = zone.wallTime(at); !unit.matches(wall); ) {
      if (!isFloored) at = unit.floor(wall, at)
      isFloored = true
      at = unit.step(zone.wallTime(at), at)
      wall = zone.wallTime(at)
      if (unit.isWrapped(wall) || ++steps > stepsLimit) return false
    }
    return true
  }
  while (zone.wallTime(at).year <= lastYear && steps <= stepsLimit) if (units.every(raise)) return at
  return undefined
}

function unitsOf(fields: Fields, zone: TimeZone): readonly Unit[] {
  return [
    {
      matches: wall => fields.month.values.has(wall.month),
      floor: ({ year, month }) => zone.instant({ year, month, day: 1 }),
      step: wall => zone.instant({ ...wall, month: wall.month + 1 }),
      isWrapped: wall => wall.month === 1,
    },
    {
      matches: wall => isDayMatched(fields, wall),
      floor: ({ year, month, day }) => zone.instant({ year, month, day }),
      step: wall => nearestMidnight(zone, zone.instant({ ...wall, day: wall.day + 1 })),
      isWrapped: wall => wall.day === 1,
    },
    {
      matches: wall => fields.hour.values.has(wall.hour),
      floor: ({ year, month, day, hour }) => zone.instant({ year, month, day, hour }),
      step: (_wall, ms) => ms + hourMs,
      isWrapped: wall => wall.hour === 0,
    },
    {
      matches: wall => fields.minute.values.has(wall.minute),
      floor: (_wall, ms) => Math.floor(ms / minuteMs) * minuteMs,
      step: (_wall, ms) => ms + minuteMs,
      isWrapped: wall => wall.minute === 0,
    },
    {
      matches: wall => wall.second === 0,
      floor: (_wall, ms) => ms,
      step: (wall, ms) => ms + (60 - wall.second) * 1_000,
      isWrapped: () => true,
    },
  ]
}

/** Where a change of the clocks moved the start of a day, whole hours back or on towards it. */
function nearestMidnight(zone: TimeZone, ms: number): number {
  const { hour } = zone.wallTime(ms)
  if (hour === 0) return ms
  return hour > 12 ? ms + (24 - hour) * hourMs : ms - hour * hourMs
}

function isDayMatched({ dayOfMonth, dayOfWeek }: Fields, wall: WallTime): boolean {
  const isDay = dayOfMonth.values.has(wall.day)
  const isWeekday = dayOfWeek.values.has(wall.weekday)
  return dayOfMonth.isAny || dayOfWeek.isAny ? isDay && isWeekday : isDay || isWeekday
}
