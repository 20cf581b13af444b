import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type SortValue, sortAfterClick, sortedRows, sortOfAddress } from './row-sort.ts'

describe('sortedRows', () => {
  const order = (values: readonly SortValue[], descending: boolean) => sortedRows(values, value => value, descending)
  test.each([
    { name: 'numbers', values: [3, 1, 2], descending: false, expected: [1, 2, 3] },
    { name: 'numbers, greatest first', values: [3, 1, 2], descending: true, expected: [3, 2, 1] },
    { name: 'unknown is last', values: [null, 1, 2], descending: false, expected: [1, 2, null] },
    { name: 'unknown is last in either direction', values: [null, 1, 2], descending: true, expected: [2, 1, null] },
    { name: 'names without regard to case', values: ['b', 'A', 'C'], descending: false, expected: ['A', 'b', 'C'] },
    { name: 'flags', values: [true, false], descending: false, expected: [false, true] },
  ])('$name', ({ values, descending, expected }) => expect(order(values, descending)).toEqual(expected))

  const rows = fc.array(
    fc.record({ id: fc.nat(), value: fc.option(fc.oneof(fc.constant(1), fc.constant(2), fc.double({ noNaN: true }))) }),
  )
  test('keeps every row, orders neighbours and leaves equals in place', () =>
    fc.assert(
      fc.property(rows, fc.boolean(), (given, descending) => {
        const sorted = sortedRows(given, row => row.value, descending)
        expect(new Set(sorted)).toEqual(new Set(given))
        for (const [index, row] of sorted.slice(1).entries()) {
          const before = sorted[index]
          if (before === undefined || row.value === null) continue
          expect(before.value).not.toBeNull()
          if (before.value === row.value) expect(given.indexOf(before)).toBeLessThan(given.indexOf(row))
          else expect(Number(before.value) < row.value).toBe(!descending)
        }
      }),
    ))
})

test.each([
  { query: '', sort: undefined, unknown: undefined },
  { query: 'sort=cpu', sort: { column: 'cpu', descending: false }, unknown: undefined },
  { query: 'sort=cpu&dir=desc', sort: { column: 'cpu', descending: true }, unknown: undefined },
  { query: 'sort=colour', sort: undefined, unknown: 'colour' },
  { query: 'moves.sort=cpu', sort: undefined, unknown: undefined },
])('sortOfAddress: $query', ({ query, sort, unknown }) =>
  expect(sortOfAddress(new URLSearchParams(query), undefined, ['cpu', 'name'])).toEqual({ sort, unknown }),
)

test('a table with a name has its own parameters', () =>
  expect(sortOfAddress(new URLSearchParams('sort=x&moves.sort=cpu&moves.dir=desc'), 'moves', ['cpu'])).toEqual({
    sort: { column: 'cpu', descending: true },
    unknown: undefined,
  }))

test.each([
  { current: undefined, column: 'cpu', isNumber: true, expected: { column: 'cpu', descending: true } },
  { current: undefined, column: 'name', isNumber: false, expected: { column: 'name', descending: false } },
  {
    current: { column: 'name', descending: false },
    column: 'name',
    isNumber: false,
    expected: { column: 'name', descending: true },
  },
  { current: { column: 'cpu', descending: true }, column: 'cpu', isNumber: true, expected: { column: 'cpu', descending: false } },
])('sortAfterClick: $column after $current', ({ current, column, isNumber, expected }) =>
  expect(sortAfterClick(current, column, isNumber)).toEqual(expected),
)
