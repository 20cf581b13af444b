// Durations as Go and with it Kubernetes writes them: `1h30m`, `300ms`, `1.5s`. Exact to the nanosecond, with Go's roundings.

import { InputError, type Parsed } from '../problem.ts'

const largest = 2n ** 63n - 1n
const nanosOfUnits: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** The nanoseconds that `text` says; the problem's `message` is Go's. */
export function parseDuration(text: string, where = 'duration'): Parsed<bigint> {
  const read = readDuration(text)
  if (typeof read === 'bigint') return { ok: true, value: read }
  return {
    ok: false,
    problem: { code: 'duration-syntax', where, found: text, expected: 'a duration such as "1h30m" or "500ms"', message: read },
  }
}

/** The milliseconds that `text` says, cut to whole ones. */
export function parseDurationMs(text: string, where = 'duration'): Parsed<number> {
  const parsed = parseDuration(text, where)
  return parsed.ok ? { ok: true, value: Number(parsed.value / 1_000_000n) } : parsed
}

/** Milliseconds of a duration that a schema has checked. @throws InputError for a text that it would have refused */
export function durationMs(text: string, where?: string): number {
  const parsed = parseDurationMs(text, where)
  if (!parsed.ok) throw new InputError([parsed.problem])
  return parsed.value
}

/** Milliseconds of `text`, 0 where it is no duration: somebody else says that, or nobody minds. */
export function durationOr0(text: string): number {
  const parsed = parseDurationMs(text)
  return parsed.ok ? parsed.value : 0
}

/** Milliseconds of whole seconds as a Go duration has them: nanoseconds in 64 bits, which wrap. So every time reached with them is one. */
export function secondsMs(seconds: number | bigint): number {
  const isShort = typeof seconds === 'number' && Math.abs(seconds) < 9_000_000_000
  if (isShort) return seconds * 1000
  return Number(BigInt.asIntN(64, BigInt(seconds) * 1_000_000_000n) / 1_000_000n)
}

function readDuration(text: string): bigint | string {
  const invalid = `time: invalid duration ${quoted(text)}`
  const isNegative = text.startsWith('-')
  let rest = isNegative || text.startsWith('+') ? text.slice(1) : text
  if (rest === '0') return 0n
  if (rest === '') return invalid
  let sum = 0n
  while (rest !== '') {
    const [whole, integer = '', point = '', fraction = ''] = /^([0-9]*)(\.?)([0-9]*)/.exec(rest) ?? ['']
    if (integer === '' && fraction === '') return invalid
    // Before the unit is looked at, as Go does it; and before an endless number is computed with.
    if (integer.replace(/^0+/, '').length > 19 || BigInt(integer) > largest + 1n) return invalid
    rest = rest.slice(whole.length)
    const unit = /^[^.0-9]*/.exec(rest)?.[0] ?? ''
    if (unit === '') return `time: missing unit in duration ${quoted(text)}`
    const nanos = Object.hasOwn(nanosOfUnits, unit) ? nanosOfUnits[unit] : undefined
    if (nanos === undefined) return `time: unknown unit ${quoted(unit)} in duration ${quoted(text)}`
    rest = rest.slice(unit.length)
    sum += BigInt(integer) * nanos + (point === '' ? 0n : fractionNanos(fraction, nanos))
    if (sum > largest + 1n) return invalid
  }
  if (isNegative) return -sum
  return sum > largest ? invalid : sum
}

/** Go computes this in floating point and cuts: `0.3333333333333333333h` is `20m` because of it. */
function fractionNanos(fraction: string, unitNanos: bigint): bigint {
  let value = 0n
  let scale = 1
  for (const digit of fraction) {
    if (value > largest / 10n) break
    const next = value * 10n + BigInt(digit)
    if (next > largest + 1n) break
    value = next
    scale *= 10
  }
  return BigInt(Math.trunc(Number(value) * (Number(unitNanos) / scale)))
}

/** Go's quotes in these messages: bytes outside of ASCII as `\xNN`. */
function quoted(text: string): string {
  const bytes = Array.from(Buffer.from(text), byte => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
    return byte < 0x20 || byte >= 0x80 ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte)
  })
  return `"${bytes.join('')}"`
}

/** `nanos` as Go prints it: `1h0m0s`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s'
  const sign = nanos < 0n ? '-' : ''
  const size = nanos < 0n ? -nanos : nanos
  if (size < 1_000n) return `${sign}${size}ns`
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}µs`
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`
  const minutes = size / 60_000_000_000n
  const seconds = `${decimal(size % 60_000_000_000n, 9)}s`
  if (minutes === 0n) return `${sign}${seconds}`
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

/** Milliseconds as Go prints them; parts of a nanosecond are cut. */
export function formatDurationMs(ms: number): string {
  return formatDuration(BigInt(Math.trunc(ms * 1_000_000)))
}

function decimal(value: bigint, places: number): string {
  const digits = String(value).padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -places) : `${digits.slice(0, -places)}.${fraction}`
}
