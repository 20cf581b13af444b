import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatDurationMs, parseDuration, parseDurationMs } from './duration.ts'

describe('texts (kube-machinery case 17)', () => {
  test.each([
    ['1.5h', '1h30m0s'],
    ['300ms1s', '1.3s'],
    ['.5s', '500ms'],
    ['1.s', '1s'],
    ['0.5ns', '0s'],
    ['0.3333333333333333333h', '20m0s'],
    ['3600000ms', '1h0m0s'],
    ['0', '0s'],
    ['-0', '0s'],
    ['+5m', '5m0s'],
    ['-1.5h', '-1h30m0s'],
    ['1us', '1µs'],
    ['1µs', '1µs'],
    ['1μs', '1µs'],
    ['-9223372036854775808ns', '-2562047h47m16.854775808s'],
  ])('%j is %s', (text, printed) => {
    const parsed = parseDuration(text)
    expect(parsed.ok && formatDuration(parsed.value)).toBe(printed)
  })

  test.each([
    ['1', 'time: missing unit in duration "1"'],
    ['1d', 'time: unknown unit "d" in duration "1d"'],
    ['1h 2m', 'time: unknown unit "h " in duration "1h 2m"'],
    ['', 'time: invalid duration ""'],
    ['-', 'time: invalid duration "-"'],
    ['.s', 'time: invalid duration ".s"'],
    ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
    ['33333333333333333333', 'time: invalid duration "33333333333333333333"'],
    ['3000000h', 'time: invalid duration "3000000h"'],
    ['1"', 'time: unknown unit "\\"" in duration "1\\""'],
    ['1constructor', 'time: unknown unit "constructor" in duration "1constructor"'],
  ])('%j is refused', (text, message) => {
    expect(parseDuration(text, 'x')).toMatchObject({ ok: false, problem: { code: 'duration-syntax', where: 'x', message } })
  })
})

test.each([
  [1_500n, '1.5µs'],
  [86_400_000_000_000n, '24h0m0s'],
  [0n, '0s'],
  [999n, '999ns'],
  [60_000_000_000n, '1m0s'],
  [3_723_004_000_000n, '1h2m3.004s'],
])('%i ns prints as %s', (nanos, text) => {
  expect(formatDuration(nanos)).toBe(text)
})

test('milliseconds', () => {
  expect(parseDurationMs('1.5s')).toEqual({ ok: true, value: 1500 })
  expect(parseDurationMs('1900us')).toEqual({ ok: true, value: 1 })
  expect([formatDurationMs(90_000), formatDurationMs(0.5)]).toEqual(['1m30s', '500µs'])
})

test('what is printed reads as the same duration', () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 53n), 2n ** 53n), nanos => {
      expect(parseDuration(formatDuration(nanos))).toEqual({ ok: true, value: nanos })
    }),
  )
})
