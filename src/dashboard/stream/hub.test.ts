import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { StreamEvents } from '../contract.ts'
import { everything } from '../views/viewing.ts'
import { Hub } from './hub.ts'
import { mostUnsentBytes, pieceBytes } from './reader.ts'
import type { RingLimits } from './ring.ts'
import { StreamMetrics } from './stream-metrics.ts'
import { TestPage, TestSink, TestSource } from './streams-for-tests.ts'

const rows = (count: number, value = 0) => ({ nodes: Array.from({ length: count }, (_, at) => ({ name: `n${at}`, value })) })

function world(ring: Partial<RingLimits> = {}) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const source = new TestSource(clock)
  const registry = new Registry()
  const hub = new Hub({ source, wallClock: clock, values: source.values, metrics: new StreamMetrics(registry), limits: { ring } })
  source.set('overview', rows(3))
  const look = (more: { topics?: readonly string[]; last?: string; page?: TestPage; viewer?: string; key?: string } = {}) => {
    const topics = more.topics ?? ['overview']
    const page = more.page ?? new TestPage(topics)
    const sink = new TestSink(page)
    const viewing = { ...everything, viewer: more.viewer ?? 'local', key: more.key ?? 'admin' }
    return { page, sink, answer: hub.subscribe({ topics, viewing, sink, lastEventId: more.last }) }
  }
  const metric = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values ?? []
  return { clock, source, hub, look, metric }
}

