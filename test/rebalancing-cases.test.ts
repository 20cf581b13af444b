// Every worked case of rebalancing is a test: the table says which, and here it is looked for.
import { expect, test } from 'vitest'
import { isNamedIn } from './named-tests.ts'
import { rebalancingCases } from './rebalancing-cases.ts'

test('the 34 cases are in the table, in order', () => {
  expect(rebalancingCases.map(({ number }) => number)).toEqual(Array.from({ length: 34 }, (_, at) => at + 1))
})

test.each(rebalancingCases.map(({ number, what, heldBy }) => [number, what, heldBy] as const))(
  'case %d: %s',
  (_number, _what, heldBy) => {
    expect(heldBy.filter(([file, name]) => !isNamedIn(file, name))).toEqual([])
  },
)

test('no case is without a test', () => {
  expect(rebalancingCases.filter(({ heldBy }) => heldBy.length === 0).map(({ number }) => number)).toEqual([])
})
