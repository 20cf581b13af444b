// Reload with Reloader's role, which lets workloads be listed and not watched: few requests, no decision on what is out of date, and no
// change lost to a workload that nobody had listed yet.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import {
  changeConfigMap,
  changeSecret,
  configMap,
  marksOf,
  type ReloadWorkload,
  reloadCluster,
  remembered,
  rolloutsOf,
  secret,
  workload,
} from './reload-cluster.ts'

const { signal } = new AbortController()
const workloads = /\/(deployments|daemonsets|statefulsets|cronjobs|jobs)$/
const unwatchable = { paths: workloads, pollMs: 60_000 }
const now = { debounce: '0s' }

const settings = configMap('settings', { colour: 'red' })
const db = secret('db', { password: 'first' })
const cart = workload({ name: 'cart', configmaps: ['settings'] })

async function start(objects: readonly KubeObject[], config: object = now): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, { unwatchable, config })
  await cluster.until(() => cluster.reads.some(read => /^watch .*deployments$/.test(read)))
  await remembered(cluster)
  await cluster.pass(5_000)
  return cluster
}

const readsOf = (cluster: ControlledCluster, pattern: RegExp) => cluster.reads.filter(read => pattern.test(read))
const ofWorkloads = /\/(deployments|daemonsets|statefulsets|cronjobs|jobs)(\?|$)/
const deployments: GroupVersionResource = builtIn.deployments

async function create(cluster: ControlledCluster, of: ReloadWorkload): Promise<void> {
  await cluster.admin.resource<KubeObject>(deployments).create(workload(of), { namespace: of.namespace ?? 'shop', signal })
}

describe('requests', () => {
  test('ten minutes of nothing: each kind is listed once a minute, and watching is tried twice', async () => {
    await using cluster = await start([settings, cart])
    cluster.reads.length = 0
    await cluster.pass(600_000)
    const lists = readsOf(cluster, /^read /).filter(read => ofWorkloads.test(read))
    expect(lists.length).toBeGreaterThanOrEqual(5 * 8)
    expect(lists.length).toBeLessThanOrEqual(5 * 10)
    expect(readsOf(cluster, /^watch /).filter(read => ofWorkloads.test(read)).length).toBeLessThanOrEqual(10)
  })

  test('a change: one read of it, one list of each kind of its namespace, one patch', async () => {
    await using cluster = await start([settings, cart, workload({ name: 'other', namespace: 'web' })])
    cluster.reads.length = 0
    cluster.writes.length = 0
    await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    await cluster.until(() => rolloutsOf(cluster, 'cart') === 1)
    expect(readsOf(cluster, /settings$/)).toEqual(['read /api/v1/namespaces/shop/configmaps/settings'])
    expect(readsOf(cluster, ofWorkloads).sort()).toEqual([
      'read /apis/apps/v1/namespaces/shop/daemonsets',
      'read /apis/apps/v1/namespaces/shop/deployments',
      'read /apis/apps/v1/namespaces/shop/statefulsets',
      'read /apis/batch/v1/namespaces/shop/cronjobs',
      'read /apis/batch/v1/namespaces/shop/jobs',
    ])
    expect(cluster.writes.filter(write => /deployments/.test(write))).toHaveLength(1)
  })

  test('a change of labels alone lists nothing, of an object that nobody takes either', async () => {
    await using cluster = await start([settings, db, cart])
    cluster.reads.length = 0
    for (const value of ['1', '2', '3']) {
      await cluster.change(builtIn.secrets, { name: 'db', namespace: 'shop' }, { metadata: { labels: { beat: value } } })
      await cluster.change(builtIn.configmaps, { name: 'settings', namespace: 'shop' }, { metadata: { labels: { beat: value } } })
      await cluster.pass(1_000)
    }
    expect(readsOf(cluster, ofWorkloads)).toEqual([])
    expect(rolloutsOf(cluster, 'cart')).toBe(0)
  })

  test('twenty changes of one moment share a few lists', async () => {
    const maps = Array.from({ length: 20 }, (_, index) => configMap(`c${index}`, { a: '1' }))
    const users = maps.map(({ metadata }) => workload({ name: `w-${metadata.name}`, configmaps: [metadata.name] }))
    await using cluster = await start([...maps, ...users])
    cluster.reads.length = 0
    for (const { metadata } of maps) await changeConfigMap(cluster, metadata.name, { a: '2' })
    await cluster.until(() => users.every(({ metadata }) => rolloutsOf(cluster, metadata.name) === 1))
    expect(readsOf(cluster, /^read .*deployments$/).length).toBeLessThanOrEqual(5)
  })
})

