// Reloader's counters of what its watches tell: what lies in a namespace that is left out is received, and skipped.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { configMap, reloadCluster, remembered, workload } from './reload-cluster.ts'

const { signal } = new AbortController()
const all = { reloadOnCreate: true, reloadOnDelete: true }
const ignoring = { namespacesToIgnore: ['b'] }
const selecting = { namespaceSelector: 'team=x' }

// biome-ignore format: a table
test.each<[string, object, readonly [number, number, number], number]>([
  ['ignored',                            ignoring,               [1, 1, 1], 1],
  ['ignored, what comes and goes counts', { ...ignoring, ...all }, [1, 1, 1], 3],
  ['not selected',                       selecting,              [1, 1, 1], 1],
  ['read by another label',              { resourceLabelSelector: 'team=x', ...all }, [0, 0, 0], 0],
  ['not among those that are named',     { namespaces: ['a'], ...all }, [0, 0, 0], 0],
  ['not selected, what comes and goes counts', { ...selecting, ...all }, [1, 1, 1], 3],
])('a namespace that is %s', async (_name, config, received, skipped) => {
  const labelled = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', labels: { team: 'x' } } }
  const objects: readonly KubeObject[] = [
    configMap('settings', { key: 'one' }, 'a'),
    workload({ name: 'web', namespace: 'a', configmaps: ['settings'] }),
    configMap('settings', { key: 'one' }, 'b'),
  ]
  // Its roles lie in the namespaces that are named: these are there before it.
  const before = 'namespaces' in config ? [labelled] : []
  await using cluster = await reloadCluster(objects, { config, before })
  await cluster.admin.resource<KubeObject>(builtIn.namespaces).patch('a', { type: 'merge', body: labelled }, { signal })
  cluster.startController()
  await remembered(cluster)
  await cluster.pass(60_000)
  const counts = async () => {
    const text = await cluster.metrics.metrics()
    const count = (row: string) => Number(text.split('\n').find(line => line.startsWith(`${row} `))?.split(' ').at(-1) ?? 0)
    const told = ['add', 'update', 'delete'].map(type =>
      count(`reloader_events_received_total{event_type="${type}",resource_type="configmaps"}`),
    )
    return { told, skipped: count('reloader_skipped_total{reason="ignored_or_not_selected"}') }
  }
  const sofar = await counts()
  const maps = cluster.admin.resource<KubeObject>(builtIn.configmaps)
  const at = { namespace: 'b', signal }
  await maps.create(configMap('fresh', { key: 'one' }, 'b'), at)
  await maps.patch('fresh', { type: 'merge', body: { data: { key: 'two' } } }, at)
  await maps.delete('fresh', at)
  await cluster.pass(1_000)
  const after = await counts()
  expect(after.told.map((count, place) => count - (sofar.told[place] ?? 0))).toEqual(received)
  expect(after.skipped - sofar.skipped).toBe(skipped)
})

// biome-ignore format: a table
test.each<[string, object, { readonly skipped: number; readonly namespaces: number }]>([
  ['what is created reloads',               { reloadOnCreate: true },  { skipped: 2, namespaces: 0 }],
  ['one is ignored, what is created reloads', { ...ignoring, reloadOnCreate: true }, { skipped: 2, namespaces: 0 }],
  ['one is selected',                       selecting,                 { skipped: 0, namespaces: 1 }],
])('what is there at a start counts as added: %s', async (_name, config, expected) => {
  const labelled = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', labels: { team: 'x' } } }
  const objects = [configMap('one', { key: 'one' }, 'a'), configMap('two', { key: 'one' }, 'b')]
  await using cluster = await reloadCluster(objects, { config })
  await cluster.admin.resource<KubeObject>(builtIn.namespaces).patch('a', { type: 'merge', body: labelled }, { signal })
  cluster.startController()
  await cluster.pass(30_000)
  const text = await cluster.metrics.metrics()
  const count = (row: string) => Number(text.split('\n').find(line => line.startsWith(`${row} `))?.split(' ').at(-1) ?? 0)
  const received = (type: string, of: string) => count(`reloader_events_received_total{event_type="${type}",resource_type="${of}"}`)
  const there = cluster.list<KubeObject>('configmaps').filter(({ metadata }) => ['one', 'two'].includes(metadata.name))
  // Those of others came and went as well: each is added before it is deleted. Our own are not counted.
  const others = cluster.list<KubeObject>('configmaps').filter(({ metadata }) => !metadata.name.startsWith('ballast-'))
  expect(received('add', 'configmaps') - received('delete', 'configmaps')).toBe(others.length)
  expect(there).toHaveLength(2)
  expect(received('add', 'namespaces')).toBe(expected.namespaces)
  const created = cluster.list('configmaps').length - there.length
  const skipped = count('reloader_skipped_total{reason="ignored_or_not_selected"}')
  expect(skipped).toBeGreaterThanOrEqual(expected.skipped)
  // Beside them changes of others in a namespace that is left out, and what was made since.
  const most = received('update', 'configmaps') + (expected.skipped === 0 ? 0 : expected.skipped + created)
  expect(skipped).toBeLessThanOrEqual(most)
})

test('namespaces that come in and fall out are counted as upstream sees them, by their labels', async () => {
  const named = (name: string, labels: Readonly<Record<string, string>>) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  })
  const config = { ...selecting, reloadOnDelete: true }
  await using cluster = await reloadCluster([], { config, before: [named('a', { team: 'x' }), named('b', {})] })
  cluster.startController()
  await cluster.pass(30_000)
  const label = (name: string, labels: object) => cluster.change(builtIn.namespaces, { name }, { metadata: { labels } })
  await label('b', { team: 'x' })
  await cluster.pass(1_000)
  await label('b', { other: 'y' })
  await cluster.pass(1_000)
  const skips = (of: string) => Number(/reloader_skipped_total\{reason="ignored_or_not_selected"\} (\d+)/.exec(of)?.[1])
  const before = skips(await cluster.metrics.metrics())
  await label('b', { team: null })
  await cluster.pass(1_000)
  const text = await cluster.metrics.metrics()
  const rows = text
    .split('\n')
    .filter(line => line.startsWith('reloader_events_received_total{') && line.includes('"namespaces"'))
  expect(rows.map(line => line.replace(/.*event_type="(\w+)".* /, '$1 ')).sort()).toEqual(['add 2', 'delete 1', 'update 1'])
  expect(skips(text) - before).toBe(1)
})
