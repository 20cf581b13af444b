// Hostile objects against a twin with all its components: 48,000 requests of 120 seeds. A run has a twelfth of them, `BALLAST_TROUBLES=1/1` all.
import { expect, test } from 'vitest'
import { onslaught } from './hostile/onslaught.ts'
import { shareOf } from './long-share.ts'

const seeds = Array.from({ length: 120 }, (_, index) => index + 1_000)

test.each(shareOf(seeds, '1/12'))('seed %i', async seed => {
  const { findings } = await onslaught({ seed, requests: 400 })
  expect(findings).toEqual([])
})
