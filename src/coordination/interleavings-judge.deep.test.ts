// The judge of `interleavings.test.ts` is one that finds something: each guard taken out, it says so.
import { expect, test } from 'vitest'
import { simulate } from './testdata/interleaved-run.ts'
import type { Flags } from './testdata/simulated-controller.ts'

/** How many seeds it may take before the judge finds what was taken out. */
const seedsToFind = 40

// The Lease's confirmation and the wait for whoever lost it stand in for each other: only without both something is found.
// biome-ignore format: a table
test.each<[string, number, Flags & { readonly isListStale?: boolean }]>([
  ['a leader is taken at its word, whoever holds the Lease',                          3, { isTrusted: true }],
  ['permits are listed from a cache at a take-over',                                  1, { isListStale: true }],
  ['the same, of permits that are shared',                                            1, { isListStale: true, isTogether: true }],
  ['a leader is taken at its word, and permits are shared',                           1, { isTrusted: true, isTogether: true }],
  ['the Lease is not confirmed, and nobody waits for one from whom it was deleted',  11, { isUnconfirmed: true, isHasty: true }],
])(
  'the judge finds it when %s',
  async (_name, firstSeed, flags) => {
    let found: readonly string[] = []
    for (let seed = firstSeed; seed < firstSeed + seedsToFind && found.length === 0; seed++)
      found = (await simulate(seed, flags)).violations
    expect(found).not.toEqual([])
  },
  120_000,
)
