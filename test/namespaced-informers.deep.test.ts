// A kind in some namespaces, watched one by one, looks like one watch; what lies in no namespace is not asked for.
import { expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { startMs } from './controlled-cluster.ts'
import { configMap, surroundings } from './reload-cluster.ts'

const places = ['a', 'b', 'c']

async function setUp(namespaces: readonly string[]) {
  const stack = new AsyncDisposableStack()
  const clock = new VirtualClock(startMs)
  const maps = places.map(place => configMap('settings', { color: 'red' }, place))
  const twin = stack.use(await startTwin({ clock, seed: 1, objects: [...surroundings(maps), ...maps] }))
  const asked: string[] = []
  const inner = twin.transport({ admin: true })
  const heard = (verb: string, path: string) => asked.push(`${verb} ${path}`)
  const transport: typeof inner = {
    request: sent => {
      heard(sent.verb, sent.path)
      return inner.request(sent)
    },
    stream: sent => {
      heard(sent.verb, sent.path)
      return inner.stream(sent)
    },
    close: () => inner.close(),
  }
  const stop = new AbortController()
  stack.defer(() => stop.abort())
  const api: Api = openApi(transport, { clock, userAgent: 'test' })
  const informers = stack.use(new Informers(api, { clock, random: seededRandom(1), namespaces, signal: stop.signal }))
  const until = (done: () => boolean) => clock.runUntil(done, { limitMs: 60_000 })
  return { informers, api, asked, until, signal: stop.signal, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const named = (objects: Iterable<KubeObject>) =>
  Array.from(objects, ({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()

test('of a process that watches some namespaces every kind is theirs', async () => {
  await using site = await setUp(['a', 'b'])
  const { informers, api, until, signal } = site
  const maps = informers.of<KubeObject>(builtIn.configmaps)
  expect(informers.of(builtIn.configmaps)).toBe(maps)
  await until(() => maps.isSynced)
  const settings = () => named(maps.store.list()).filter(name => name.endsWith('/settings'))
  expect(settings()).toEqual(['a/settings', 'b/settings'])
  const told: string[] = []
  const end = maps.onChange(({ type, object, initial }) => {
    if (object.metadata.name !== 'kube-root-ca.crt')
      told.push(`${initial ? 'initially ' : ''}${type} ${object.metadata.namespace}`)
  })
  for (const namespace of places)
    await api
      .resource(builtIn.configmaps)
      .patch('settings', { type: 'merge', body: { data: { color: 'blue' } } }, { namespace, signal })
  await api.resource(builtIn.configmaps).delete('settings', { namespace: 'b', signal })
  await until(() => settings().length === 1)
  expect(told.toSorted()).toEqual(['DELETED b', 'MODIFIED a', 'MODIFIED b', 'initially ADDED a', 'initially ADDED b'])
  end()
  const [one] = maps.store.list('a')
  expect(maps.store.get('a', 'settings')?.metadata.uid).toBe(
    maps.store.byUid(maps.store.get('a', 'settings')?.metadata.uid ?? '')?.metadata.uid,
  )
  expect([one?.metadata.namespace, [...maps.store.list('c')], maps.store.get('c', 'settings'), maps.store.byUid('none')]).toEqual(
    ['a', [], undefined, undefined],
  )
  expect([maps.state, maps.problem, maps.store.size, maps.counts.events > 0, maps.store.resourceVersion === '']).toEqual([
    'synced',
    undefined,
    [...maps.store.list()].length,
    true,
    false,
  ])
  expect(informers.isSettled(maps)).toBe(true)
})

test('what lies in no namespace is not asked for, and is as if there were none', async () => {
  await using site = await setUp(['a'])
  const { informers, asked, signal } = site
  const nodes = informers.of<KubeObject>(builtIn.nodes)
  const own = informers.of<KubeObject>(builtIn.configmaps, { namespace: 'c' })
  const settled = Promise.all([informers.settled(nodes, signal), informers.settled(own, signal)])
  await site.until(() => own.isSynced)
  await settled
  expect([[...nodes.store.list()], nodes.state, nodes.isSynced, [...nodes.store.byIndex('owner', 'x')]]).toEqual([
    [],
    'absent',
    true,
    [],
  ])
  // A caller that names a namespace gets that one.
  expect(named(own.store.list('c')).includes('c/settings')).toBe(true)
  expect(asked.filter(one => one.includes('/nodes'))).toEqual([])
  expect(asked.every(one => one.includes('/namespaces/c/configmaps'))).toBe(true)
})

test('one who needs some namespaces of a process that sees all has those, and the fields that were declared', async () => {
  await using site = await setUp([])
  const { informers, until } = site
  const needs = [{ ...builtIn.configmaps, mode: 'projection', fields: ['data.color'], namespaces: ['a', 'b'] } as const]
  await using part = informers.share({ needs })
  const maps = part.of<KubeObject>(builtIn.configmaps, { namespaces: ['a', 'b'] })
  await until(() => maps.isSynced)
  expect(
    Array.from(maps.store.list()).flatMap(({ metadata, data }) =>
      metadata.name === 'settings' ? [[metadata.namespace, data]] : [],
    ),
  ).toEqual([
    ['a', { color: 'red' }],
    ['b', { color: 'red' }],
  ])
  expect([...maps.store.list()].every(({ apiVersion }) => apiVersion === 'v1')).toBe(true)
})
