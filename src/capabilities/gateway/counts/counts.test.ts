import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { RateWindow } from './rate-window.ts'
import { RequestCounts } from './request-counts.ts'
import { changedPath, type Peer, SharedCounts } from './shared-counts.ts'

interface Replica {
  readonly own: RequestCounts
  readonly shared: SharedCounts
}

describe('a rate', () => {
  it('P3: grows with the pieces that are covered, and ends in nothing', () => {
    const window = new RateWindow(5_000, 1_000)
    const rates = [1, 2, 3, 4, 5].map((count, at) => {
      window.record(at * 1_000, count)
      return window.rate(at * 1_000)
    })
    expect(rates).toEqual([1, 1.5, 2, 2.5, 3])
    const silent = [5, 6, 7, 8, 9, 10].map(second => {
      window.record(second * 1_000, 0)
      return window.rate(second * 1_000)
    })
    expect(silent).toEqual([2.8, 2.4, 1.8, 1, 0, 0])
  })

  it('is for each piece, not for each second', () => {
    const window = new RateWindow(60_000, 10_000)
    window.record(0, 30)
    expect(window.rate(0)).toBe(30)
    window.record(10_000, 30)
    expect(window.rate(10_000)).toBe(30)
  })

  it('is rounded to three digits', () => {
    const window = new RateWindow(3_000, 1_000)
    window.record(0, 1)
    window.record(1_000, 0)
    window.record(2_000, 0)
    expect(window.rate(2_000)).toBe(0.333)
  })
})

describe('requests of this process', () => {
  it('are counted once, whoever says how often that they left', () => {
    const clock = new VirtualClock(0)
    const counts = new RequestCounts(clock)
    const turns: [string, boolean][] = []
    counts.watch((key, isActive) => turns.push([key, isActive]))
    const [one, two] = [counts.arrive('a/b'), counts.arrive('a/b')]
    expect(counts.of('a/b')).toEqual({ concurrency: 2, total: 2, quietMs: 0 })
    one.leave()
    one.leave()
    expect(counts.of('a/b').concurrency).toBe(1)
    two.leave()
    two.moved()
    expect(counts.of('a/b')).toMatchObject({ concurrency: 0, total: 2 })
    expect(turns).toEqual([
      ['a/b', true],
      ['a/b', false],
    ])
    counts.keep(new Set())
    expect([...counts.keys()]).toEqual([])
  })
})

