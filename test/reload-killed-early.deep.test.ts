// What changes while nobody runs, when whoever ran was killed soon after it came to know of the workloads, or before.
import { describe, expect, test } from 'vitest'
import { disruptionPermits } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { auto, changeConfigMap, configMap, marksOf, reloadCluster, remembered, rolloutsOf, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
/** As with Reloader's role. */
const unwatchable = { paths: /\/(deployments|daemonsets|statefulsets|cronjobs|jobs)$/, pollMs: 60_000 }
const settings = configMap('settings', { colour: 'red' })
const cart = workload({ name: 'cart', configmaps: ['settings'] })
const elsewhere: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web' } }

async function start(options: Partial<Parameters<typeof reloadCluster>[1]> = {}): Promise<ControlledCluster> {
  const cluster = await reloadCluster([elsewhere, settings, cart], { config: { debounce: '0s' }, ...options })
  await remembered(cluster)
  await cluster.pass(15_000)
  return cluster
}

async function createConfigMap(cluster: ControlledCluster, name: string, namespace = 'shop'): Promise<void> {
  await cluster.admin
    .resource<KubeObject>(builtIn.configmaps)
    .create(configMap(name, { a: '1' }, namespace), { namespace, signal })
}

async function createWorkload(cluster: ControlledCluster, name: string, configmaps: readonly string[], namespace = 'shop') {
  const object = workload({ name, configmaps, namespace })
  await cluster.admin.resource<KubeObject>(builtIn.deployments).create(object, { namespace, signal })
}

const names = Array.from({ length: 20 }, (_, at) => `late-${at}`)
const rollouts = (cluster: ControlledCluster) => names.map(name => rolloutsOf(cluster, name))

describe.each([
  { watching: 'watched', options: {} },
  { watching: 'only listed', options: { unwatchable } },
])('workloads that are $watching', ({ options }) => {
  test('what is known for less than a second is remembered', async () => {
    await using cluster = await start(options)
    for (const name of names) await createConfigMap(cluster, name)
    for (const name of names) await createWorkload(cluster, name, [name])
    await cluster.pass(100)
    // Who may only list them looks at them now.
    await changeConfigMap(cluster, 'late-0', { a: '2' })
    await cluster.pass(800)
    cluster.killController()
    for (const name of names) await changeConfigMap(cluster, name, { a: '3' })
    await cluster.pass(120_000)
    expect(rollouts(cluster)).toEqual([2, ...names.slice(1).map(() => 1)])
  })
})

test('what the template cannot tell of is remembered soon, where permits are lost with who wrote them', async () => {
  const evicted = { ...auto, 'ballast.dev/reload-by': 'eviction' }
  const objects = [settings, workload({ name: 'cart', configmaps: ['settings'], annotations: evicted })]
  await using cluster = await reloadCluster(objects, { config: { debounce: '0s' } })
  await remembered(cluster)
  await cluster.pass(15_000)
  const evictions = () => cluster.writes.filter(write => write.endsWith('/eviction')).length
  await changeConfigMap(cluster, 'settings', { colour: 'blue' })
  await cluster.pass(4_000)
  expect(evictions()).toBe(1)
  cluster.killController()
  // As of the drop-in, which keeps them in its memory.
  await cluster.admin.resource<KubeObject>(disruptionPermits).deleteCollection({ namespace: 'shop', signal })
  await cluster.pass(120_000)
  expect(cluster.permits()).toEqual([])
  expect(evictions()).toBe(1)
})

describe('workloads that nobody had listed yet', () => {
  /** A write of the baseline, which tells when somebody last was there, and looks at nothing of `web`. */
  async function signOfLife(cluster: ControlledCluster): Promise<void> {
    await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    await cluster.pass(12_000)
    cluster.killController()
  }
  const changeInWeb = (cluster: ControlledCluster, name: string, body: object) =>
    cluster.change(builtIn.configmaps, { name, namespace: 'web' }, body)

  test('are reloaded once by what changed while nobody ran', async () => {
    await using cluster = await start({ unwatchable })
    await createConfigMap(cluster, 'late', 'web')
    await createWorkload(cluster, 'late', ['late'], 'web')
    await cluster.pass(1_000)
    await signOfLife(cluster)
    await changeInWeb(cluster, 'late', { data: { a: '2' } })
    await cluster.pass(120_000)
    expect(rolloutsOf(cluster, 'late')).toBe(1)
    expect(Object.keys(marksOf(cluster, 'late'))).toEqual(['STAKATER_LATE_CONFIGMAP'])
    cluster.killController()
    await cluster.pass(120_000)
    expect([rolloutsOf(cluster, 'late'), rolloutsOf(cluster, 'cart')]).toEqual([1, 1])
  })

  test('are left alone where they came after the change, or only labels changed', async () => {
    await using cluster = await start({ unwatchable })
    for (const name of ['late', 'calm']) await createConfigMap(cluster, name, 'web')
    await createWorkload(cluster, 'calm', ['calm'], 'web')
    await cluster.pass(1_000)
    await signOfLife(cluster)
    await changeInWeb(cluster, 'late', { data: { a: '2' } })
    await changeInWeb(cluster, 'calm', { metadata: { labels: { beat: '2' } } })
    await createWorkload(cluster, 'late', ['late'], 'web')
    await cluster.pass(120_000)
    expect(['late', 'calm', 'cart'].map(name => rolloutsOf(cluster, name))).toEqual([0, 0, 1])
  })
})
