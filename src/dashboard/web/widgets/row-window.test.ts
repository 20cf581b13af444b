import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rowAfterKey, rowWindow, topThatShows } from './row-window.ts'

describe('rowWindow', () => {
  test.each([
    { name: 'no rows', count: 0, top: 0, height: 400, first: 0, end: 0 },
    { name: 'fewer than are seen', count: 5, top: 0, height: 400, first: 0, end: 5 },
    { name: 'the top', count: 5000, top: 0, height: 400, first: 0, end: 23 },
    { name: 'the middle', count: 5000, top: 40_000, height: 400, first: 988, end: 1023 },
    { name: 'the end', count: 5000, top: 199_600, height: 400, first: 4977, end: 5000 },
    { name: 'scrolled beyond the end, as when rows went away', count: 50, top: 199_600, height: 400, first: 27, end: 50 },
    { name: 'a region without height', count: 50, top: 0, height: 0, first: 0, end: 13 },
  ])('$name', ({ count, top, height, first, end }) => {
    expect(rowWindow(count, 40, { top, height })).toMatchObject({ first, end })
  })

  const cases = fc.record({
    count: fc.integer({ min: 0, max: 200_000 }),
    rowHeight: fc.integer({ min: 10, max: 200 }),
    top: fc.double({ min: -500, max: 4e7, noNaN: true }),
    height: fc.integer({ min: 0, max: 20_000 }),
  })
  test('draws at most 76 rows within the table, and heights add up', () =>
    fc.assert(
      fc.property(cases, ({ count, rowHeight, top, height }) => {
        const { first, end, above, below } = rowWindow(count, rowHeight, { top, height })
        expect(end - first).toBeLessThanOrEqual(76)
        expect(first).toBeGreaterThanOrEqual(0)
        expect(end).toBeLessThanOrEqual(count)
        expect(end > first).toBe(count > 0)
        expect(above + (end - first) * rowHeight + below).toBe(count * rowHeight)
      }),
    ))
  test('draws every row that is seen', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 20, max: 60 }),
        fc.integer({ min: 100, max: 1400 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (count, rowHeight, height, share) => {
          const top = share * Math.max(0, count * rowHeight - height)
          const { first, end } = rowWindow(count, rowHeight, { top, height })
          expect(first * rowHeight).toBeLessThanOrEqual(top)
          expect(end * rowHeight).toBeGreaterThanOrEqual(Math.min(count * rowHeight, top + height))
        },
      ),
    ))
})

test.each([
  { name: 'seen already', index: 5, top: 100, expected: 100 },
  { name: 'above', index: 1, top: 100, expected: 40 },
  { name: 'below: its lower edge meets the lower edge of the region', index: 20, top: 0, expected: 840 + 30 - 400 },
])('topThatShows: $name', ({ index, top, expected }) => expect(topThatShows(index, 40, 30, { top, height: 400 })).toBe(expected))

test.each([
  { key: 'j', at: -1, count: 3, expected: 0 },
  { key: 'j', at: 2, count: 3, expected: 2 },
  { key: 'k', at: -1, count: 3, expected: 0 },
  { key: 'ArrowUp', at: 2, count: 3, expected: 1 },
  { key: 'PageDown', at: 0, count: 5000, expected: 10 },
  { key: 'PageDown', at: 4995, count: 5000, expected: 4999 },
  { key: 'PageUp', at: 4, count: 5000, expected: 0 },
  { key: 'End', at: 0, count: 5000, expected: 4999 },
  { key: 'Home', at: 70, count: 5000, expected: 0 },
  { key: 'x', at: 0, count: 3, expected: undefined },
  { key: 'j', at: -1, count: 0, expected: undefined },
])('rowAfterKey: $key from $at of $count', ({ key, at, count, expected }) =>
  expect(rowAfterKey(key, at, count, 10)).toBe(expected),
)