describe('hub', () => {
  test('computes nothing and sets no timer while nobody listens', async () => {
    const { clock, source, look } = world()
    source.set('overview', rows(4))
    await clock.advance(60_000)
    expect([source.computed, source.asked, source.listeners, clock.pending]).toEqual([0, 0, 0, 0])
    const { sink } = look()
    await clock.advance(1_000)
    expect(source.computed).toBe(1)
    sink.leave()
    const { computed, asked } = source
    for (let at = 0; at < 20; at++) source.set('overview', rows(at))
    await clock.advance(60_000)
    expect([source.computed, source.asked, source.listeners, clock.pending]).toEqual([computed, asked, 0, 0])
  })

  test('tells many changes as one, four times a second at most, and computes each once for all of equal rights', async () => {
    const { clock, source, look } = world()
    const readers = Array.from({ length: 8 }, () => look())
    await clock.advance(1_000)
    const before = source.computed
    for (let at = 0; at < 100; at++) {
      source.set('overview', rows(3, at))
      await clock.advance(10)
    }
    await clock.advance(300)
    expect(source.computed - before).toBeLessThanOrEqual(6)
    for (const { page } of readers) {
      expect(page.faults).toEqual([])
      expect(page.story.filter(line => line === 'delta overview').length).toBeLessThanOrEqual(6)
      expect(page.held.get('overview')).toMatchObject({ value: rows(3, 99) })
    }
  })

  test('says nothing where only the time of a picture went on', async () => {
    const { clock, source, look } = world()
    source.set('overview', { ...rows(1), now: 'a', revision: 'e1.1' })
    const { page } = look()
    await clock.advance(1_000)
    source.set('overview', { ...rows(1), now: 'b', revision: 'e1.2' })
    await clock.advance(1_000)
    expect(page.story).toEqual(['hello', 'snapshot overview'])
    source.set('overview', { ...rows(2), now: 'c', revision: 'e1.3' })
    await clock.advance(1_000)
    expect(page.held.get('overview')).toMatchObject({ value: { ...rows(2), now: 'c' } })
  })

  // D23
  test('goes on after an id that the ring holds, and begins anew after one that it does not', async () => {
    const { clock, source, look } = world({ events: 20 })
    const first = look()
    await clock.advance(1_000)
    for (let at = 1; at <= 10; at++) {
      source.set('overview', rows(3, at))
      await clock.advance(250)
    }
    const old = first.page.events.find(({ name }) => name === 'delta')?.id ?? ''
    const [epoch, number] = old.split('.')
    const next = new TestPage(['overview'])
    const back = look({ last: old, page: next })
    expect(next.events[0]).toMatchObject({ name: 'hello', id: old, data: { resumed: true } })
    expect(next.events.slice(1).map(({ id }) => id)).toEqual(
      Array.from({ length: 9 }, (_, at) => `${epoch}.${Number(number) + 1 + at}`),
    )
    back.sink.leave()
    for (let at = 11; at <= 40; at++) {
      source.set('overview', rows(3, at))
      await clock.advance(250)
    }
    for (const last of [old, 'nonsense', 'e9.4', `${epoch}.99999`]) {
      const { page, answer } = look({ last })
      expect(page.story).toEqual(['hello', 'resync', 'snapshot overview'])
      expect(page.events[1]?.data).toEqual({ reason: 'gap' } satisfies StreamEvents['resync'])
      if (answer.accepted) answer.end()
    }
  })

  test.each([
    ['bytes', { bytes: 2_000 }, 250],
    ['age', { ageMs: 1_000 }, 1_500],
  ] as const)('goes on after no id that is older than its limit of %s', async (_, ring, everyMs) => {
    const { clock, source, look } = world(ring)
    const { page } = look()
    await clock.advance(1_000)
    for (let at = 1; at <= 10; at++) {
      source.set('overview', rows(30, at))
      await clock.advance(everyMs)
    }
    const ids = page.events.map(({ id }) => id)
    expect(look({ last: ids[2] ?? '' }).page.story[1]).toBe('resync')
    expect(look({ last: ids.at(-1) ?? '' }).page.story).toEqual(['hello'])
  })

  test('no id of one is gone on from by another of other rights', async () => {
    const { clock, source, look } = world()
    const one = look({ key: 'admin' })
    const other = look({ key: 'guest', viewer: 'other' })
    await clock.advance(1_000)
    for (let at = 1; at <= 20; at++) {
      source.set('overview', rows(3, at))
      await clock.advance(250)
    }
    one.sink.leave()
    source.set('overview', rows(3, 21))
    await clock.advance(250)
    const [epoch] = (one.page.lastId ?? '').split('.')
    const heads = new Set<string>()
    for (let number = 0; number < 100; number++) {
      const last = `${epoch}.${number}`
      const [asOne, asOther] = (['admin', 'guest'] as const).map(key => look({ key, last, viewer: `v${number}` }))
      const resumed = [asOne, asOther].filter(back => back?.page.story[1] !== 'resync')
      expect(resumed.length).toBeLessThanOrEqual(1)
      if (resumed.length > 0) heads.add(resumed[0] === asOne ? 'one' : 'other')
      for (const back of [asOne, asOther]) back?.sink.leave()
    }
    expect(heads).toEqual(new Set(['one', 'other']))
    expect(look({ key: 'guest', last: one.page.lastId ?? '' }).page.story).toEqual(['hello', 'resync', 'snapshot overview'])
    expect(other.page.faults).toEqual([])
  })

  test('what is withheld is said after hello, and an event that was begun is whole before anything else is said', async () => {
    const { clock, source, hub } = world()
    source.set('overview', { nodes: [{ name: 'n0', text: 'x'.repeat(pieceBytes * 4) }] })
    const topics = ['overview', 'plan:p']
    const page = new TestPage(topics)
    const sink = new TestSink(page)
    const withheld = [{ topic: 'plan:p', error: { code: 'reading-forbidden', message: 'no', remedy: null } }]
    const answer = hub.subscribe({ topics: ['overview'], viewing: everything, withheld, sink, lastEventId: undefined })
    if (!answer.accepted) throw new Error('not let in')
    expect(page.story).toEqual(['hello', 'gone plan:p'])
    sink.takeOnly(1)
    await clock.advance(1_000)
    expect(page.story).toEqual(['hello', 'gone plan:p'])
    source.set('plan:p', { moves: [] })
    answer.change({ topics, viewing: { ...everything, key: 'more' } })
    await clock.advance(1_000)
    sink.drain()
    await clock.advance(1_000)
    const story = ['hello', 'gone plan:p', 'snapshot overview', 'hello', 'snapshot overview', 'snapshot plan:p']
    expect(page.story).toEqual(story)
    sink.takeOnly(1)
    source.set('overview', { nodes: [{ name: 'n0', text: 'y'.repeat(pieceBytes * 4) }] })
    await clock.advance(1_000)
    answer.change({ topics: [], viewing: everything, withheld })
    expect(sink.isEnded).toBe(false)
    sink.drain()
    await clock.advance(1_000)
    expect(page.story).toEqual([...story, 'delta overview', 'gone plan:p'])
    expect([sink.isEnded, sink.overrun, hub.size, page.faults]).toEqual([true, 0, 0, []])
  })

  test('drops what a slow reader did not take, and begins anew when it takes more', async () => {
    const { clock, source, look, metric } = world()
    const slow = look()
    const quick = look({ viewer: 'other' })
    await clock.advance(1_000)
    slow.sink.takeOnly(1)
    const big = (at: number) => ({ nodes: [{ name: 'n0', text: `${at}`.padEnd(pieceBytes * 3, 'x') }] })
    for (let at = 0; at * pieceBytes * 3 < 4 * mostUnsentBytes; at++) {
      source.set('overview', big(at))
      await clock.advance(250)
    }
    expect(slow.sink.overrun).toBe(0)
    const seen = slow.page.events.length
    slow.sink.drain()
    await clock.advance(1_000)
    expect(slow.page.story.slice(seen)).toEqual(['delta overview', 'resync', 'snapshot overview'])
    expect(slow.page.events[seen + 1]?.data).toEqual({ reason: 'slow' })
    expect(slow.page.held.get('overview')).toMatchObject({ value: (quick.page.held.get('overview') as { value: unknown }).value })
    expect([...slow.page.faults, ...quick.page.faults]).toEqual([])
    expect(await metric('ballast_dashboard_stream_resyncs_total')).toMatchObject([{ labels: { reason: 'slow' }, value: 1 }])
    const [dropped] = await metric('ballast_dashboard_stream_dropped_bytes_total')
    expect(dropped?.value).toBeGreaterThan(mostUnsentBytes)
  })

  test('what was sent before all topics were told is nothing to go on from', async () => {
    const { clock, source, look } = world()
    const topics = ['overview', 'plan:p']
    source.set('plan:p', { moves: [] })
    look({ topics, viewer: 'other' })
    await clock.advance(1_000)
    const { page } = look({ topics })
    const [first, last] = page.events.filter(({ name }) => name === 'snapshot')
    expect(first?.id).toMatch(/\.0$/)
    expect(look({ topics, last: first?.id ?? '' }).page.story[1]).toBe('resync')
    expect(look({ topics, last: last?.id ?? '' }).page.story).toEqual(['hello'])
  })

  test.each([
    ['streams-per-viewer', 8, 'me'],
    ['streams', 200, undefined],
  ] as const)('refuses more than its limit of %s', (because, limit, viewer) => {
    const { look, hub } = world()
    for (let at = 0; at < limit; at++) expect(look({ viewer: viewer ?? `v${at}` }).answer.accepted).toBe(true)
    expect(look({ viewer: viewer ?? 'more' }).answer).toEqual({ accepted: false, because, limit, retryAfterSeconds: 5 })
    hub.end('session-ended', viewer ?? 'v0')
    expect(look({ viewer: viewer ?? 'more' }).answer.accepted).toBe(true)
    hub[Symbol.dispose]()
    expect(look().answer).toMatchObject({ accepted: false, because: 'ended' })
  })

  test.each([[[]], [['overview', 'secrets']], [['plan:']], [Array.from({ length: 21 }, (_, at) => `node:${at}`)]])(
    'refuses the topics %j',
    topics => expect(world().look({ topics }).answer).toMatchObject({ accepted: false, because: 'topics' }),
  )

  test('a view that fails is told in its place, and comes back', async () => {
    const clock = new VirtualClock(0)
    const source = new TestSource(clock)
    let fails = true
    const values: typeof source.values = (picture, topic) => {
      if (fails) throw new Error('no such field')
      return source.values(picture, topic)
    }
    source.set('overview', rows(1))
    using hub = new Hub({ source, wallClock: clock, values })
    const page = new TestPage(['overview'])
    hub.subscribe({ topics: ['overview'], viewing: everything, sink: new TestSink(page), lastEventId: undefined })
    await clock.advance(1_000)
    expect(page.events.at(-1)).toMatchObject({ name: 'gone', data: { error: { code: 'view-failed' } } })
    fails = false
    source.set('overview', rows(2))
    await clock.advance(1_000)
    expect(page.held.get('overview')).toMatchObject({ value: rows(2) })
  })
})
