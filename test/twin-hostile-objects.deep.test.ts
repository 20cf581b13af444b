// Hostile objects against a twin with all its components: 48,000 requests of 120 seeds.
import { expect, test } from 'vitest'
import { onslaught } from './hostile/onslaught.ts'

const seeds = Array.from({ length: 120 }, (_, index) => index + 1_000)

test.each(seeds)('seed %i', async seed => {
  const { findings } = await onslaught({ seed, requests: 400 })
  expect(findings).toEqual([])
})
