// The real descheduler still evicts what ours does, strategy by strategy, on clusters that are not recorded: our decision beside its program
// on the twin, then program beside program, on the twin and on a real control plane.

import { systemClock } from '#kube/clock.ts'
import { policyCases } from '../../../src/capabilities/deschedule/compat/strategies/testdata/policies.ts'
import {
  type RecordedCase,
  type SideBySide,
  sideOf,
} from '../../../src/capabilities/deschedule/compat/strategies/testdata/side-by-side.ts'
import type { Check } from '../check.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { ourProgram, type Program, upstreamProgram } from './programs.ts'
import { likeUpstream, recordCase, recordedStrategies } from './record.ts'
import { realCycle } from './stored-cluster.ts'
import { twinCycle } from './twin-cycle.ts'

/** Not those of the recordings. */
const seeds = [101, 102, 103]
const seedsOfPrograms = [104, 105]

type Strategy = SideBySide['strategy']
type Cycle = (program: Program, side: ReturnType<typeof sideOf>) => Promise<readonly string[]>

/** Program against program, each policy of a strategy on some clusters. */
async function comparePrograms(strategy: Strategy, cycle: Cycle): Promise<string> {
  const [ourOwn, theirs] = [await ourProgram(), await upstreamProgram()]
  const found: RecordedCase[] = []
  for (const { strategy: of, name: policy } of policyCases) {
    if (of !== strategy) continue
    for (const seed of policy.startsWith('reference') ? [0] : seedsOfPrograms) {
      const side = sideOf(strategy, { policy, seed }, systemClock.now())
      const ours = (await cycle(ourOwn, side)).toSorted()
      found.push(await likeUpstream({ ...side, ours }, { strategy, policy, seed }, () => cycle(theirs, side)))
    }
  }
  return summary(found)
}

function summary(cases: readonly RecordedCase[]): string {
  const sum = (of: (one: RecordedCase) => number) => cases.reduce((total, one) => total + of(one), 0)
  const chance = cases.filter(({ anyOf }) => anyOf !== undefined).length
  return `${cases.length} clusters, ${sum(one => one.evicted.length)} evictions, ${sum(one => one.runs)} runs, ${chance} left to chance`
}

const decisions: readonly Check[] = recordedStrategies.map(strategy => ({
  name: `descheduler evicts what ours does: ${strategy}`,
  async run() {
    const found: RecordedCase[] = []
    for (const { strategy: of, name } of policyCases)
      if (of === strategy) for (const seed of seeds) found.push(await recordCase(strategy, name, seed))
    return summary(found)
  },
}))

const onTwin: readonly Check[] = recordedStrategies.map(strategy => ({
  name: `descheduler, program beside program on the twin: ${strategy}`,
  run: () => comparePrograms(strategy, twinCycle),
}))

const onRealControlPlane: readonly Check[] = recordedStrategies.map(strategy => ({
  name: `descheduler, program beside program on a real control plane: ${strategy}`,
  async run() {
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    try {
      const seen = await comparePrograms(strategy, (program, side) => realCycle(plane, program, side))
      return `${plane.serverVersion}: ${seen}`
    } finally {
      await plane.stop()
    }
  },
}))

export const deschedulerChecks: readonly Check[] = [...decisions, ...onTwin, ...onRealControlPlane]
