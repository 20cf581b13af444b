// Each kind of trouble with each request that a part makes, at its start and under way, short and long. The whole takes an hour of CPU: a
// run of this file takes a part of it, `BALLAST_TROUBLES=1/60` by default and 1/1 for all.
import { describe, expect, test } from 'vitest'
import { shareOf } from './long-share.ts'
import { troubleRows } from './part-trouble-rows.ts'
import { nameOf, outcomeOf, requestsOf, runsOf } from './part-troubles.ts'

describe.each(Object.entries(troubleRows))('%s', (capability, row) => {
  test('what a server, a network or one object does stops one unit, for as long as it does', { timeout: 7_200_000 }, async () => {
    const runs = shareOf(runsOf(capability, row, await requestsOf(row)), '1/60')
    const wrong: string[] = []
    let met = 0
    for (const run of runs) {
      const { faults, fired } = await outcomeOf(row, run)
      if (fired > 0) met++
      if (faults.length > 0) wrong.push(`${nameOf(run)}: ${faults.join('; ')}`)
    }
    expect(wrong).toEqual([])
    // Some requests are made once in a life, and not at each moment.
    expect(met / runs.length).toBeGreaterThan(0.5)
  })
})
