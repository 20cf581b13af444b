// Which namespaces and objects are looked at, and the update webhook that takes the place of reloads.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startReceiver } from '../src/capabilities/reload/telling/receiver-for-tests.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { configMap, marksOf, reloadCluster, remembered, secret, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const minuteMs = 60_000
const eager = { debounce: '0s', rateGuard: { enabled: false } }

/** A ConfigMap `settings` and a Deployment `web-<namespace>` that reads it, in each namespace. */
function inEach(namespaces: readonly string[]): readonly KubeObject[] {
  return namespaces.flatMap(namespace => [
    configMap('settings', { key: 'one' }, namespace),
    workload({ name: `web-${namespace}`, namespace, configmaps: ['settings'] }),
  ])
}

async function running(objects: readonly KubeObject[], config: object, known = 1): Promise<ControlledCluster> {
  const cluster = await reloadCluster(objects, { config: { ...eager, ...config } })
  cluster.startController()
  await remembered(cluster, known)
  return cluster
}

async function changeAll(cluster: ControlledCluster, namespaces: readonly string[], key: string): Promise<void> {
  for (const namespace of namespaces) await cluster.change(builtIn.configmaps, { name: 'settings', namespace }, { data: { key } })
  await cluster.pass(minuteMs)
}

const reloaded = (cluster: ControlledCluster, namespaces: readonly string[]) =>
  namespaces.filter(namespace => Object.keys(marksOf(cluster, `web-${namespace}`)).length > 0)

/** Paths below which the controller watched or listed configuration. */
function asked(cluster: ControlledCluster): readonly string[] {
  const own = cluster.twin.requests.entries.filter(({ user, verb }) => user.endsWith(':ballast-controller') && verb === 'GET')
  const paths = own.map(({ path }) => path).filter(path => /\/(configmaps|secrets)$/.test(path))
  return [...new Set(paths)].toSorted()
}

