// Each kind of trouble with each request that the jobs of CSI's sidecars make: they go on, do nothing twice, and leave nothing over.
import { describe, expect, test } from 'vitest'
import { shareOf } from './crash-harness.ts'
import { scenarios } from './nfs-jobs-scenarios.ts'
import { nameOf, outcomeOf, runsOf } from './nfs-jobs-troubles.ts'

for (const scenario of scenarios)
  describe(`${scenario.name}, under trouble`, async () => {
    const runs = shareOf(await runsOf(scenario))
    process.stdout.write(`${scenario.name}: ${runs.length} runs\n`)
    test.each(runs.map(run => [nameOf(run), run] as const))('%s', async (_name, run) => {
      expect((await outcomeOf(scenario, run)).wrong).toEqual([])
    })
  })
