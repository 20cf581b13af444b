// The main job as its user sees it: the example's cluster in the twin, Ballast with its ServiceAccount's rights alone, judged from outside.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import tables from '../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { readSource } from '../src/cli/source/source.ts'
import { startEmbeddedCluster } from '../src/cli/up/embedded-cluster.ts'
import { exitCodeOf, runRebalance } from '../src/cli/up/rebalance-run.ts'
import { openChecker } from './independent-checker.ts'
import { runsOf } from './runs.ts'

const example = join(import.meta.dirname, '..', 'examples', 'talos-homelab')
const day = 24 * 3_600_000

async function runExample(seed: number) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const { signal } = new AbortController()
  const { objects } = readSource(example)
  await using cluster = await startEmbeddedCluster({
    objects: objects.map(({ object }) => object),
    clock,
    seed,
    log: silentLog,
    signal,
  })
  const checker = await openChecker(cluster.twin.transport({ admin: true }))
  await using informers = new Informers(cluster.admin, { clock, random: seededRandom(seed), signal })
  let isDone = false
  const running = runRebalance({
    admin: cluster.admin,
    informers,
    clock,
    policy: 'talos',
    watch: { proposed: () => Promise.resolve(), step: () => undefined, replaced: () => undefined },
    signal,
  }).finally(() => {
    isDone = true
  })
  const [end] = await Promise.all([running, clock.runUntil(() => isDone, { limitMs: day })])
  await cluster.twin.settle({ limitMs: 600_000 })
  const judgement = await checker.judge()
  const nodes = await cluster.admin.resource<Node>(builtIn.nodes).list({ signal })
  const taints = nodes.items.flatMap(node => (node.spec?.taints ?? []).map(taint => `${node.metadata.name} ${taint.key}`))
  const requests = cluster.twin.requests.entries
  return { end, judgement, taints, requests }
}
// `npm test` runs one, `npm run test:deep` three; BALLAST_SEEDS says others.
const seeds = (process.env['BALLAST_SEEDS'] ?? process.env['BALLAST_SEED'] ?? (runsOf(3) === 3 ? '1,2,3' : '1'))
  .split(',')
  .map(Number)

describe.each(seeds)('the Talos homelab put right, seed %i', seed => {
  test('ends with the optimum, no budget broken, nothing pending, nothing left behind', async () => {
    const { end, judgement, taints, requests } = await runExample(seed)
    expect(exitCodeOf(end)).toBe(0)
    expect(judgement.violations).toEqual([])
    expect(judgement.events).toBeGreaterThan(60)
    expect(judgement.pending).toEqual([])
    expect(taints).toEqual([])
    const evictions = requests.filter(request => request.path.endsWith('/eviction') && request.code === 201)
    const landed = end.plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed')
    const surges = end.plans.flatMap(plan => plan.spec.moves).filter(move => move.action === 'surge')
    expect(landed.length).toBe(tables.plan.moves)
    expect(evictions.length + surges.length).toBe(tables.plan.moves)
    expect(landed.every(step => step.landedOn === tables.plan.to)).toBe(true)
    const control = judgement.nodes.get('talos00')
    const target = judgement.nodes.get('talos03')
    expect(Math.trunc((100 * (control?.millicores ?? 0)) / 7950)).toBeLessThanOrEqual(tables.plan.talos00CpuAtMost)
    expect(Math.trunc((100 * (target?.millicores ?? 0)) / 15950)).toBeGreaterThanOrEqual(tables.plan.talos03CpuAtLeast)
    expect((100 * (target?.mebibytes ?? 0)) / 13800).toBeLessThanOrEqual(tables.plan.talos03MemoryAtMost)
    expect([...judgement.nodes.values()].reduce((sum, node) => sum + node.pods, 0)).toBe(124)
    // Ballast acts with its own rights, and they are enough.
    const own = requests.filter(request => request.user === 'system:serviceaccount:ballast-system:ballast-controller')
    expect(own.length).toBeGreaterThan(100)
    expect(own.filter(request => request.code === 403)).toEqual([])
    expect(evictions.every(request => request.user === 'system:serviceaccount:ballast-system:ballast-controller')).toBe(true)
  })
})
