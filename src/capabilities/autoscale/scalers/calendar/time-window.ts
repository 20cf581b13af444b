// Ours: active between two times of the day, on some days. It is a floor, and with `max` a ceiling, of replicas while it is open.
import { type TimeZone, timeZone } from '#kube/time/time-zone.ts'
import { defaultMostReplicas, type ScaledObject } from '../../kinds/scaled-object.ts'
import type { Trigger } from '../../kinds/triggers.ts'
import {
  defaulted,
  here,
  integer,
  listOf,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
  unknownKeys,
} from '../../triggers/parameters.ts'
import { type OpenedTrigger, oneMetric, type ScalerKind, targetType } from '../scaler.ts'
import { activityOf, type CronWindow, nextChange, type Schedule } from './cron-windows.ts'

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** `22:30` as minutes of a day. */
const timeOfDay = {
  name: 'time of day',
  read(given: string): number {
    const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(given)
    if (match === null) throw new TriggerProblem('expected a time of day such as 08:00 or 22:30')
    return Number(match[1]) * 60 + Number(match[2])
  },
}

/** `Mon-Fri`, `Sat`; a span may go over the end of the week. */
const daysOfWeek = {
  name: 'day or span of days',
  read(given: string): readonly number[] {
    const [first, last] = given.split('-').map(word => weekdays.findIndex(day => day.toLowerCase() === word.trim().toLowerCase()))
    if (first === undefined || first < 0 || last === -1 || given.split('-').length > 2)
      throw new TriggerProblem('expected days such as Mon-Fri or Sat,Sun')
    const count = last === undefined ? 1 : ((last - first + 7) % 7) + 1
    return Array.from({ length: count }, (_none, index) => (first + index) % 7)
  },
}

/** `2026-12-24`, as a day that there is. */
const date = {
  name: 'date',
  read(given: string): string {
    const ms = /^\d{4}-\d{2}-\d{2}$/.test(given) ? Date.parse(`${given}T00:00:00Z`) : Number.NaN
    if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== given)
      throw new TriggerProblem('expected dates such as 2026-12-24')
    return given
  },
}

const parameters = {
  timezone: required(text, here('IANA name of the time zone, such as Europe/Rome')),
  from: defaulted(timeOfDay, '00:00', here('when it opens')),
  to: defaulted(timeOfDay, '00:00', here('when it closes, on the next day where that is not later than `from`')),
  days: defaulted(listOf(daysOfWeek), 'Mon-Sun', here('days on which it opens')),
  holidays: optional(listOf(date), here('dates on which it does not open')),
  min: defaulted(integer, '1', here('replicas at least while it is open; 0 leaves that to other triggers')),
  max: optional(integer, here('replicas at most while it is open, where maxReplicaCount is more')),
}

interface TimeWindow extends CronWindow {
  readonly tail: string
  /** Replicas at least while it is open. */
  readonly replicas: number
  /** Replicas at most while it is open. */
  readonly most: number | undefined
}

/** What a time window says. @throws TriggerProblem */
export function timeWindow(trigger: Pick<OpenedTrigger, 'given'> & { readonly metricType?: string | undefined }): TimeWindow {
  const given = readParameters(parameters, trigger.given, 'time-window')
  const [unknown] = unknownKeys(parameters, trigger.given.metadata)
  if (unknown !== undefined) throw new TriggerProblem(`${unknown} is none of ${Object.keys(parameters).join(', ')}`)
  if (targetType({ metricType: trigger.metricType }) !== 'AverageValue')
    throw new TriggerProblem('metricType is Value, expected AverageValue: replicas are counted')
  const zone = timeZone(given.timezone)
  if (zone === undefined) throw new TriggerProblem(`unknown time zone ${given.timezone}`)
  const { from, to, min, max } = given
  if (min < 0) throw new TriggerProblem('min cannot be negative')
  if (max !== undefined && max < Math.max(1, min))
    throw new TriggerProblem(`max is ${max}, expected at least ${Math.max(1, min)}: to be at zero, leave the window out`)
  if (min === 0 && max === undefined) throw new TriggerProblem('it says neither a floor (min above 0) nor a ceiling (max)')
  const days = [...new Set(given.days.flat())].toSorted()
  const every = new Set(weekdays.keys())
  const words = [given.timezone, days.map(day => weekdays[day]).join(''), clockText(from), clockText(to)]
  return {
    start: daily(zone, from, { days: new Set(days), without: new Set(given.holidays) }),
    end: daily(zone, to, { days: every, without: new Set() }),
    rule: 'latest-start-wins',
    tail: `time-window-${words.join('-')}`,
    replicas: min,
    most: max,
  }
}

