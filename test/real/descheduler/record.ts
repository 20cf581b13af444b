// Records what the real descheduler evicts from clusters in which nothing is where it should be, strategy by strategy.
// `node test/real/descheduler/record.ts [strategy …]` writes test/fixtures/descheduler. Where upstream's answer hangs on the order of Go's
// maps it is run until it does what ours does, 50 times at most.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { strategyPoints } from '../../../src/capabilities/deschedule/compat/strategies/strategies.ts'
import { messyRevision } from '../../../src/capabilities/deschedule/compat/strategies/testdata/messy-cluster.ts'
import { policyCases } from '../../../src/capabilities/deschedule/compat/strategies/testdata/policies.ts'
import {
  difference,
  type RecordedCase,
  type SideBySide,
  sideOf,
} from '../../../src/capabilities/deschedule/compat/strategies/testdata/side-by-side.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { upstreamCommand, upstreamProgram } from './programs.ts'
import { twinCycle } from './twin-cycle.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'descheduler')
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
const mostRuns = 50

type Strategy = SideBySide['strategy']
export const recordedStrategies = Object.keys(strategyPoints) as readonly Strategy[]

/** Upstream on one cluster of a twin under one policy, until it does what ours decides. Throws Error where it never does. */
export async function recordCase(strategy: Strategy, policy: string, seed: number): Promise<RecordedCase> {
  const side = sideOf(strategy, { policy, seed }, systemClock.now())
  const program = await upstreamProgram()
  return await likeUpstream(side, { strategy, policy, seed }, () => twinCycle(program, side))
}

/**
 * What upstream does, `cycle` by `cycle` on the same cluster, until it is what ours did, or until chance is all that is left. Throws Error
 * where ours is nothing that it does.
 */
export async function likeUpstream(
  side: ReturnType<typeof sideOf>,
  { strategy, policy, seed }: Pick<RecordedCase, 'policy' | 'seed'> & { readonly strategy: Strategy },
  cycle: () => Promise<readonly string[]>,
): Promise<RecordedCase> {
  const seen: (readonly string[])[] = []
  while (seen.length < mostRuns) {
    const evicted = (await cycle()).toSorted()
    seen.push(evicted)
    const recorded = { policy, seed, runs: seen.length, evicted }
    if (difference(side, recorded) === undefined) return recorded
    // Ever the same: chance has nothing to do with it.
    if (seen.length === 12 && new Set(seen.map(set => set.join())).size === 1) break
  }
  const [evicted = []] = seen
  const recorded: RecordedCase = {
    policy,
    seed,
    runs: seen.length,
    evicted,
    anyOf: [...new Set(seen.flat())].sort(),
  }
  const problem = difference(side, recorded)
  if (problem !== undefined) throw new Error(`${strategy}, ${policy}, seed ${seed}: ${problem}`)
  const places = new Set(seen.map(set => side.counts(set)))
  if (places.size > 1) throw new Error(`${strategy}, ${policy}, seed ${seed}: upstream takes now from here, now from there`)
  return recorded
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  mkdirSync(fixtures, { recursive: true })
  for (const strategy of recordedStrategies) {
    if (wanted.length > 0 && !wanted.includes(strategy)) continue
    const cases: RecordedCase[] = []
    for (const { strategy: of, name } of policyCases) {
      if (of !== strategy) continue
      for (const seed of name.startsWith('reference') ? [0] : seeds) {
        try {
          cases.push(await recordCase(strategy, name, seed))
        } catch (error) {
          process.exitCode = 1
          console.log(String(error))
        }
      }
    }
    const recorded: SideBySide = {
      strategy,
      version: upstreamVersion('descheduler'),
      command: upstreamCommand,
      revision: messyRevision,
      cases,
    }
    writeFileSync(join(fixtures, `${strategy}.json`), `${JSON.stringify(recorded, undefined, 1)}\n`)
    const pods = cases.reduce((sum, { evicted }) => sum + evicted.length, 0)
    const chance = cases.filter(({ anyOf }) => anyOf !== undefined).length
    console.log(
      `${strategy}: ${cases.length} clusters, ${pods} evictions, ${cases.reduce((sum, { runs }) => sum + runs, 0)} runs, ${chance} left to chance`,
    )
  }
}
