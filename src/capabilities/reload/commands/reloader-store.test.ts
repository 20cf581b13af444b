// A swap of only image or command keeps Reloader's role: neither permits nor, without HA, Leases may be written.
import { describe, expect, test, vi } from 'vitest'
import { disruptionPermits } from '#coordination/api.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { installReloaderRole } from '#test/reloader-role.ts'
import { TroubledWire, troubleKinds, WireScene } from '#test/troubled-wire.ts'
import { startTwin } from '#twin/twin.ts'
import { reloaderStore } from './reloader-store.ts'

const namespace = 'reloader'
const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'ballast-controller' }, spec: {} }
const definitions = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))

async function scene(options: {
  readonly isHighlyAvailable: boolean
  readonly isAdmin?: boolean
  readonly objects?: readonly KubeObject[]
}) {
  await using stack = new AsyncDisposableStack()
  const { signal } = new AbortController()
  const twin = stack.use(await startTwin({ clock: systemClock, objects: options.objects ?? [], components: false }))
  const token = await installReloaderRole(twin, { ...options, namespace, clock: systemClock, signal })
  const warned: string[] = []
  const silent = () => undefined
  const log: Log = { debug: silent, info: silent, error: silent, warn: (_facts, message) => void warned.push(message) }
  const health = new ControllerHealth()
  const credentials = options.isAdmin === true ? { admin: true as const } : { token }
  const { isHighlyAvailable } = options
  const asked = { namespace, isHighlyAvailable, clock: systemClock, log, signal }
  const transport = await reloaderStore(twin.transport(credentials), asked, health)
  const api = openApi(transport, { clock: systemClock, userAgent: 'test' })
  stack.defer(() => api.close())
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'admin' })
  const whole = stack.move()
  return { api, admin, warned, health, signal, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

describe("with Reloader's role", () => {
  test('without HA permits and Leases are kept in memory, and both are told', async () => {
    await using made = await scene({ isHighlyAvailable: false })
    expect(made.warned).toEqual([
      'kept in memory: no right to list, watch, create, patch, delete disruptionpermits.ballast.dev; what was done is forgotten at a restart',
      'kept in memory: no right to get, create, update leases in reloader; what was done is forgotten at a restart',
    ])
    expect(made.health.ready().map(({ name, state }) => `${name}: ${state?.split(':')[0]}`)).toEqual([
      'store-permits: kept in memory',
      'store-leases: kept in memory',
    ])
    const { api, admin, signal } = made
    await api.resource<KubeObject>(builtIn.leases).create(lease, { namespace, signal })
    expect((await api.resource<KubeObject>(builtIn.leases).get('ballast-controller', { namespace, signal })).metadata.name).toBe(
      'ballast-controller',
    )
    expect((await admin.resource(builtIn.leases).list({ signal })).items).toEqual([])
  })

  test('permits of any namespace are written, read, watched and deleted there', async () => {
    await using made = await scene({ isHighlyAvailable: false })
    const permits = made.api.resource<KubeObject>(disruptionPermits)
    const { signal } = made
    const permit = {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'DisruptionPermit',
      metadata: { name: 'one' },
      spec: {
        requester: 'reload',
        class: 'correctness',
        verb: 'restart',
        targets: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'web', name: 'cart', uid: 'u' }],
        idempotencyKey: 'k',
        deadline: '2026-01-01T00:00:00Z',
      },
    }
    for (const within of ['web', 'shop']) await permits.create(permit, { namespace: within, signal })
    await permits.patch('one', { type: 'merge', body: { metadata: { labels: { a: 'b' } } } }, { namespace: 'web', signal })
    const { items } = await permits.list({ signal })
    expect(items.map(({ metadata }) => `${metadata.namespace}/${metadata.name} ${metadata.labels?.['a']}`).sort()).toEqual([
      'shop/one undefined',
      'web/one b',
    ])
    await permits.delete('one', { namespace: 'shop', signal })
    expect((await permits.list({ signal })).items).toHaveLength(1)
  })

  test('ConfigMaps of ours are patched by reading and updating, with the version that the patch names', async () => {
    await using made = await scene({ isHighlyAvailable: false })
    const maps = made.api.resource<KubeObject>(builtIn.configmaps)
    const { signal, admin } = made
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ballast-reload-baseline-1' }, data: { a: '1', b: '2' } }
    const first = await maps.create(map, { namespace, signal })
    const { name, resourceVersion } = first.metadata
    const change = (data: object, version?: string) =>
      maps.patch(
        name,
        { type: 'merge', body: { data, ...(version === undefined ? {} : { metadata: { resourceVersion: version } }) } },
        { namespace, signal, metadataOnly: true },
      )
    await change({ a: null, c: '3' }, resourceVersion)
    expect((await admin.resource<KubeObject>(builtIn.configmaps).get(name, { namespace, signal }))['data']).toEqual({
      b: '2',
      c: '3',
    })
    await expect(change({ c: '4' }, resourceVersion)).rejects.toMatchObject({ code: 409 })
    await change({ c: '5' })
    expect((await admin.resource<KubeObject>(builtIn.configmaps).get(name, { namespace, signal }))['data']).toEqual({
      b: '2',
      c: '5',
    })
    const other = { ...map, metadata: { name: 'somebody-elses' } }
    await admin.resource<KubeObject>(builtIn.configmaps).create(other, { namespace, signal })
    const foreign = maps.patch('somebody-elses', { type: 'merge', body: { data: { a: '2' } } }, { namespace, signal })
    await expect(foreign).rejects.toMatchObject({ code: 403 })
  })

  test('with HA the Leases are the cluster’s', async () => {
    await using made = await scene({ isHighlyAvailable: true })
    expect(made.warned).toHaveLength(1)
    const { api, admin, signal } = made
    await api.resource<KubeObject>(builtIn.leases).create(lease, { namespace, signal })
    expect((await admin.resource(builtIn.leases).list({ signal })).items).toHaveLength(1)
  })
})

