// How full nodes were is noted of a running cluster, whether somebody looks or not: as it changes, with holes where nobody knows.
import { describe, expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { nodeRows } from '../views/nodes/nodes.ts'
import { homelab, pictureOf } from '../views/testdata/homelab.ts'
import { followedTwin } from './followed-for-tests.ts'
import { twinClocks } from './needs.ts'
import { sharesOf } from './utilisation-keeper.ts'

const signal = new AbortController().signal
const minute = 60_000

/** What a pod that somebody put on a node asks for. */
const placed = (name: string, node: string, cpu: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName: node, containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] },
})

describe('of a cluster', () => {
  test('what nodes request is noted while nobody looks, also what changes', async () => {
    await using world = await followedTwin({ mode: 'cluster' })
    const { source, wall, admin } = world
    await wall.advance(2 * minute)
    await admin.resource(builtIn.pods).create(placed('more', 'talos03', '1595m'), { signal })
    await wall.advance(2 * minute)
    const { utilisation, nowMs } = source.current()
    const { cpuRequested, cpuUsed } = utilisation?.series('talos03', 'hour', nowMs) ?? {}
    expect(cpuRequested?.slice(-9)).toEqual([41, 41, 41, 41, 141, 141, 141, 141, 141])
    expect(cpuUsed?.at(-1)).toEqual(expect.any(Number))
    expect(utilisation?.sinceMs).toBeLessThan(nowMs)
  })

  test('a node that is gone is not known from then on, and the others are', async () => {
    await using world = await followedTwin({ mode: 'cluster' })
    const { source, wall, admin } = world
    await wall.advance(minute)
    await admin.resource(builtIn.nodes).delete('talos03', { signal })
    await wall.advance(2 * minute)
    const { utilisation, nowMs } = source.current()
    const of = (node: string) => utilisation?.series(node, 'hour', nowMs).cpuRequested.slice(-2)
    expect([of('talos03'), of('talos00')]).toEqual([
      [null, null],
      [933, 933],
    ])
  })

  test('use that nobody tells any more is not known, and requests are', async () => {
    await using world = await followedTwin({ mode: 'cluster' })
    const { source, wall, twin } = world
    await wall.advance(minute)
    twin.fault({ match: { group: 'metrics.k8s.io' }, status: { code: 503, message: 'silent' } })
    await wall.advance(10 * minute)
    const { utilisation, nowMs } = source.current()
    const series = utilisation?.series('talos00', 'hour', nowMs)
    expect([series?.cpuUsed.at(-1), series?.cpuRequested.at(-1)]).toEqual([null, 933])
  })
})

test('of a twin whose time runs fast nothing is missing: while nothing changed it was as before', async () => {
  await using world = await followedTwin({ clockOn: wall => new PacedClock(wall, { startMs: wall.now() }) })
  await world.admin.resource(twinClocks).patch('clock', { type: 'merge', body: { spec: { speed: '60' } } }, { signal })
  const { source, wall } = world
  await wall.advance(40_000)
  const { utilisation, nowMs } = source.current()
  const { cpuRequested } = utilisation?.series('talos00', 'hour', nowMs) ?? {}
  expect(cpuRequested?.slice(-60)).toEqual(Array.from({ length: 60 }, () => 933))
})

test('nothing is noted once the source is closed', async () => {
  const world = await followedTwin({ mode: 'cluster' })
  const { source, wall } = world
  await wall.advance(minute)
  const { utilisation } = source.current()
  await source[Symbol.asyncDispose]()
  await wall.advance(10 * minute)
  const { cpuRequested } = utilisation?.series('talos00', 'hour', wall.now()) ?? {}
  expect([cpuRequested?.at(-1), cpuRequested?.at(-21)]).toEqual([null, 933])
  await world[Symbol.asyncDispose]()
})

test.each([
  ['are truncated', { allocatable: 3, requested: 2, used: 1 }, [666, 333]],
  ['of what is not known are not', { allocatable: 3, requested: null, used: null }, [null, null]],
  ['of a node that can give nothing are not', { allocatable: 0, requested: 2, used: 1 }, [null, null]],
])('shares %s', (_, given, [requested, used]) => {
  const [row] = nodeRows(pictureOf(homelab()))
  const amount = { ...given, usedAt: null }
  const all = { requested: true, used: true }
  expect(row === undefined ? undefined : sharesOf({ ...row, cpu: amount, memory: amount }, all)).toEqual({
    cpuRequested: requested,
    cpuUsed: used,
    memoryRequested: requested,
    memoryUsed: used,
  })
})
