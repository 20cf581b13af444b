// A cycle on many pods lets others have their turn: leases, probes, watches.
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, pod } from '#cluster/testdata/objects.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { CycleInput, CycleStep } from '../cycle.ts'
import type { StrategyName } from '../policy/args.ts'
import { policyRefusal, readPolicy } from '../policy/read-policy.ts'
import { strategyMaker, strategyPoints } from '../strategies/strategies.ts'
import { policyText } from '../strategies/testdata/policies.ts'
import { driveCycle } from './cycle-driver.ts'

const nowMs = Date.UTC(2026, 10, 1)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }
const taints = [{ key: 'gone', value: 'yes', effect: 'NoSchedule' }]
const pods = 9_000
/** Every node counts for every strategy, half of them are full. */
const { state } = buildClusterState(
  Array.from({ length: 300 }, (_, at) => {
    const name = `n${String(at).padStart(3, '0')}`
    const onNode = at % 2 === 0 ? 50 : 10
    const ofNode = Array.from({ length: onNode }, (__, index) =>
      pod(`shop/${name}-${index}`, { node: name, owner, cpu: '70m', labels: { app: `a${index % 9}` } }),
    )
    return [node(name, { taints }), ...ofNode]
  }).flat(),
)

const thresholds = { cpu: 30 }
const args: Partial<Record<StrategyName, object>> = {
  LowNodeUtilization: { thresholds, targetThresholds: { cpu: 60 } },
  HighNodeUtilization: { thresholds },
  PodLifeTime: { maxPodLifeTimeSeconds: 60 },
  RemovePodsHavingTooManyRestarts: { podRestartThreshold: 3 },
  RemovePodsViolatingNodeAffinity: { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] },
}
const strategies = Object.keys(strategyPoints) as StrategyName[]

function inputOf(strategy: StrategyName): CycleInput {
  const text = policyText({ strategy, name: '', args: { ...args[strategy] } })
  const read = readPolicy(text, { file: 'policy.yaml', priorityOf: () => undefined })
  if (!read.ok) throw new Error(policyRefusal(read.problems))
  const quiet = { isDryRun: false, verbosity: 0, tell: () => undefined }
  return { policy: read.policy, state, strategies: strategyMaker({}), nowMs, ...quiet }
}

/** Time passes with each look at it: every breath is one in which others may come. */
class BusyClock extends VirtualClock {
  #looks = 0
  override elapsed(): number {
    return super.elapsed() + 3 * this.#looks++
  }
}

test.each(strategies)('%s: others have a turn while it looks at 9,000 pods; no listener hears of that', async strategy => {
  let turns = 0
  let isDone = false
  const others = async () => {
    for (; !isDone; turns++) await new Promise<void>(resolve => setImmediate(resolve))
  }
  const running = others()
  const heard: CycleStep['kind'][] = []
  let atBegin = 0
  let untilWish: number | undefined
  const report = await driveCycle(
    inputOf(strategy),
    {
      clock: new BusyClock(nowMs),
      listener: {
        step: ({ kind }) => {
          heard.push(kind)
          if (kind === 'begin') atBegin = turns
          if (kind === 'evict' || kind === 'end') untilWish ??= turns - atBegin
        },
        answered: () => undefined,
      },
      evict: async () => ({ kind: 'evicted' }),
    },
    new AbortController().signal,
  )
  isDone = true
  await running
  expect(report.errors).toEqual([])
  expect(heard).not.toContain('breath')
  // Before the first wish, or the end where there is none: most of the work is done there, with a turn for each 2,048 looks.
  if (report.evicted === 0) expect(untilWish).toBeGreaterThanOrEqual(Math.floor(pods / 2_048) - 1)
  else expect(turns).toBeGreaterThanOrEqual(Math.floor(pods / 2_048))
})
