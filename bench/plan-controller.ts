// How long `ballast controller` takes from the wish for a plan until the plan is stored, and what memory it holds: on the twin, with the
// clusters of `bench/plan.ts`. Run it alone: `node bench/plan-controller.ts 1500 45000 60` (nodes, pods, hot nodes).
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rebalancePolicies } from '#coordination/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { crowdedCluster } from './crowded-cluster.ts'
import { startInstalledTwin } from './installed-twin.ts'
import { cpuMsOf, peakRssOf } from './twin-process.ts'

const policyName = 'bench'
const startMs = 900_000
const limitMs = 1_800_000
const [nodes = 1_500, pods = 45_000, hot = 60] = process.argv.slice(2).map(Number)

async function until(what: string, child: ChildProcess, holds: () => Promise<boolean>): Promise<number> {
  const fromMs = systemClock.elapsed()
  while (!(await holds())) {
    if (child.exitCode !== null) throw new Error(`the controller ended with ${child.exitCode} while it was waited for ${what}`)
    if (systemClock.elapsed() - fromMs > limitMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`)
    await systemClock.after(250)
  }
  return systemClock.elapsed() - fromMs
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    // Nobody listens yet.
    return false
  }
}

/** With what a cluster that stands still has written to it: nothing is left for controllers to do. */
function settled(object: KubeObject): KubeObject {
  if (object.kind !== 'PodDisruptionBudget') return object
  const status = { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, observedGeneration: 1 }
  return { ...object, metadata: { ...object.metadata, generation: 1 }, status }
}

const directory = mkdtempSync(join(tmpdir(), 'ballast-plan-controller-'))
await using resources = new AsyncDisposableStack()
resources.defer(() => rmSync(directory, { recursive: true, force: true }))
const { objects, goals } = crowdedCluster({ nodes, pods, hot, seed: 7 })
const dump = join(directory, 'cluster.json')
writeFileSync(dump, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.map(settled) }))
const off = ['--controllers', '-*', '--scheduler', 'off', '--kubelet', 'off', '--events', 'off', '--heartbeat', 'off']
const twin = resources.use(
  await startInstalledTwin({ flags: ['--cluster', dump, ...off], policy: policyName, startMs, heapMegabytes: 8_192 }),
)
await twin.admin.resource(rebalancePolicies).create(
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: policyName },
    spec: {
      trigger: 'manual',
      mode: 'Report',
      objective: 'moves',
      limits: { perPlan: 666, perHour: 1_000 },
      goals: goals.map(({ name, nodes: names, resource, max }) => ({ name, nodes: names, resource, max })),
    },
  },
  { signal: new AbortController().signal },
)
const port = await freePort()
const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
const flags = ['--kubeconfig', twin.kubeconfig, '--enable', 'deschedule', '--health-probe-bind-address', `127.0.0.1:${port}`]
const controller = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'controller', ...flags], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
resources.defer(() => void controller.kill('SIGKILL'))
const { pid } = controller
if (pid === undefined) throw new Error('the controller did not start')
const readyMs = await until('/readyz', controller, () => isReady(port))
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`
console.log(`ready after ${seconds(readyMs)}, ${seconds(cpuMsOf(pid))} of a processor, at most ${mebibytes(peakRssOf(pid))}`)
const cpuBefore = cpuMsOf(pid)
await twin.ask()
const plannedMs = await until('a plan', controller, async () => (await twin.plans()).length > 0)
const [plan] = await twin.plans()
console.log(
  `${nodes} nodes, ${pods} pods, ${hot} hot: a plan is stored after ${seconds(plannedMs)}, ${seconds(cpuMsOf(pid) - cpuBefore)} of a processor without its solver; ` +
    `at most ${mebibytes(peakRssOf(pid))}; ${plan?.spec.moves.length} moves, goals ${plan?.spec.outcome}`,
)