test('where our kinds are installed and all is allowed, nothing is kept in memory', async () => {
  await using made = await scene({ isHighlyAvailable: false, isAdmin: true, objects: definitions })
  expect(made.warned).toEqual([])
})

test('where all is allowed and our kinds are absent, permits are kept in memory', async () => {
  await using made = await scene({ isHighlyAvailable: false, isAdmin: true })
  expect(made.warned).toEqual([
    'kept in memory: disruptionpermits.ballast.dev is not installed; what was done is forgotten at a restart',
  ])
})

/** An answer that there is no such thing, or no right to ask, is one. */
const answers = new Set(['403', '403 that comes and goes', '404'])

test('what may be kept in the cluster is asked until the server answers, whatever it does before', async () => {
  const clock = new VirtualClock(systemClock.now())
  const { signal } = new AbortController()
  await using twin = await startTwin({ clock, objects: [], components: false })
  const token = await installReloaderRole(twin, { namespace, isHighlyAvailable: false, clock, signal })
  const rows = [
    ['POST selfsubjectaccessreviews.authorization.k8s.io', { token }, 'store-permits,store-leases'],
    ['LIST disruptionpermits.ballast.dev', { admin: true as const }, 'store-permits'],
  ] as const
  const wrong: string[] = []
  for (const [key, credentials, expected] of rows)
    for (const kind of troubleKinds.filter(one => !answers.has(one))) {
      const trouble = new WireScene()
      trouble.begin({ kind, key, count: 3 })
      const health = new ControllerHealth()
      const asked = { namespace, isHighlyAvailable: false, clock, log: silentLog, signal }
      const store = reloaderStore(new TroubledWire(twin.transport(credentials), clock, trouble), asked, health)
      let isDone = false
      void store.finally(() => (isDone = true)).catch(() => undefined)
      // It loads an API server of its own, which takes the machine's time.
      await vi.waitUntil(() => clock.advance(1_000).then(() => isDone), { timeout: 30_000, interval: 1 })
      await store
      const kept = health.ready().map(({ name }) => name)
      if (kept.join() !== expected || trouble.fired === 0) wrong.push(`${key}: ${kind}: ${kept.join()}`)
    }
  expect(wrong).toEqual([])
})
