import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AllocationPolicy, allocationPolicies } from '../config.ts'
import { NoAnswer, preferredShares } from './preferred.ts'

const two = ['card0', 'card1'].flatMap(card => [0, 1, 2, 3, 4].map(share => `${card}-${share}`))

interface Row {
  readonly name: string
  readonly policy: AllocationPolicy
  readonly available: readonly string[]
  readonly must?: readonly string[]
  readonly size: number
  readonly one?: boolean
  readonly gets: readonly string[]
}

const rows: readonly Row[] = [
  { name: 'none: one of each card', policy: 'none', available: two, size: 2, gets: ['card0-0', 'card1-0'] },
  { name: 'none: then in order', policy: 'none', available: two, size: 3, gets: ['card0-0', 'card0-1', 'card1-0'] },
  { name: 'balanced: one of each card', policy: 'balanced', available: two, size: 2, gets: ['card0-0', 'card1-0'] },
  {
    name: 'balanced: the freest first, of equal ones the smaller name',
    policy: 'balanced',
    available: ['card0-1', 'card1-0', 'card1-1', 'card1-2'],
    size: 3,
    gets: ['card0-1', 'card1-0', 'card1-1'],
  },
  { name: 'packed: by name', policy: 'packed', available: two, size: 2, gets: ['card0-0', 'card0-1'] },
  { name: 'packed: names are texts', policy: 'packed', available: ['card0-2', 'card0-10'], size: 1, gets: ['card0-10'] },
  {
    name: 'what must be is in it',
    policy: 'none',
    available: two,
    must: ['card1-3'],
    size: 2,
    gets: ['card0-0', 'card1-3'],
  },
  { name: 'all of one device', policy: 'none', available: two, size: 5, one: true, gets: two.slice(0, 5) },
  {
    name: 'all of one device: the one with least to spare',
    policy: 'balanced',
    available: [...two, 'card2-0', 'card2-1'],
    size: 2,
    one: true,
    gets: ['card2-0', 'card2-1'],
  },
  {
    name: 'all of the device that must be in it',
    policy: 'none',
    available: two,
    must: ['card1-4'],
    size: 2,
    one: true,
    gets: ['card1-0', 'card1-4'],
  },
  {
    name: 'no device has enough: as the policy says',
    policy: 'packed',
    available: two,
    size: 6,
    one: true,
    gets: two.slice(0, 6),
  },
]

describe.each(rows)('$name', ({ policy, available, must = [], size, one = false, gets }) => {
  test('is preferred', () => {
    expect([...preferredShares({ available, mustInclude: must, size }, policy, one)].sort()).toEqual([...gets].sort())
  })
})

test.each<readonly [string, readonly string[], readonly string[], number, RegExp]>([
  ['more than there are', ['a-0', 'a-1', 'a-2'], [], 4, /4 devices are wanted, and 3 are available/],
  ['more that must be than are wanted', ['a-0', 'a-1'], ['a-0', 'a-1'], 1, /2 devices must be included, and 1 are wanted/],
  ['less than none', ['a-0'], [], -1, /-1 devices are wanted/],
])('%s: there is no answer', (_name, available, mustInclude, size, words) => {
  for (const policy of allocationPolicies) {
    const ask = () => preferredShares({ available, mustInclude, size }, policy, false)
    expect(ask).toThrow(NoAnswer)
    expect(ask).toThrow(words)
  }
})

test('whatever is asked, as many as wanted are named, each once, all of them available', () => {
  const ids = fc.uniqueArray(
    fc.tuple(fc.nat(5), fc.nat(20)).map(([card, share]) => `card${card}-${share}`),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(
      ids,
      fc.nat(40),
      fc.nat(5),
      fc.constantFrom(...allocationPolicies),
      fc.boolean(),
      (available, wanted, musts, policy, one) => {
        const size = Math.min(wanted, available.length)
        const mustInclude = available.slice(0, Math.min(musts, size))
        const got = preferredShares({ available, mustInclude, size }, policy, one)
        expect(new Set(got).size).toBe(size)
        for (const id of got) expect(available).toContain(id)
        for (const id of mustInclude) expect(got).toContain(id)
      },
    ),
  )
})