describe('what is decided on', () => {
  test('an annotation that was taken away a moment before the change counts', async () => {
    await using cluster = await start([settings, cart])
    const body = { metadata: { annotations: { 'reloader.stakater.com/auto': null } } }
    await cluster.change(deployments, { name: 'cart', namespace: 'shop' }, body)
    await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    await cluster.pass(120_000)
    expect(rolloutsOf(cluster, 'cart')).toBe(0)
  })

  test('while a list takes its time, nothing is decided on what was there before', async () => {
    const both = workload({ name: 'cart', configmaps: ['settings'], secrets: ['db'] })
    await using cluster = await start([settings, db, both], { debounce: '1s' })
    await changeSecret(cluster, 'db', { password: 'second' })
    await cluster.pass(900)
    cluster.beforeRead = path => (/shop\/deployments$/.test(path) ? cluster.clock.after(3_000) : undefined)
    const body = { metadata: { annotations: { 'reloader.stakater.com/auto': null } } }
    await cluster.change(deployments, { name: 'cart', namespace: 'shop' }, body)
    await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    await cluster.pass(30_000)
    expect(Object.keys(marksOf(cluster, 'cart'))).toEqual(['STAKATER_DB_SECRET'])
  })

  test('an annotation that was given a moment before the change counts', async () => {
    await using cluster = await start([
      settings,
      workload({ name: 'cart', configmaps: ['settings'], annotations: {} }),
      cartOf('x'),
    ])
    const body = { metadata: { annotations: { 'reloader.stakater.com/auto': 'true' } } }
    await cluster.change(deployments, { name: 'cart', namespace: 'shop' }, body)
    await changeConfigMap(cluster, 'settings', { colour: 'blue' })
    await cluster.until(() => rolloutsOf(cluster, 'cart') === 1)
  })

  // biome-ignore format: a table
  test.each([
    ['2 s', now],
    ['2 s', {}],
    ['100 ms', now],
    ['100 ms', {}],
    ['no time', now],
  ] as const)('a workload made %s before the change is reloaded, with %j', async (before, config) => {
    await using cluster = await start([settings, cart, db], config)
    await create(cluster, { name: 'young', secrets: ['db'] })
    await cluster.pass(before === '2 s' ? 2_000 : before === '100 ms' ? 100 : 0)
    await changeSecret(cluster, 'db', { password: 'second' })
    await cluster.until(() => rolloutsOf(cluster, 'young') === 1, 10_000)
    await cluster.pass(200_000)
    expect(rolloutsOf(cluster, 'young')).toBe(1)
    expect(Object.keys(marksOf(cluster, 'young'))).toEqual(['STAKATER_DB_SECRET'])
  })

  // biome-ignore format: a table
  test.each([0, 1, 10, 100, 900, 2_000, 30_000])('a workload made %d ms after the change is not', async afterMs => {
    await using cluster = await start([settings, cart, db])
    await changeSecret(cluster, 'db', { password: 'second' })
    await cluster.pass(afterMs)
    await create(cluster, { name: 'young', secrets: ['db'] })
    await cluster.pass(200_000)
    expect(rolloutsOf(cluster, 'young')).toBe(0)
    await changeSecret(cluster, 'db', { password: 'third' })
    await cluster.until(() => rolloutsOf(cluster, 'young') === 1, 10_000)
  })

  test('a change of labels does not reload a workload made just before', async () => {
    await using cluster = await start([settings, cart, db])
    await create(cluster, { name: 'young', secrets: ['db'] })
    await cluster.change(builtIn.secrets, { name: 'db', namespace: 'shop' }, { metadata: { labels: { a: 'b' } } })
    await cluster.pass(200_000)
    expect(rolloutsOf(cluster, 'young')).toBe(0)
  })

  test('a workload that takes the source only after the change is not reloaded for it', async () => {
    await using cluster = await start([settings, cart, db, workload({ name: 'late' })])
    await changeSecret(cluster, 'db', { password: 'second' })
    const template = { spec: { containers: [{ name: 'app', image: 'i', envFrom: [{ secretRef: { name: 'db' } }] }] } }
    await cluster.change(deployments, { name: 'late', namespace: 'shop' }, { spec: { template } })
    await cluster.pass(200_000)
    expect(marksOf(cluster, 'late')).toEqual({})
  })

  test('of a name that was deleted and made again after the change nothing is reloaded', async () => {
    await using cluster = await start([settings, cart, db], { debounce: '2s' })
    await create(cluster, { name: 'young', secrets: ['db'] })
    await changeSecret(cluster, 'db', { password: 'second' })
    await cluster.pass(500)
    await cluster.admin.resource(deployments).delete('young', { namespace: 'shop', propagationPolicy: 'Foreground', signal })
    await cluster.until(() => !cluster.list('deployments.apps').some(({ metadata }) => metadata.name === 'young'))
    await create(cluster, { name: 'young', secrets: ['db'] })
    await cluster.pass(200_000)
    expect(rolloutsOf(cluster, 'young')).toBe(0)
  })
})

function cartOf(name: string): KubeObject {
  return workload({ name, configmaps: ['settings'] })
}
