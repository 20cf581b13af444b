// Bad input for the drop-in descheduler, from the cluster and the machine (rebalancing.md §4): watches that break, a server that is away,
// clocks that jump, objects that nobody can read, and no file to write.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { runBallast } from './cli/run-ballast.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { freePort } from './real/control-plane/free-ports.ts'
import { node } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const policy = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })
const minuteMs = 60_000
const dayMs = 86_400_000

async function start(further: readonly KubeObject[] = []): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start([
    ...objectsOf([tainted('n1'), ...['n2', 'n3'].map(node)], { n1: 4 }),
    ...further,
  ])
  open.push(cluster)
  return cluster
}

/** No pod of the cluster tolerates it any more. */
async function taint(cluster: DeschedulerCluster, name: string): Promise<void> {
  const taints = [{ key: 'gone', value: 'yes', effect: 'NoSchedule' }]
  await cluster.admin.resource<Node>(builtIn.nodes).patch(name, { type: 'merge', body: { spec: { taints } } }, { signal })
}

const nodesInUse = (cluster: DeschedulerCluster) => [...new Set(Object.values(cluster.standing()))].sort()
type Fault = Parameters<DeschedulerCluster['twin']['fault']>[0]

// biome-ignore format: a table
test.each<[string, Fault]>([
  ['watches that end at once', { match: { verbs: ['watch'] }, watch: { drop: {} }, until: '40s' }],
  ['watches that break in the middle of an event', { match: { verbs: ['watch'] }, watch: { cut: {} }, until: '40s' }],
  ['watches that say 410', { match: { verbs: ['watch'] }, watch: { expire: {} }, until: '40s' }],
  ['watches without bookmarks', { match: { verbs: ['watch'] }, watch: { bookmarkless: {} } }],
  ['watches that tell everything twice', { match: { verbs: ['watch'] }, watch: { repeat: {} } }],
  ['a history that is forgotten', { compact: { keepRevisions: 0 } }],
  ['a server that starts anew', { match: { verbs: ['get', 'list', 'watch', 'create'] }, status: { code: 503, message: 'the server is starting' }, until: '40s' }],
  ['connections that break after the server acted', { match: { resource: 'pods/eviction' }, reset: { when: 'after' }, count: 2 }],
])('%s: it lists anew, decides by what is, and evicts no pod twice', async (_, fault) => {
  const cluster = await start()
  const run = cluster.run({ policy, settings: { deschedulingIntervalMs: minuteMs } })
  await cluster.until(() => cluster.evictions.length === 4 && nodesInUse(cluster).join() === 'n2,n3')
  cluster.twin.fault(fault)
  await taint(cluster, 'n2')
  const leaving = Object.entries(cluster.standing()).filter(([, on]) => on === 'n2')
  expect(leaving.length).toBeGreaterThan(0)
  await cluster.until(() => nodesInUse(cluster).join() === 'n3', 1_000)
  const evicted = cluster.evictions.filter(line => line.startsWith('201 ')).map(line => line.slice(4))
  expect(new Set(evicted).size).toBe(evicted.length)
  expect(evicted.slice(4).sort()).toEqual(leaving.map(([name]) => name).sort())
  expect(run.end).toBeUndefined()
})

test.each<[string, number]>([
  ['forward by a day', dayMs],
  ['back by a day', -dayMs],
])('the clock of the machine jumps %s: cycles keep their rhythm, and no pod is evicted twice', async (_, jumpMs) => {
  const cluster = await start()
  const run = cluster.run({ policy: { ...policy, maxNoOfPodsToEvictTotal: 1 }, settings: { deschedulingIntervalMs: minuteMs } })
  await cluster.until(() => cluster.evictions.length === 1)
  const { clock } = cluster
  const told = clock.now.bind(clock)
  clock.now = () => told() + jumpMs
  const jumpedMs = clock.elapsed()
  await cluster.until(() => cluster.evictions.length === 3, 250)
  const passedMs = clock.elapsed() - jumpedMs
  expect(passedMs).toBeGreaterThan(minuteMs)
  expect(passedMs).toBeLessThan(3 * minuteMs)
  expect(new Set(cluster.evictions).size).toBe(3)
  expect(run.end).toBeUndefined()
})

test('no file is written: nothing but the policy is needed, also for a port with a certificate of its own', async () => {
  const place = mkdtempSync(join(tmpdir(), 'ballast-nothing-written-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rmSync(place, { recursive: true, force: true }))
  const objects = objectsOf([tainted('n1'), node('n2')], { n1: 2 })
  const twin = stack.use(await startTwin({ clock: systemClock, objects, listen: { port: 0 } }))
  const file = (name: string, text: string) => {
    writeFileSync(join(place, name), text, { mode: 0o600 })
    return join(place, name)
  }
  const flags = [
    `--policy-config-file=${file('policy.json', JSON.stringify(policy))}`,
    `--kubeconfig=${file('kubeconfig', await twin.kubeconfig())}`,
  ]
  // Where programs write that write: none of these is there.
  const away = join(place, 'away')
  const environment = { HOME: away, TMPDIR: away, XDG_CACHE_HOME: away, XDG_CONFIG_HOME: away }
  const { code, words } = await runBallast(
    ['descheduler', ...flags, `--secure-port=${await freePort()}`, '--bind-address=127.0.0.1', `--cert-dir=${away}`, '-v=1'],
    '',
    {
      environment,
    },
  )
  expect({ code, evicted: /totalEvicted=2/.test(words) }).toEqual({ code: 0, evicted: true })
  expect(readdirSync(place).sort()).toEqual(['kubeconfig', 'policy.json'])
})
