// Each kind of trouble with each request of a process that is no controller, at its start and under way, short and long. A run of this file
// takes a part of them, `BALLAST_TROUBLES=1/12` by default and 1/1 for all.
import { expect, test } from 'vitest'
import { shareOf } from './long-share.ts'
import { processFaultsOf, processRows, processRuns } from './process-troubles.ts'

test.each(Object.entries(processRows))(
  '%s goes on under what comes from outside, and does all in the end',
  { timeout: 7_200_000 },
  async (name, row) => {
    const wrong: string[] = []
    for (const run of shareOf(await processRuns(row), '1/12')) {
      const faults = await processFaultsOf(row, run)
      if (faults.length > 0) wrong.push(`${name}: ${run.key}: ${run.kind}, ${run.length} ${run.moment}: ${faults.join('; ')}`)
    }
    expect(wrong).toEqual([])
  },
)
