import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clipRange, parseRange } from './byte-range.ts'

describe('the header', () => {
  // biome-ignore format: a table
  test.each([
    ['bytes=2-5', { start: 2, end: 5 }],
    ['bytes=7-', { start: 7 }],
    ['bytes=-3', { last: 3 }],
    ['Bytes=0-0', { start: 0, end: 0 }],
    ['bytes= 2-5 ', { start: 2, end: 5 }],
    [`bytes=${'9'.repeat(40)}-`, { start: Number.MAX_SAFE_INTEGER }],
    [undefined, undefined],
    ['', undefined],
    ['bytes=', undefined],
    ['bytes=-', undefined],
    ['bytes=5-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=a-b', undefined],
    ['bytes=1.5-2', undefined],
    ['bytes=0x1-2', undefined],
    ['items=0-1', undefined],
    ['bytes 0-1', undefined],
    [`bytes=${'1'.repeat(200)}-`, undefined],
  ])('%j is %j', (header, asked) => expect(parseRange(header)).toEqual(asked))

  test('whatever comes it does not throw', () =>
    fc.assert(fc.property(fc.string({ maxLength: 200 }), text => void parseRange(`bytes=${text}`))))
})

describe('of ten bytes', () => {
  // biome-ignore format: a table
  test.each([
    [undefined, { kind: 'whole' }],
    [{ start: 2, end: 5 }, { kind: 'part', range: { start: 2, end: 5 } }],
    [{ start: 7 }, { kind: 'part', range: { start: 7, end: 9 } }],
    [{ start: 7, end: 99 }, { kind: 'part', range: { start: 7, end: 9 } }],
    [{ last: 3 }, { kind: 'part', range: { start: 7, end: 9 } }],
    [{ last: 99 }, { kind: 'part', range: { start: 0, end: 9 } }],
    [{ last: 0 }, { kind: 'beyond' }],
    [{ start: 10 }, { kind: 'beyond' }],
  ])('%j is %j', (asked, clipped) => expect(clipRange(asked, 10)).toEqual(clipped))

  test('of nothing every range is beyond its end', () => {
    expect([clipRange({ start: 0 }, 0), clipRange({ last: 5 }, 0)]).toEqual([{ kind: 'beyond' }, { kind: 'beyond' }])
  })
})

test('a part is never empty, never backward, and inside', () => {
  const asked = fc.oneof(
    fc.record({ start: fc.nat(50), end: fc.option(fc.nat(50), { nil: undefined }) }),
    fc.record({ last: fc.nat(50) }),
  )
  fc.assert(
    fc.property(asked, fc.nat(40), (one, size) => {
      const range = 'last' in one ? one : one.end === undefined ? { start: one.start } : { start: one.start, end: one.end }
      if ('end' in range && range.end !== undefined && range.end < range.start) return
      const clipped = clipRange(range, size)
      if (clipped.kind !== 'part') return
      const { start, end } = clipped.range
      expect(start >= 0 && start <= end && end < size).toBe(true)
    }),
  )
})
