// A share of test/nfs-jobs-troubles.deep.test.ts: the jobs of CSI's sidecars while their API server errs.
import { expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { scenarios } from './nfs-jobs-scenarios.ts'
import { nameOf, outcomeOf, runsOf } from './nfs-jobs-troubles.ts'

/** Drawn anew with each change of it. */
const random = seededRandom(24)

test.each(scenarios.map(scenario => [scenario.name, scenario] as const))(
  '%s, under a trouble that is drawn',
  async (_name, scenario) => {
    const runs = await runsOf(scenario)
    const run = runs[Math.floor(random() * runs.length)]
    if (run === undefined) throw new RangeError('a scenario makes requests')
    expect([nameOf(run), ...(await outcomeOf(scenario, run)).wrong]).toEqual([nameOf(run)])
  },
)
