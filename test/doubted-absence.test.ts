// A server that says 404 of what is there: nobody acts on it while our own watch has the object.
import { expect, test } from 'vitest'
import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { requestKey, TroubledWire, WireScene } from './troubled-wire.ts'

const { signal } = new AbortController()
const at = { namespace: 'shop', signal }
const map: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'shop' }, data: {} }
const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }
const manager = { ...at, fieldManager: 'test' }
const path = '/api/v1/namespaces/shop/configmaps/a'

async function site(polls: { readonly watchList?: 'off'; readonly pollMs?: number } = {}) {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const twin = await startTwin({ clock })
  const scene = new WireScene()
  const options = { clock, userAgent: 'test' }
  const admin = openApi(twin.transport({ admin: true }), options)
  const api = openApi(new TroubledWire(twin.transport({ admin: true }), clock, scene), options)
  const stop = new AbortController()
  const informers = new Informers(api, { clock, random: seededRandom(1), signal: stop.signal, ...polls })
  await admin.resource(builtIn.namespaces).create(namespace, { signal })
  await admin.resource(builtIn.configmaps).create(map, at)
  const settled = async <T>(work: Promise<T>): Promise<T | Error> => {
    let end: { readonly value: T | Error } | undefined
    work.then(
      value => (end = { value }),
      (error: Error) => (end = { value: error }),
    )
    await clock.runUntil(() => end !== undefined, { limitMs: 600_000 })
    if (end === undefined) throw new Error('it never ended')
    return end.value
  }
  const watch = async (resource: GroupVersionResource, metadataOnly = false) => {
    const informer = informers.of(resource, { metadataOnly })
    await settled(informer.synced)
    return informer
  }
  const end = async () => {
    stop.abort(new DOMException('over', 'AbortError'))
    await informers[Symbol.asyncDispose]()
    await twin.stop()
  }
  return { clock, admin, api, scene, informers, settled, watch, [Symbol.asyncDispose]: end }
}

const maps = (api: Api) => api.resource<KubeObject>(builtIn.configmaps)
// biome-ignore format: a table
const requests: readonly [string, string, (api: Api) => Promise<unknown>][] = [
  ['get',           'GET',    api => maps(api).get('a', at)],
  ['bytes',         'GET',    api => maps(api).bytes('a', at)],
  ['update',        'PUT',    api => maps(api).update(map, manager)],
  ['patch',         'PATCH',  api => maps(api).patch('a', { type: 'merge', body: {} }, manager)],
  ['apply',         'PATCH',  api => maps(api).apply(map, manager)],
  ['delete',        'DELETE', api => maps(api).delete('a', at)],
  ['a sub-resource', 'GET',   api => maps(api).sub('a', 'scale', 'GET', undefined, at)],
]

test.each(requests)('%s of what a watch has is not believed to be gone, and what it lost is', async (_name, verb, request) => {
  for (const metadataOnly of [false, true]) {
    await using on = await site()
    on.scene.begin({ kind: '404', key: `${verb} ${path}` })
    const asked = () => on.settled(request(on.api.under(() => undefined)))
    const unwatched = await asked()
    await on.watch(builtIn.configmaps, metadataOnly)
    const doubted = await asked()
    await maps(on.admin).delete('a', at)
    const known = await asked()
    expect([unwatched, known].map(isNotFound)).toEqual([true, true])
    expect([doubted instanceof AbsenceDoubtedError, isOutside(doubted)]).toEqual([true, true])
  }
})

test('a watch that is some moments late is waited for', async () => {
  await using on = await site()
  await on.watch(builtIn.configmaps)
  on.scene.begin({ kind: '404', key: `GET ${path}` })
  on.clock.schedule(600, () => void maps(on.admin).delete('a', at))
  expect(await on.settled(maps(on.api).get('a', at))).toSatisfy(isNotFound)
})

test('what is listed now and then is older than any answer, and has no say', async () => {
  await using on = await site({ watchList: 'off', pollMs: 60_000 })
  const watching = { verb: 'GET', path: '/api/v1/configmaps', query: { watch: 'true' }, headers: {}, signal } as const
  on.scene.begin({ kind: '403', key: requestKey(watching) })
  const informer = await on.watch(builtIn.configmaps)
  await on.clock.runUntil(() => informer.isPolled, { limitMs: 30_000 })
  await maps(on.admin).delete('a', at)
  expect(informer.store.get('shop', 'a')).toBeDefined()
  expect(await on.settled(maps(on.api).get('a', at))).toSatisfy(isNotFound)
})

test.each(['403', '404'] as const)('a watch that is answered %s hears nothing any more, and has no say', async kind => {
  await using on = await site()
  const informer = await on.watch(builtIn.configmaps)
  const watching = { verb: 'GET', path: '/api/v1/configmaps', query: { watch: 'true' }, headers: {}, signal } as const
  on.scene.begin({ kind, key: requestKey(watching) })
  await on.clock.runUntil(() => informer.state === 'denied' || informer.state === 'absent', { limitMs: 60_000 })
  await maps(on.admin).delete('a', at)
  expect(informer.store.get('shop', 'a')).toBeDefined()
  expect(await on.settled(maps(on.api).get('a', at))).toSatisfy(isNotFound)
})
