import { expect, test } from 'vitest'
import { PullWitness } from './pull-witness.ts'

const minute = 60_000
type Step = readonly ['asked' | 'pulled', atMinutes: number]

test.each<[string, readonly Step[], string | undefined]>([
  ['nothing was pulled', [['asked', 20]], undefined],
  [
    'a pull that asked',
    [
      ['asked', 20],
      ['pulled', 21],
    ],
    undefined,
  ],
  [
    'a long pull that asked',
    [
      ['asked', 20],
      ['pulled', 80],
    ],
    undefined,
  ],
  ['a pull past us', [['pulled', 20]], 'image-20'],
  [
    'it was asked long ago',
    [
      ['asked', 20],
      ['pulled', 81],
    ],
    'image-81',
  ],
  ['a pull from before we served', [['pulled', 9]], undefined],
  [
    'it is asked again',
    [
      ['pulled', 20],
      ['asked', 30],
    ],
    undefined,
  ],
])('%s', (_, steps, expected) => {
  const witness = new PullWitness(0)
  for (const [what, at] of steps) {
    if (what === 'asked') witness.asked(at * minute)
    else witness.pulled(`image-${at}`, at * minute)
  }
  expect(witness.unasked).toBe(expected)
})

test('it is told once, until containerd asks', () => {
  const witness = new PullWitness(0)
  expect([20, 21, 22].map(at => witness.pulled('a', at * minute))).toEqual([true, false, false])
  witness.asked(23 * minute)
  expect([24, 90, 91].map(at => witness.pulled('a', at * minute))).toEqual([false, true, false])
})
