import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldedTime, placeOfTime, ticksOf } from './folded-time.ts'

const hour = 3_600_000
const span = (start: number, end = start) => ({ startMs: start * hour, endMs: end * hour })

describe('foldedTime', () => {
  const folded = (busy: readonly ReturnType<typeof span>[], width = 1000) =>
    foldedTime(span(0, 24), busy, width)
      .filter(piece => piece.folded)
      .map(({ startMs, endMs }) => [Math.round((startMs / hour) * 10) / 10, Math.round((endMs / hour) * 10) / 10])
  test.each([
    { name: 'nothing at all is one fold', busy: [], expected: [[0, 24]] },
    { name: 'a stretch of more than a tenth', busy: [span(0, 10), span(14, 24)], expected: [[10.2, 13.8]] },
    { name: 'a stretch of less than a tenth stays', busy: [span(0, 10), span(12, 24)], expected: [] },
    {
      name: 'before the first and after the last',
      busy: [span(10, 12)],
      expected: [
        [0, 9.8],
        [12.2, 24],
      ],
    },
    { name: 'a long one covers what begins within it', busy: [span(0, 20), span(3), span(22, 24)], expected: [] },
    {
      name: 'where there is no room only the longest are folded',
      busy: [span(4), span(10), span(18)],
      width: 320,
      expected: [
        [10, 18],
        [18, 24],
      ],
    },
  ])('$name', ({ busy, expected, width }) =>
    expect(folded(busy, width)).toEqual(expected.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0))),
  )

  test('one busy minute of a day is most of the drawing', () => {
    const [, open] = foldedTime(span(0, 24), [span(23.9, 23.92), span(23.99, 24)], 1000)
    expect(open?.folded).toBe(false)
    expect(open?.startMs).toBeGreaterThan(23.88 * hour)
    expect(open?.width).toBeGreaterThan(900)
  })

  test('a range without length has no pieces', () => expect(foldedTime(span(1, 1), [], 500)).toEqual([]))

  const busy = fc.array(
    fc
      .tuple(fc.double({ min: 0, max: 24, noNaN: true }), fc.double({ min: 0, max: 3, noNaN: true }))
      .map(([start, long]) => span(start, Math.min(24, start + long))),
  )
  test('pieces cover the range and the width without a gap', () =>
    fc.assert(
      fc.property(busy, fc.integer({ min: 100, max: 2000 }), (given, width) => {
        const pieces = foldedTime(span(0, 24), given, width)
        expect(pieces[0]?.startMs).toBe(0)
        expect(pieces.at(-1)?.endMs).toBe(24 * hour)
        for (const [index, piece] of pieces.entries()) {
          expect(piece.width).toBeGreaterThan(0)
          expect(piece.x).toBeCloseTo((pieces[index - 1]?.x ?? 0) + (pieces[index - 1]?.width ?? 0))
          expect(piece.startMs).toBe(pieces[index - 1]?.endMs ?? 0)
        }
        expect((pieces.at(-1)?.x ?? 0) + (pieces.at(-1)?.width ?? 0)).toBeCloseTo(width)
      }),
    ))
  test('nothing that happened is folded, and later lies further right', () =>
    fc.assert(
      fc.property(busy, given => {
        const pieces = foldedTime(span(0, 24), given, 1000)
        for (const { startMs, endMs } of given)
          for (const piece of pieces.filter(one => one.folded))
            expect(startMs >= piece.endMs || endMs <= piece.startMs).toBe(true)
        const places = given
          .map(({ startMs }) => startMs)
          .sort((a, b) => a - b)
          .map(ms => placeOfTime(pieces, ms))
        expect(places).toEqual(places.toSorted((a, b) => a - b))
      }),
    ))
})

test('ticks are round times in open pieces, apart from each other', () => {
  const pieces = foldedTime(span(0, 24), [span(0, 6), span(20, 24)], 1000)
  const ticks = ticksOf(pieces, 80)
  expect(ticks.map(({ ms }) => ms / hour)).toEqual([0, 1, 2, 3, 4, 5, 21, 22, 23, 24])
  for (const [index, { x }] of ticks.entries()) if (index > 0) expect(x - (ticks[index - 1]?.x ?? 0)).toBeGreaterThanOrEqual(80)
})
