// The picture of a twin over its API: what changes there is told, what is silent is said to be, what may not be read does not stop the page.
import { describe, expect, test } from 'vitest'
import { bookOf } from '#coordination/account/book.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { permitObject } from '../views/testdata/homelab.ts'
import { followedTwin } from './followed-for-tests.ts'

const signal = new AbortController().signal
const metricsFail = { match: { group: 'metrics.k8s.io' }, status: { code: 503, message: 'silent' } }

describe('live source', () => {
  test('shows what the API has', async () => {
    await using world = await followedTwin({ objects: [permitObject()] })
    const picture = world.source.current()
    expect([...picture.state.nodes.keys()]).toEqual(['talos00', 'talos01', 'talos02-gpu', 'talos03'])
    expect(picture.state.pods.size).toBe(124)
    expect(picture.state.objects('NodeMetrics')).toHaveLength(4)
    expect(picture.sources.map(({ name, state, because }) => [name, state, because])).toEqual([
      ['api', 'live', null],
      ['metrics', 'live', null],
      ['ledger', 'live', null],
    ])
    expect(picture.book.permits).toEqual(
      bookOf([permitObject()]).permits.map(permit =>
        expect.objectContaining({ record: expect.objectContaining({ requester: permit.record.requester }) }),
      ),
    )
    expect(picture.twin).toMatchObject({ source: 'examples/talos-homelab', faults: [] })
    expect(picture.loading).toBeUndefined()
  })

  test('asks what pods use as long as somebody looks', async () => {
    await using world = await followedTwin()
    const { source, wall } = world
    source.onChange(() => undefined)
    await wall.advance(60_000)
    const { state } = source.current()
    const metrics = state.objects('PodMetrics')
    expect(metrics.length).toBeGreaterThan(50)
    const [first] = metrics
    expect(state.object('PodMetrics', first?.metadata.namespace, first?.metadata.name ?? '')).toBe(first)
    expect(first).toMatchObject({ containers: [{ usage: { cpu: expect.any(String) } }] })
  })

  test('shows what is now, however much changed while nobody looked', async () => {
    await using world = await followedTwin()
    const { source, twin, wall } = world
    source.current()
    for (let change = 0; change < 2_100; change++) {
      const node = twin.access.get('nodes', undefined, 'talos03')
      const metadata = { ...node?.metadata, name: 'talos03', labels: { change: String(change) } }
      twin.access.update('nodes', { ...node, apiVersion: 'v1', kind: 'Node', metadata }, { manager: 'test', user: 'test' })
      if (change % 700 === 0) await wall.quiet()
    }
    await wall.quiet()
    expect(source.current().state.nodes.get('talos03')?.object.metadata.labels?.['change']).toBe('2099')
  })

  test('reads what the process measures by itself, and asks nobody else', async () => {
    const measured = [
      {
        kind: 'NodeMetrics',
        apiVersion: 'metrics.k8s.io/v1beta1',
        metadata: { name: 'talos01' },
        usage: { cpu: '7m', memory: '1Mi' },
      },
    ]
    let isMeasuring = true
    const own = {
      resolutionMs: 15_000,
      nodes: () => measured,
      pods: () => [],

      podPeaks: () => undefined,
      scrapes: () => [],
    }
    await using world = await followedTwin({ measured: () => (isMeasuring ? own : undefined) })
    const { source, twin, wall } = world
    const end = source.onChange(() => undefined)
    twin.fault(metricsFail)
    await wall.advance(60_000)
    const { state, sources } = source.current()
    expect(state.objects('NodeMetrics')).toEqual(measured)
    expect(sources).toContainEqual(expect.objectContaining({ name: 'metrics', state: 'live' }))
    // Measuring was switched off: metrics.k8s.io is asked, and fails here.
    isMeasuring = false
    await wall.advance(200_000)
    expect(source.current().sources).toContainEqual(expect.objectContaining({ name: 'metrics', state: 'stale' }))
    end()
  })

  test('is the same value until something changes, and tells once a turn', async () => {
    await using world = await followedTwin()
    const { source, admin, wall } = world
    let told = 0
    const end = source.onChange(() => told++)
    await wall.advance(20_000)
    told = 0
    const before = source.current()
    expect(source.current().state).toBe(before.state)
    expect(source.current().sequence).toBe(before.sequence)
    for (const name of ['talos00', 'talos03'])
      await admin.resource(builtIn.nodes).patch(name, { type: 'merge', body: { spec: { unschedulable: true } } }, { signal })
    await wall.quiet()
    const after = source.current()
    expect(told).toBeGreaterThan(0)
    expect(after.sequence).toBeGreaterThan(before.sequence)
    expect(after.state.nodes.get('talos03')?.isSchedulable).toBe(false)
    expect(before.state.nodes.get('talos03')?.isSchedulable).toBe(true)
    expect(after.state.nodes.get('talos01')).toBe(before.state.nodes.get('talos01'))
    expect(after.book.permits).toBe(before.book.permits)
    end()
    told = 0
    await admin.resource(builtIn.nodes).patch('talos03', { type: 'merge', body: { spec: { unschedulable: false } } }, { signal })
    await wall.quiet()
    expect(told).toBe(0)
    expect(source.current().state.nodes.get('talos03')?.isSchedulable).toBe(true)
  })

  // D21, the server's half: what was measured stays and says since when, then it is down; requests are not touched.
  test('says for how long metrics.k8s.io is silent', async () => {
    await using world = await followedTwin()
    const { source, twin, wall } = world
    const end = source.onChange(() => undefined)
    await wall.advance(1_000)
    const answered = source.current().sources.find(({ name }) => name === 'metrics')
    expect(answered).toMatchObject({ state: 'live' })
    const fault = twin.fault(metricsFail)
    const lastMs = Date.parse(answered?.lastAt ?? '')
    await wall.advance(lastMs + 200_000 - wall.now())
    const metrics = () => source.current().sources.find(({ name }) => name === 'metrics')
    expect(metrics()).toEqual({
      name: 'metrics',
      state: 'stale',
      lastAt: answered?.lastAt,
      limitMs: 120_000,
      because: 'metrics.k8s.io has not answered for 3m20s',
    })
    expect(source.current().state.objects('NodeMetrics')).toHaveLength(4)
    expect(source.current().sources[0]).toMatchObject({ name: 'api', state: 'live' })
    await wall.advance(1_200_000)
    expect(metrics()).toMatchObject({ state: 'down' })
    fault.remove()
    await wall.advance(20_000)
    expect(metrics()).toMatchObject({ state: 'live', because: null })
    end()
  })

  test('sets no timer while nobody looks', async () => {
    await using world = await followedTwin()
    const { source, wall } = world
    await wall.quiet()
    const idle = wall.pending
    const end = source.onChange(() => undefined)
    await wall.quiet()
    expect(wall.pending).toBeGreaterThan(idle)
    end()
    await wall.quiet()
    expect(wall.pending).toBe(idle)
  })

  test('opens for who may read nodes and pods alone, and says what is missing', async () => {
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' }
    const rules = [{ apiGroups: [''], resources: ['nodes', 'pods', 'namespaces'], verbs: ['get', 'list', 'watch'] }]
    const objects = [
      { ...rbac, kind: 'ClusterRole', metadata: { name: 'few' }, rules },
      {
        ...rbac,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'few' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'few' },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'guest' }],
      },
    ]
    await using world = await followedTwin({ objects, user: { user: 'guest', groups: [] }, mode: 'cluster' })
    const picture = world.source.current()
    expect(picture.state.pods.size).toBe(124)
    const sources = new Map(picture.sources.map(source => [source.name, source]))
    expect(sources.get('api')).toMatchObject({ state: 'live' })
    expect(sources.get('metrics')).toMatchObject({ state: 'down', because: 'Your account lacks list on nodes (metrics.k8s.io).' })
    expect(sources.get('ledger')).toMatchObject({
      state: 'down',
      because: 'Your account lacks list on disruptionpermits (ballast.dev).',
    })
    expect(sources.get('poddisruptionbudgets')).toMatchObject({
      state: 'down',
      because: 'Your account lacks list on poddisruptionbudgets (policy).',
    })
  })

  test('says where Ballast is not installed', async () => {
    await using world = await followedTwin({ withoutBallast: true })
    expect(world.source.current().sources.find(({ name }) => name === 'ledger')).toMatchObject({
      state: 'off',
      because: "Ballast's kinds are not installed here",
    })
  })
})
