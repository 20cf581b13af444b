// Wall clocks of IANA time zones: what they show at an instant, and at which instant they show something.

export interface WallTime {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** 0 is Sunday. */
  readonly weekday: number
}

export interface TimeZone {
  readonly name: string
  /** What the zone's clocks are ahead of UTC at `ms`, in milliseconds. */
  offsetMs(ms: number): number
  wallTime(ms: number): WallTime
  /**
   * The instant the zone's clocks show these fields; months and days beyond their ranges carry over. A time that they skip
   * or show twice is read with the offset before the change or after it, by the rule of Go's `time.Date`.
   */
  instant(fields: Pick<WallTime, 'year' | 'month' | 'day'> & Partial<WallTime>): number
}

/** Offsets change at whole quarters of an hour; more than these many are not kept. */
const quarterMs = 900_000
const offsetsLimit = 20_000

/** The zone of an IANA name, `UTC` or the empty name (UTC), or `Local` (the host's own); `undefined` where there is none. */
export function timeZone(name: string): TimeZone | undefined {
  if (name === '' || name === 'UTC') return zoneOf('UTC', () => 0)
  // Offsets such as `+01:00` are zones to Intl but to nobody else.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return undefined
  const format = offsetFormat(name)
  if (format === undefined) return undefined
  const offsets = new Map<number, number>()
  return zoneOf(name, ms => {
    const quarter = Math.floor(ms / quarterMs)
    const known = offsets.get(quarter)
    if (known !== undefined) return known
    const offset = readOffset(format, ms)
    if (offsets.size >= offsetsLimit) offsets.clear()
    offsets.set(quarter, offset)
    return offset
  })
}

function offsetFormat(name: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZoneName: 'longOffset', ...(name === 'Local' ? {} : { timeZone: name }) })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** `GMT`, `GMT-05:00` or, of old times, `GMT-04:56:02`. */
function readOffset(format: Intl.DateTimeFormat, ms: number): number {
  const text = format.formatToParts(ms).find(part => part.type === 'timeZoneName')?.value ?? 'GMT'
  const [, sign = '+', hours = '0', minutes = '0', seconds = '0'] = /^GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(text) ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
}

function zoneOf(name: string, offsetMs: (ms: number) => number): TimeZone {
  return {
    name,
    offsetMs,
    wallTime(ms) {
      const shown = new Date(ms + offsetMs(ms))
      return {
        year: shown.getUTCFullYear(),
        month: shown.getUTCMonth() + 1,
        day: shown.getUTCDate(),
        hour: shown.getUTCHours(),
        minute: shown.getUTCMinutes(),
        second: shown.getUTCSeconds(),
        weekday: shown.getUTCDay(),
      }
    },
    instant({ year, month, day, hour = 0, minute = 0, second = 0 }) {
      const shown = Date.UTC(year, month - 1, day, hour, minute, second)
      const first = offsetMs(shown)
      return shown - (first === 0 ? 0 : offsetMs(shown - first))
    },
  }
}
