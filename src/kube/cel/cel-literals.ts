// Texts that mean something else: durations, times and patterns, as literals and when an expression runs.
import { parsePattern } from '../values/regex.ts'

/** Nanoseconds of a Go duration such as `1h30m` or `-1.5s`; undefined where a text is none or does not fit in 64 bits. */
export function durationNanos(text: string): bigint | undefined {
  const matched = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text)
  if (matched === null) return /^[+-]?0$/.test(text) ? 0n : undefined
  let nanos = 0n
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(/(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const size = unitNanos[unit] ?? 0n
    nanos += BigInt(whole === '' ? '0' : whole) * size
    if (fraction !== '') nanos += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length)
  }
  const signed = matched[1] === '-' ? -nanos : nanos
  return BigInt.asIntN(64, signed) === signed ? signed : undefined
}

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** Nanoseconds since 1970 of an RFC 3339 time; undefined where a text is none. */
export function timestampNanos(text: string): bigint | undefined {
  const matched = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (matched === null) return undefined
  const [, seconds = '', fraction = '', zone = ''] = matched
  const ms = Date.parse(`${seconds}${zone}`)
  // Days that a month does not have roll over into the next one.
  if (Number.isNaN(ms) || !new Date(`${seconds}Z`).toISOString().startsWith(seconds)) return undefined
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** Whether a literal can not be what a function makes of it. */
export function isBadLiteral(name: string, value: unknown): boolean {
  if (typeof value !== 'string') return false
  switch (name) {
    case 'matches':
      return !parsePattern(value).ok
    case 'duration':
      return durationNanos(value) === undefined
    case 'timestamp':
      return timestampNanos(value) === undefined
    default:
      return false
  }
}
