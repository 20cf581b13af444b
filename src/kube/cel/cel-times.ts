// Durations and times as CEL has them: nanoseconds that are compared, added and taken apart.
import { durationNanos, timestampNanos } from './cel-literals.ts'
import { CelError } from './cel-syntax.ts'
import { CelValue } from './cel-values.ts'

const second = 1_000_000_000n

/** Seconds with what is left of them, as `90s` or `1.5s`. */
function secondsText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos
  const fraction = (size % second).toString().padStart(9, '0').replace(/0+$/, '')
  return `${nanos < 0n ? '-' : ''}${size / second}${fraction === '' ? '' : `.${fraction}`}`
}

export class CelDuration extends CelValue {
  readonly typeName = 'google.protobuf.Duration'
  readonly nanos: bigint

  constructor(nanos: bigint) {
    super()
    this.nanos = nanos
  }

  /** @throws CelError where `text` is no duration of Go */
  static of(text: string): CelDuration {
    const nanos = durationNanos(text)
    if (nanos === undefined) throw new CelError(`time: invalid duration ${JSON.stringify(text)}`)
    return new CelDuration(nanos)
  }

  get text(): string {
    return `${secondsText(this.nanos)}s`
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelDuration && other.nanos === this.nanos
  }

  call(name: string): unknown {
    const unit = durationUnits[name]
    return unit === undefined ? undefined : Number(this.nanos / unit)
  }
}

const durationUnits: Readonly<Record<string, bigint>> = {
  getHours: 3600n * second,
  getMinutes: 60n * second,
  getSeconds: second,
  getMilliseconds: 1_000_000n,
}

export class CelTime extends CelValue {
  readonly typeName = 'google.protobuf.Timestamp'
  readonly nanos: bigint

  constructor(nanos: bigint) {
    super()
    this.nanos = nanos
  }

  /** @throws CelError where `text` is no time of RFC 3339 */
  static of(text: string): CelTime {
    const nanos = timestampNanos(text)
    if (nanos === undefined) throw new CelError(`parsing time ${JSON.stringify(text)}`)
    return new CelTime(nanos)
  }

  get #date(): Date {
    return new Date(Number(this.nanos / 1_000_000n))
  }

  get text(): string {
    const fraction = (((this.nanos % second) + second) % second).toString().padStart(9, '0').replace(/0+$/, '')
    return `${this.#date.toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelTime && other.nanos === this.nanos
  }

  call(name: string, [zone]: readonly unknown[]): unknown {
    const part = timeParts[name]
    if (part === undefined) return undefined
    if (zone !== undefined && zone !== 'UTC') throw new CelError(`the parts of a time in ${String(zone)} are not known`)
    return part(this.#date)
  }
}

const timeParts: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: date => date.getUTCFullYear(),
  getMonth: date => date.getUTCMonth(),
  getDate: date => date.getUTCDate(),
  getDayOfMonth: date => date.getUTCDate() - 1,
  getDayOfWeek: date => date.getUTCDay(),
  getDayOfYear: date => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000),
  getHours: date => date.getUTCHours(),
  getMinutes: date => date.getUTCMinutes(),
  getSeconds: date => date.getUTCSeconds(),
  getMilliseconds: date => date.getUTCMilliseconds(),
}

/** Which of two durations, or of two times, is less; undefined where they are not both of a kind. */
export function timeOrder(left: unknown, right: unknown): number | undefined {
  const isDurations = left instanceof CelDuration && right instanceof CelDuration
  if (!isDurations && !(left instanceof CelTime && right instanceof CelTime)) return undefined
  return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0
}

/** The sum or the difference of times and durations; undefined where there is none. */
export function timeSum(operator: string, left: unknown, right: unknown): CelValue | undefined {
  const sign = operator === '-' ? -1n : 1n
  if (left instanceof CelDuration && right instanceof CelDuration) return new CelDuration(left.nanos + sign * right.nanos)
  if (left instanceof CelTime && right instanceof CelDuration) return new CelTime(left.nanos + sign * right.nanos)
  if (operator === '+' && left instanceof CelDuration && right instanceof CelTime) return new CelTime(left.nanos + right.nanos)
  if (operator === '-' && left instanceof CelTime && right instanceof CelTime) return new CelDuration(left.nanos - right.nanos)
  return undefined
}