describe('requests of all replicas', () => {
  const { signal } = new AbortController()
  function site() {
    const clock = new VirtualClock(0)
    const own = new RequestCounts(clock)
    const bodies = new Map<string, string | Error>()
    const peers: Peer[] = []
    const shared = new SharedCounts({
      ...{ clock, own, log: silentLog },
      peers: () => peers,
      ask: async ({ authority }, path) => {
        const body = bodies.get(`${authority}${path}`)
        if (body instanceof Error) throw body
        return body === undefined ? { status: 404, body: '' } : { status: 200, body }
      },
    })
    const says = (authority: string, concurrency: number, total: number, instance = 'a') =>
      bodies.set(`${authority}/counts`, JSON.stringify({ instance, routes: { 'a/b': { concurrency, total, quietMs: 5 } } }))
    return { clock, own, bodies, peers, shared, says }
  }
  const window = { windowMs: 60_000, granularityMs: 1_000 }

  it('go round at once where a sleeping target is wanted, and not for each request', async () => {
    const clock = new VirtualClock(0)
    const ended = new AbortController()
    const asked: string[] = []
    const make = (name: string, other: () => Replica): Replica => {
      const own = new RequestCounts(clock)
      const shared = new SharedCounts({
        ...{ clock, own, log: silentLog },
        peers: () => [{ authority: 'other' }],
        async ask(_peer, path) {
          asked.push(`${name} ${path}`)
          if (path === changedPath) {
            other().shared.hurry()
            return { status: 200, body: '' }
          }
          const { concurrency, total } = other().own.of('a/b')
          const body = { instance: 'other', routes: { 'a/b': { concurrency, total, quietMs: 0 } } }
          return { status: 200, body: JSON.stringify(body) }
        },
      })
      return { own, shared }
    }
    const one: Replica = make('one', () => two)
    const two: Replica = make('two', () => one)
    const running = [one, two].map(({ shared }) => shared.run(ended.signal))
    const heard: string[][] = []
    two.shared.watch(keys => heard.push([...keys]))
    await clock.advance(100)
    asked.length = 0
    for (let count = 0; count < 1_000; count++) {
      one.own.arrive('a/b')
      one.shared.tellOthers()
    }
    await clock.advance(1)
    expect(heard).toEqual([['a/b']])
    expect(two.shared.of('a/b').concurrency).toBe(1_000)
    await clock.advance(100)
    expect(asked.filter(path => path === 'one /changed')).toHaveLength(2)
    expect(asked.filter(path => path === 'two /counts').length).toBeLessThanOrEqual(3)
    ended.abort()
    await Promise.all(running)
  })

  it('go on where a replica cannot be told', async () => {
    const { shared, peers, clock, bodies } = site()
    peers.push({ authority: 'x' })
    bodies.set(`x${changedPath}`, new Error('away'))
    const ended = new AbortController()
    const running = shared.run(ended.signal)
    shared.tellOthers()
    await clock.advance(25)
    shared.tellOthers()
    await clock.advance(25)
    ended.abort()
    await running
  })

  it('are summed; who is away keeps the last numbers until nobody lists it', async () => {
    const { own, bodies, peers, shared, says, clock } = site()
    peers.push({ authority: 'x' }, { authority: 'y' })
    own.arrive('a/b')
    says('x', 2, 2)
    bodies.set('y/queue', JSON.stringify({ 'a/b': { Concurrency: 4, RequestCount: 9 } }))
    const changes: string[][] = []
    shared.watch(keys => changes.push([...keys]))
    await shared.round(signal)
    expect(shared.of('a/b')).toEqual({ concurrency: 7, quietMs: 0 })
    expect(shared.all()).toBe(7)
    bodies.set('x/counts', new Error('away'))
    await clock.advance(500)
    await shared.round(signal)
    expect(shared.of('a/b').concurrency).toBe(7)
    peers.shift()
    await shared.round(signal)
    expect(shared.of('a/b').concurrency).toBe(5)
    expect(changes).toEqual([['a/b'], ['a/b']])
  })

  it.each(['', '{}', '{"instance":1}', '{"instance":"a","routes":{"a/b":{"concurrency":-1,"total":0,"quietMs":0}}}'])(
    'stay as they were where one says %j',
    async body => {
      const { bodies, peers, shared, says } = site()
      peers.push({ authority: 'x' })
      says('x', 2, 2)
      await shared.round(signal)
      bodies.set('x/counts', body)
      await shared.round(signal)
      expect(shared.of('a/b').concurrency).toBe(2)
    },
  )

  it('P3: the first sight of a pod is no burst, a smaller number is another start', async () => {
    const { peers, shared, says, clock } = site()
    expect(shared.rate('a/b', window)).toBe(0)
    peers.push({ authority: 'x' })
    const deltas: number[] = []
    for (const total of [100, 130, 7]) {
      says('x', 0, total)
      await shared.round(signal)
      deltas.push(Math.round(shared.rate('a/b', window) * (clock.elapsed() / 1_000 + 1)))
      await clock.advance(1_000)
    }
    expect(deltas).toEqual([0, 30, 37])
  })

  it('come to the rate with our own', async () => {
    const { own, shared, clock } = site()
    own.keep(new Set(['a/b']))
    shared.rate('a/b', window)
    for (let count = 0; count < 10; count++) own.arrive('a/b').leave()
    expect(shared.rate('a/b', window)).toBe(10)
    await clock.advance(1_000)
    await shared.round(signal)
    expect(shared.rate('a/b', window)).toBe(5)
  })
})
