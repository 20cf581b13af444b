// The stream over a twin, with the views that the page has: a change of an object there is a delta here.
import { describe, expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import type { NodeRow, Overview, StreamEvents } from '../contract.ts'
import { ChangingSource } from '../source/changing-source.ts'
import { type Followed, followedTwin } from '../source/followed-for-tests.ts'
import { twinClocks } from '../source/needs.ts'
import { everything } from '../views/viewing.ts'
import { Hub } from './hub.ts'
import { TestPage, TestSink } from './streams-for-tests.ts'

const signal = new AbortController().signal

function look(hub: Hub, topics: readonly string[], lastEventId?: string, page = new TestPage(topics)) {
  const sink = new TestSink(page)
  const subscription = hub.subscribe({ topics, viewing: everything, lastEventId, sink })
  if (!subscription.accepted) throw new Error(subscription.because)
  return { page, sink, subscription }
}

const overviewOn = (page: TestPage): Overview => {
  const held = page.held.get('overview')
  if (held === undefined || held === 'gone') throw new Error('no overview')
  return held.value as Overview
}

const cordon = (world: Followed, name: string, unschedulable: boolean) =>
  world.admin.resource(builtIn.nodes).patch(name, { type: 'merge', body: { spec: { unschedulable } } }, { signal })

describe('stream of a twin', () => {
  test('a node that is cordoned is a row of the next delta, within half a second', async () => {
    await using world = await followedTwin()
    using hub = new Hub({ source: world.source, wallClock: world.wall })
    const { page } = look(hub, ['overview', 'node:talos03', 'node:talos99', 'twin'])
    await world.wall.advance(2_000)
    expect(page.story.slice(0, 5).toSorted()).toEqual(
      ['hello', 'gone node:talos99', 'snapshot node:talos03', 'snapshot overview', 'snapshot twin'].toSorted(),
    )
    expect(page.events[0]?.data).toMatchObject({ mode: 'twin', schema: 1, speed: 1, tickMs: 10_000, resumed: false })
    const seen = page.events.length
    await cordon(world, 'talos03', true)
    await world.wall.advance(500)
    const deltas = page.events.slice(seen).filter(({ name }) => name === 'delta')
    expect(deltas.map(({ data }) => (data as StreamEvents['delta']).topic)).toContain('overview')
    const row = overviewOn(page).nodes.find(({ name }): boolean => name === 'talos03')
    expect(row).toMatchObject({ cordoned: true } satisfies Partial<NodeRow>)
    expect(page.faults).toEqual([])
  })

  test('D22, the server: what was missed while nobody was connected comes once, in order', async () => {
    await using world = await followedTwin()
    using hub = new Hub({ source: world.source, wallClock: world.wall })
    const first = look(hub, ['overview'])
    await world.wall.advance(2_000)
    first.sink.leave()
    await cordon(world, 'talos03', true)
    await world.wall.advance(9_000)
    await cordon(world, 'talos00', true)
    const again = look(hub, ['overview'], first.page.lastId, first.page)
    const seen = again.page.events.length
    await world.wall.advance(1_000)
    expect(again.page.events[seen - 1]).toMatchObject({ name: 'hello', data: { resumed: true } })
    expect(again.page.story.slice(seen)).not.toContain('snapshot overview')
    expect(overviewOn(again.page).nodes.map(({ cordoned }) => cordoned)).toEqual([true, false, false, true])
    expect(again.page.faults).toEqual([])
  })

  test('D32: at speed 600 nothing is told more than 4 times a second, and ticks bring the time of the cluster', async () => {
    await using world = await followedTwin({ clockOn: wall => new PacedClock(wall, { startMs: wall.now() }) })
    await world.admin.resource(twinClocks).patch('clock', { type: 'merge', body: { spec: { speed: '600' } } }, { signal })
    await world.wall.advance(1_000)
    using hub = new Hub({ source: world.source, wallClock: world.wall })
    const { page } = look(hub, ['overview', 'twin'])
    await world.wall.advance(20_000)
    const [hello] = page.events
    expect(hello?.data).toMatchObject({ speed: 600, tickMs: 1_000 })
    const ticks = page.events.filter(({ name }) => name === 'tick').map(({ data }) => data as StreamEvents['tick'])
    expect(ticks.length).toBeGreaterThanOrEqual(19)
    const steps = ticks.slice(1).map((tick, at) => Date.parse(tick.now) - Date.parse(ticks[at]?.now ?? ''))
    expect(steps.every(step => step === 600_000)).toBe(true)
    const deltas = page.events.filter(
      ({ name, data }) => name === 'delta' && (data as StreamEvents['delta']).topic === 'overview',
    )
    expect(deltas.length).toBeLessThanOrEqual(4 * 20)
    expect(ticks.at(-1)?.sources[0]).toMatchObject({ name: 'api', state: 'live' })
    expect(page.faults).toEqual([])
  })

  test('a twin that is begun anew is another epoch: fresh snapshots on the same stream, and nothing to go on from', async () => {
    await using before = await followedTwin()
    await using after = await followedTwin()
    const source = new ChangingSource(before.source)
    using hub = new Hub({ source, wallClock: before.wall })
    const { page } = look(hub, ['overview'])
    await before.wall.advance(1_000)
    const lastId = page.lastId
    const fresh = { ...after.source.current(), epoch: 'e-new' }
    source.show({ current: () => fresh, onChange: () => () => undefined })
    await before.wall.advance(1_000)
    expect(page.events.filter(({ name }) => name === 'hello').map(({ data }) => (data as StreamEvents['hello']).epoch)).toEqual([
      before.source.current().epoch,
      'e-new',
    ])
    expect(page.story.filter(line => line === 'snapshot overview')).toHaveLength(2)
    const late = look(hub, ['overview'], lastId)
    expect(late.page.story.slice(0, 3)).toEqual(['hello', 'resync', 'snapshot overview'])
    expect([...page.faults, ...late.page.faults]).toEqual([])
  })
})