describe('namespaces', () => {
  const all = ['a', 'b', 'c']

  test('exactly those named, with watches of their own', async () => {
    const config = { ...eager, namespaces: ['a', 'c'], namespacesToIgnore: ['a'] }
    const before = all.map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
    await using cluster = await reloadCluster(inEach(all), { before, config })
    cluster.startController()
    await remembered(cluster, 2)
    await changeAll(cluster, all, 'two')
    expect(reloaded(cluster, all)).toEqual(['a', 'c'])
    expect(asked(cluster)).toEqual(
      ['a', 'c'].flatMap(one => ['configmaps', 'secrets'].map(kind => `/api/v1/namespaces/${one}/${kind}`)).toSorted(),
    )
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('all but the ignored ones', async () => {
    await using cluster = await running(inEach(all), { namespacesToIgnore: ['b'] }, 2)
    await changeAll(cluster, all, 'two')
    expect(reloaded(cluster, all)).toEqual(['a', 'c'])
    expect(asked(cluster)).toEqual(['/api/v1/configmaps', '/api/v1/secrets'])
    const own = cluster.twin.requests.entries.filter(({ user }) => user.endsWith(':ballast-controller'))
    expect(own.filter(({ path }) => path.startsWith('/api/v1/namespaces/b/'))).toEqual([])
  })

  test('a selected one counts while it has the label: it is dropped at once, and watched again as what it is then', async () => {
    const objects = inEach(all)
    await using cluster = await reloadCluster(objects, { config: { ...eager, namespaceSelector: 'reload=yes' } })
    const label = (name: string, value: string | null) =>
      cluster.change(builtIn.namespaces, { name }, { metadata: { labels: { reload: value } } })
    await label('a', 'yes')
    await label('b', 'yes')
    cluster.startController()
    await remembered(cluster, 2)
    // The label goes, and in the same moment the content changes.
    await label('b', null)
    await changeAll(cluster, all, 'two')
    expect(reloaded(cluster, all)).toEqual(['a'])
    await label('c', 'yes')
    await cluster.pass(minuteMs)
    // What was never looked at is known from now on.
    expect(reloaded(cluster, all)).toEqual(['a'])
    await changeAll(cluster, all, 'three')
    expect(reloaded(cluster, all)).toEqual(['a', 'c'])
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  test('objects without the label of the selector do not exist for it', async () => {
    const labelled = {
      ...configMap('settings', { key: 'one' }),
      metadata: { name: 'settings', namespace: 'shop', labels: { kind: 'app' } },
    }
    const objects = [
      labelled,
      configMap('bare', { key: 'one' }),
      workload({ name: 'web-labelled', configmaps: ['settings'] }),
      workload({ name: 'web-bare', configmaps: ['bare'] }),
    ]
    await using cluster = await running(objects, { resourceLabelSelector: 'kind:app' })
    for (const name of ['settings', 'bare'])
      await cluster.change(builtIn.configmaps, { name, namespace: 'shop' }, { data: { key: 'two' } })
    await cluster.pass(minuteMs)
    expect(reloaded(cluster, ['labelled', 'bare'])).toEqual(['labelled'])
    // With the label lost it looks deleted, which reloads nothing.
    await cluster.change(builtIn.configmaps, { name: 'settings', namespace: 'shop' }, { metadata: { labels: { kind: null } } })
    const marks = marksOf(cluster, 'web-labelled')
    await cluster.change(builtIn.configmaps, { name: 'settings', namespace: 'shop' }, { data: { key: 'three' } })
    await cluster.pass(minuteMs)
    expect(marksOf(cluster, 'web-labelled')).toEqual(marks)
  })

  test.each([
    ['configmaps', ['TOKEN_SECRET']],
    ['secrets', ['SETTINGS_CONFIGMAP']],
  ])('%s are not watched where they are ignored', async (ignored, left) => {
    const objects = [
      configMap('settings', { key: 'one' }),
      secret('token', { key: 'one' }),
      workload({ name: 'web-both', configmaps: ['settings'], secrets: ['token'] }),
    ]
    await using cluster = await running(objects, { resourcesToIgnore: [ignored] })
    await cluster.change(builtIn.configmaps, { name: 'settings', namespace: 'shop' }, { data: { key: 'two' } })
    await cluster.change(builtIn.secrets, { name: 'token', namespace: 'shop' }, { data: { key: 'dHdv' } })
    await cluster.pass(minuteMs)
    expect(Object.keys(marksOf(cluster, 'web-both'))).toEqual(left.map(name => `STAKATER_${name}`))
    expect(asked(cluster)).not.toContain(`/api/v1/${ignored}`)
  })
})

describe('with an update webhook', () => {
  test('each change of data is a POST, and no workload is touched', async () => {
    await using receiver = await startReceiver()
    const objects = [configMap('settings', { key: 'one' }), workload({ name: 'web', configmaps: ['settings'] })]
    const config = { ...eager, webhookUrl: `${receiver.url}/hook`, reloadOnCreate: true }
    await using cluster = await reloadCluster(objects, { config })
    cluster.startController()
    await cluster.pass(minuteMs)
    expect(receiver.received).toEqual([])
    const at = { name: 'settings', namespace: 'shop' }
    await cluster.change(builtIn.configmaps, at, { data: { key: 'two' } })
    await told(cluster, () => receiver.received.length === 1)
    await cluster.change(builtIn.configmaps, at, { metadata: { labels: { touched: 'yes' } } })
    // One that nobody refers to counts, too, and its creation.
    await cluster.admin.resource(builtIn.configmaps).create(configMap('nobodys', { key: 'one' }), { signal })
    await told(cluster, () => receiver.received.length === 2)
    await cluster.change(builtIn.configmaps, { ...at, name: 'nobodys' }, { data: { key: 'two' } })
    await told(cluster, () => receiver.received.length === 3)
    await cluster.pass(minuteMs)
    expect(receiver.received.map(({ method, path, body }) => `${method} ${path} ${body}`)).toEqual(
      Array.from({ length: 3 }, () => 'POST /hook {"webhook":"update successful"}'),
    )
    expect([marksOf(cluster, 'web'), cluster.permits()]).toEqual([{}, []])
    expect(cluster.writes.filter(write => /deployments|baseline/.test(write))).toEqual([])
    expect([cluster.errors, cluster.forbidden]).toEqual([[], []])
  })

  /** What goes over a socket takes real time: the cluster's moves on meanwhile. */
  async function told(cluster: ControlledCluster, done: () => boolean): Promise<void> {
    await expect
      .poll(async () => {
        await cluster.pass(100)
        return done()
      })
      .toBe(true)
  }
})
