// How long the decision of a cycle takes with the state loaded: no network, no evictions. Objects are kept as informers keep them.
// `node bench/descheduler-decision.ts [pods]`; with a number, only the size that has so many.
import { hash } from 'node:crypto'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import { systemClock } from '#kube/clock.ts'
import { fieldProjection, SharedParts } from '#kube/informers/projection.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type CycleReport, runCycle } from '../src/capabilities/deschedule/compat/cycle.ts'
import { PodShapes } from '../src/capabilities/deschedule/compat/pod-shapes.ts'
import type { DeschedulerPolicy } from '../src/capabilities/deschedule/compat/policy/args.ts'
import { policyRefusal, readPolicy } from '../src/capabilities/deschedule/compat/policy/read-policy.ts'
import { strategyPodFields } from '../src/capabilities/deschedule/compat/strategies/pod-fields.ts'
import { strategyMaker } from '../src/capabilities/deschedule/compat/strategies/strategies.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { type ClusterSize, clusterNamespaces, clusterNode, clusterPod, clusterSizes } from './descheduler-cluster.ts'
import { chartPolicy } from './descheduler-policies.ts'

const cycles = 5
/** By how many pods: of the whole decision under the chart's policy. */
const budgetSeconds: ReadonlyMap<number, number> = new Map([
  [30_000, 0.3],
  [150_000, 1],
])
const nodeFitBudgetSeconds = 5

/** The state that a process has after its informers are in sync. */
function loadedState(size: ClusterSize): ClusterState {
  const projection = fieldProjection(strategyPodFields, new SharedParts())
  function* objects(): Generator<KubeObject> {
    for (let at = 0; at < size.nodes; at++) yield clusterNode(size, at)
    // As the wire brings it: parts of its own.
    for (let at = 0; at < size.pods; at++) yield projection.project(JSON.parse(JSON.stringify(clusterPod(size, at))))
    yield* clusterNamespaces()
  }
  const { state, problems } = buildClusterState(objects())
  if (problems.length > 0) throw new Error(`${problems.length} problems with the cluster: ${JSON.stringify(problems[0])}`)
  return state
}

interface Decision {
  readonly seconds: number
  /** CPU time of this thread. */
  readonly cpuSeconds: number
  readonly report: CycleReport
}

/** One cycle in which every eviction is granted. */
function decide(state: ClusterState, policy: DeschedulerPolicy, shapes?: PodShapes): Decision {
  const since = systemClock.elapsed()
  const cpu = process.threadCpuUsage()
  const cycle = runCycle({
    policy,
    state,
    strategies: strategyMaker({}),
    nowMs: Date.UTC(2026, 10, 1),
    isDryRun: false,
    ...(shapes !== undefined && { shapes }),
    verbosity: 0,
    tell: () => undefined,
  })
  let step = cycle.next()
  while (step.done !== true) step = cycle.next(step.value.kind === 'evict' ? { kind: 'evicted' } : undefined)
  const { user, system } = process.threadCpuUsage(cpu)
  return { seconds: (systemClock.elapsed() - since) / 1000, cpuSeconds: (user + system) / 1e6, report: step.value }
}

function decisionRows(size: ClusterSize): readonly BudgetRow[] {
  const state = loadedState(size)
  const name = `${size.nodes} nodes, ${size.pods} pods`
  return [false, true].flatMap(nodeFit => {
    const policy = policyOf(chartPolicy({ nodeFit }))
    const shapes = new PodShapes(state)
    const found = Array.from({ length: cycles }, () => decide(state, policy, shapes))
    const [first] = found
    const median = (of: 'seconds' | 'cpuSeconds') => {
      const sorted = found
        .slice(1)
        .map(decision => decision[of])
        .sort((a, b) => a - b)
      return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
    }
    const budget = nodeFit ? nodeFitBudgetSeconds : budgetSeconds.get(size.pods)
    const what = `${name}, chart's policy${nodeFit ? ' with nodeFit' : ''}`
    return [
      { what: `${what}: first decision`, value: first?.seconds ?? Number.NaN, unit: 's' },
      {
        what: `${what}: decision`,
        value: median('seconds'),
        unit: 's',
        ...(budget !== undefined && { budget: { atMost: budget } }),
      },
      { what: `${what}: decision, processor time`, value: median('cpuSeconds'), unit: 's' },
      { what: `${what}: evictions (${digestOf(first?.report)})`, value: first?.report.evicted ?? Number.NaN, unit: 'pods' },
    ]
  })
}

function policyOf(text: string): DeschedulerPolicy {
  const read = readPolicy(text, { file: 'policy.json', priorityOf: () => undefined })
  if (!read.ok) throw new Error(policyRefusal(read.problems))
  return read.policy
}

/** Equal where the same pods were evicted in the same order. */
function digestOf(report: CycleReport | undefined): string {
  return hash('sha256', JSON.stringify(report?.entries.map(({ wish, result }) => [wish.pod.key, wish.strategy, result]))).slice(
    0,
    8,
  )
}

if (import.meta.main) {
  const wanted = Number(process.argv[2] ?? Number.NaN)
  const sizes = clusterSizes.filter(({ pods }) => Number.isNaN(wanted) || pods === wanted)
  for (const size of sizes) process.stdout.write(`${budgetTable(decisionRows(size))}\n`)
}
