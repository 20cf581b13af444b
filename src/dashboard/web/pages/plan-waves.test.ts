import { expect, test } from 'vitest'
import { firstOfWaves, placesOf } from './plan-waves.ts'

const moves = [
  { id: 'a', wave: 1 },
  { id: 'b', wave: 1 },
  { id: 'c', wave: 2 },
  { id: 'd', wave: 4 },
]

test('a move is named by its wave and its place in it', () =>
  expect([...placesOf(moves)]).toEqual([
    ['a', '1.1'],
    ['b', '1.2'],
    ['c', '2.1'],
    ['d', '4.1'],
  ]))

test.each([
  { given: [], expected: [] },
  {
    given: moves,
    expected: [
      { wave: 1, index: 0 },
      { wave: 2, index: 2 },
      { wave: 4, index: 3 },
    ],
  },
])('waves begin at $expected', ({ given, expected }) => expect(firstOfWaves(given)).toEqual(expected))
