import { describe, expect, test } from 'vitest'
import { formatMicroTime, formatTime, formatTimeMicros, parseTime, parseTimeMicros } from './time.ts'

describe('kube-machinery case 19', () => {
  const micros = parseTimeMicros('2026-03-04T05:06:07.123456789+01:00')

  test('micro time has six digits, cut', () => {
    expect(micros.ok && formatTimeMicros(micros.value)).toBe('2026-03-04T04:06:07.123456Z')
    expect(formatMicroTime(Date.UTC(2026, 2, 4))).toBe('2026-03-04T00:00:00.000000Z')
    expect(formatMicroTime(Date.UTC(2026, 2, 4) + 0.25)).toBe('2026-03-04T00:00:00.000250Z')
  })
  test('time has whole seconds', () => {
    expect(micros.ok && formatTime(micros.value / 1_000)).toBe('2026-03-04T04:06:07Z')
  })
})

test.each([
  ['1970-01-01T00:00:00Z', 0],
  ['2024-02-29T23:59:59.9-00:30', Date.UTC(2024, 2, 1, 0, 29, 59, 900)],
  ['1969-12-31T23:59:59.9999Z', -1],
  ['1970-01-01T5:00:00Z', 18_000_000],
  ['0001-01-01T00:00:00Z', -62135596800000],
])('%s is %i', (text, ms) => {
  expect(parseTime(text)).toEqual({ ok: true, value: ms })
})

test.each([
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01 00:00:00Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00z',
  '2026-01-01T00:00:00.Z',
  'now',
  '',
])('%j is no time', text => {
  expect(parseTime(text, 'x')).toMatchObject({ ok: false, problem: { code: 'time-syntax', where: 'x', found: text } })
})

test('years beyond four digits are not written', () => {
  expect(() => formatTime(Date.UTC(10_000, 0))).toThrow(RangeError)
})
