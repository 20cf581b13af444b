// The real descheduler still evicts what ours does: on clusters that are not recorded, strategy by strategy.
import { policyCases } from '../../../src/capabilities/deschedule/compat/strategies/testdata/policies.ts'
import type { Check } from '../check.ts'
import { instrumentChecks } from './instrument-checks.ts'
import { recordCase, recordedStrategies } from './record.ts'

/** Not those of the recordings. */
const seeds = [101, 102, 103]

const strategyChecks: readonly Check[] = recordedStrategies.map(strategy => ({
  name: `descheduler evicts what ours does: ${strategy}`,
  async run() {
    let [clusters, evictions, runs, chance] = [0, 0, 0, 0]
    for (const { strategy: of, name } of policyCases) {
      if (of !== strategy) continue
      for (const seed of seeds) {
        const recorded = await recordCase(strategy, name, seed)
        clusters++
        evictions += recorded.evicted.length
        runs += recorded.runs
        if (recorded.anyOf !== undefined) chance++
      }
    }
    return `${clusters} clusters, ${evictions} evictions, ${runs} runs, ${chance} left to chance`
  },
}))

export const deschedulerChecks: readonly Check[] = [...strategyChecks, ...instrumentChecks]