const clockText = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}${String(minutes % 60).padStart(2, '0')}`

const dayMs = 86_400_000
/** Days without an opening that are looked past. */
const mostDaysOff = 800

/** When the clocks of a zone show so many minutes of a day; skipped ones come by the offset before the change. */
function instantOf(zone: TimeZone, date: Date, minutes: number): number {
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60]
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
  const at = zone.instant({ year, month, day, hour, minute })
  const shown = zone.wallTime(at)
  if (shown.hour === hour && shown.minute === minute) return at
  return Date.UTC(year, month - 1, day, hour, minute) - zone.offsetMs(at - dayMs)
}

/** A time of some days by the clocks of a zone. One that they skip comes when they would have shown it, one that they show twice comes once. */
function daily(
  zone: TimeZone,
  minutes: number,
  { days, without }: { readonly days: ReadonlySet<number>; readonly without: ReadonlySet<string> },
): Schedule {
  return {
    next(afterMs) {
      const { year, month, day } = zone.wallTime(afterMs - dayMs)
      for (let ahead = 0; ahead < mostDaysOff; ahead++) {
        const date = new Date(Date.UTC(year, month - 1, day + ahead))
        if (!days.has(date.getUTCDay()) || without.has(date.toISOString().slice(0, 10))) continue
        const at = instantOf(zone, date, minutes)
        if (at > afterMs) return at
      }
      return undefined
    },
  }
}

export const timeWindowTrigger: ScalerKind = {
  types: ['time-window'],
  about: 'a floor and a ceiling of replicas between two times of the day (ours)',
  parameters,
  async open(trigger, { clock }) {
    const window = timeWindow(trigger)
    if (trigger.owner.kind === 'ScaledJob' && window.most !== undefined)
      throw new TriggerProblem('a ScaledJob has no ceiling by the clock: leave max out')
    const isOpen = activityOf(window)
    const read = async () => (isOpen(clock.now()) ? window.replicas : 0)
    return oneMetric(trigger, { tail: window.tail, target: 1, activation: 0, read })
  },
}

/** What the open windows of an object make of its bounds. */
export interface OpenBounds {
  /** The highest floor; 0: none. */
  readonly floor: number
  /** The least ceiling; undefined: none. */
  readonly ceiling: number | undefined
}

/** The windows of an object. What cannot be read bounds nothing: it is told elsewhere. Moments are best asked in order. */
export class WindowBounds {
  readonly #windows: readonly { readonly window: TimeWindow; readonly isOpen: (nowMs: number) => boolean }[]

  constructor(triggers: readonly Pick<Trigger, 'type' | 'metadata' | 'metricType'>[]) {
    this.#windows = triggers.flatMap(({ type, metadata, metricType }) => {
      if (type !== 'time-window') return []
      try {
        const window = timeWindow({ given: { metadata, env: {}, auth: {} }, metricType })
        return [{ window, isOpen: activityOf(window) }]
      } catch (error) {
        if (error instanceof TriggerProblem) return []
        throw error
      }
    })
  }

  /** While scale-in is paused no ceiling takes replicas away. */
  at(nowMs: number, { isScaleInPaused }: { readonly isScaleInPaused: boolean }): OpenBounds {
    const open = this.#windows.filter(({ isOpen }) => isOpen(nowMs)).map(({ window }) => window)
    const ceilings = isScaleInPaused ? [] : open.flatMap(({ most }) => (most === undefined ? [] : [most]))
    return {
      floor: Math.max(0, ...open.map(({ replicas }) => replicas)),
      ceiling: ceilings.length === 0 ? undefined : Math.min(...ceilings),
    }
  }

  /** When a window opens or closes next; undefined: there is none. */
  nextChangeMs(nowMs: number): number | undefined {
    const times = this.#windows.flatMap(({ window }) => nextChange(window, nowMs) ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }
}

/** Why windows do not fit the bounds of their object; undefined: they do. */
export function windowProblem({ spec }: Pick<ScaledObject, 'spec'>): string | undefined {
  const { minReplicaCount: least = 0, maxReplicaCount: most = defaultMostReplicas, triggers } = spec
  for (const [index, { type, metadata, metricType }] of triggers.entries()) {
    if (type !== 'time-window') continue
    const window = timeWindow({ given: { metadata, env: {}, auth: {} }, metricType })
    if (window.replicas > most)
      return `trigger ${index} of type time-window: min is ${window.replicas}, expected at most maxReplicaCount ${most}`
    if (window.most !== undefined && window.most < least)
      return `trigger ${index} of type time-window: max is ${window.most}, expected at least minReplicaCount ${least}`
  }
  return undefined
}
