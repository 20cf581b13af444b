// The jobs are killed before and after everything that they do, a write of the API or a call of the driver; whoever follows ends it with one volume of each claim,
// one directory of each volume, and nothing left over.
import { describe, expect, test } from 'vitest'
import { shareOf } from './crash-harness.ts'
import { faults, type Scenario, scenarios, siteOf } from './nfs-jobs-scenarios.ts'
import type { Kill } from './nfs-jobs-site.ts'

/** What follows a result at once, such as a finalizer that goes, is done in it. */
const trailMs = 10_000
/** After that the last word of every queue has been said. */
const settleMs = 600_000

async function run(scenario: Scenario, kill?: Kill) {
  await using site = await siteOf(scenario, kill === undefined ? {} : { kill })
  site.start()
  await scenario.drive(site)
  await site.pass(trailMs)
  const effects = site.effects.length
  await site.pass(settleMs)
  return { effects, started: site.started, faults: faults(site, scenario) }
}

for (const scenario of scenarios)
  describe(`${scenario.name}, killed before or after each effect`, async () => {
    const { effects } = await run(scenario)
    const all = Array.from({ length: effects }, (_, at) => at + 1)
    const kills = shareOf(
      all.flatMap((effect): readonly Kill[] => [
        { effect, when: 'before' },
        { effect, when: 'after' },
      ]),
    )
    process.stdout.write(`${scenario.name}: ${effects} effects, ${kills.length} of ${2 * effects} kills\n`)

    test.each(kills)('$when effect $effect', async kill => {
      const { started, faults } = await run(scenario, kill)
      expect(faults).toEqual([])
      expect(started).toBe(2)
    })
  })
