// Several replicas on one virtual clock, each with its own store, and kubelets that count who asks them.
import { Registry } from 'prom-client'
import { afterEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { PrivatePath } from '#kube/server/replicas/private-paths.ts'
import { emptyReading, type NodeReading } from '../decode/reading.ts'
import { Points } from '../points/points.ts'
import { ScrapeMetrics } from '../scrape/scrape-metrics.ts'
import { Scraper } from '../scrape/scraper.ts'
import { decodeAnswer, encodeAnswer, encodePoints } from './points-message.ts'
import { SharedNodes } from './shared-nodes.ts'

const resolutionMs = 15_000
const nodes = Array.from({ length: 24 }, (_, number) => `node-${number}`)

/** How a replica answers others instead. */
type Fault =
  | 'hangs'
  | 'refuses'
  | 'garbage'
  | 'another version'
  | 403
  | 401
  | 503
  | 404
  | 'lies'
  | 'more for ever'
  | 'an hour ahead'
  | 'an hour behind'
  | 'an hour ahead'
  | 'an hour behind'

interface Asked {
  readonly by: string
  readonly atMs: number
}

class Replicas {
  readonly clock = new VirtualClock(Date.UTC(2026, 0, 1))
  readonly ready = new Set<string>()
  readonly running = new Map<string, Awaited<ReturnType<Replicas['start']>>>()
  readonly faults = new Map<string, Fault>()
  /** `by node`: who does not reach which kubelet. */
  readonly unreached = new Set<string>()
  readonly asked = new Map<string, Asked[]>()
  questions = 0
  readonly #paths = new Map<string, PrivatePath>()

  async start(name: string) {
    const { clock } = this
    const stop = new AbortController()
    const { signal } = stop
    const points = new Points({ resolutionMs, staleAfterMs: resolutionMs * 2.5, isStrict: false })
    const shares = new SharedNodes({
      apis: {
        answerReplicas: path => {
          this.#paths.set(name, path)
          return { [Symbol.dispose]: () => void this.#paths.delete(name) }
        },
        replicasBy: () =>
          this.ready.has(name)
            ? {
                own: name,
                others: [...this.ready]
                  .filter(other => other !== name)
                  .sort()
                  .map(other => ({ name: other, address: other, port: 1 })),
              }
            : undefined,
        askReplica: ({ name: other }, path, options) => this.#answer(other, path, options.signal),
      },
      slices: () => [],
      resolutionMs,
      clock,
      log: silentLog,
      instance: `${name} ${clock.elapsed()}`,
    })
    const scraper: Scraper = new Scraper({
      nodes: () =>
        nodes.map(node => ({
          name: node,
          addresses: [{ type: 'Hostname', address: node }],
          port: 0,
          path: undefined,
          isReady: true,
        })),
      client: {
        scrape: async url => {
          await clock.after(20)
          return this.#scraped(new URL(url).hostname, name)
        },
      },
      points,
      address: { addressTypes: ['Hostname'], port: 10_250, useNodeStatusPort: false, scheme: 'https' },
      resolutionMs,
      clock,
      log: silentLog,
      metrics: new ScrapeMetrics(new Registry(), resolutionMs),
      shares,
    })
    shares.begin({
      isMeasured: node => nodes.includes(node),
      ageMs: node => points.ageMs(node, clock.elapsed()),
      take: (...read) => scraper.take(...read),
    })
    const run = scraper.run(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    const end = async () => {
      stop.abort(new Error('the replica ends'))
      await run
      await shares[Symbol.asyncDispose]()
    }
    const replica = { points, shares, scraper, end }
    this.running.set(name, replica)
    return replica
  }

  /** Its pod becomes ready, or is that no more. */
  show(name: string, isReady = true): void {
    if (isReady) this.ready.add(name)
    else this.ready.delete(name)
    for (const { shares } of this.running.values()) shares.follow()
  }

  async kill(name: string): Promise<void> {
    await this.running.get(name)?.end()
    this.running.delete(name)
  }

  /** Who asked each node since. */
  since(fromMs: number): ReadonlyMap<string, readonly string[]> {
    return new Map(
      nodes.map(node => [node, (this.asked.get(node) ?? []).filter(({ atMs }) => atMs >= fromMs).map(({ by }) => by)] as const),
    )
  }

  /** What a replica would answer of each node, and how many it knows. */
  said(name: string) {
    const { points } = this.running.get(name) ?? {}
    return nodes.map(node => [
      node,
      points?.nodeUsage(node, this.clock.elapsed()),
      points?.podUsage({ namespace: 'shop', name: `pod-${node}` }, new Set(), this.clock.elapsed()),
    ])
  }

  #scraped(node: string, by: string): NodeReading | { readonly reason: 'timeout'; readonly message: string } {
    const atMs = this.clock.now()
    this.asked.set(node, [...(this.asked.get(node) ?? []), { by, atMs }])
    if (this.unreached.has(`${by} ${node}`)) return { reason: 'timeout', message: 'no answer in time' }
    return readingAt(node, Math.floor(atMs / 10_000) * 10_000 + (node.length % 3))
  }

  async #answer(name: string, path: string, signal: AbortSignal): Promise<{ readonly status: number; readonly body: Buffer }> {
    this.questions++
    const own = this.#paths.get(name)
    const fault = own === undefined ? 'refuses' : this.faults.get(name)
    const answered = (body: Buffer) => ({ status: 200, body })
    if (typeof fault === 'number') return { status: fault, body: Buffer.from('{}') }
    switch (fault) {
      case 'hangs':
        await this.clock.after(5_000, signal)
        throw new Error('no answer in 5 s')
      case 'refuses':
        throw new Error('connect ECONNREFUSED')
      case 'garbage':
        return answered(Buffer.from('<html>\xff\xfe\x07'))
      case 'another version':
        return answered(Buffer.from([0x08, 0x02, 0x12, 0x01, 0x78]))
      case 'more for ever':
        return answered(encodeAnswer({ instance: 'x', upTo: 0, isCut: true, entries: [] }))
      case 'lies': {
        const reading = readingAt('node-0', this.clock.now())
        const points = encodePoints({
          node: 'node-0',
          receivedMs: this.clock.now(),
          isOwners: true,
          reading: { ...reading, node: { ...reading.node, cpuNs: -5 } },
        })
        return answered(encodeAnswer({ instance: 'x', upTo: 7, isCut: false, entries: [{ ageMs: 0, points }] }))
      }
      case 'an hour ahead':
      case 'an hour behind': {
        const body = (await own?.answer(new URLSearchParams(), signal)) ?? Buffer.alloc(0)
        const { heard, ...rest } = await decodeAnswer(body, async () => undefined)
        const shiftMs = fault === 'an hour ahead' ? 3_600_000 : -3_600_000
        const entries = heard.map(one => ({
          ageMs: one.ageMs,
          points: encodePoints({ ...one, receivedMs: one.receivedMs + shiftMs }),
        }))
        return answered(encodeAnswer({ ...rest, entries }))
      }
      default:
        return answered((await own?.answer(new URL(`https://x${path}`).searchParams, signal)) ?? Buffer.alloc(0))
    }
  }
}

/** CPU that grows, in figures that only doubles hold. */
function readingAt(node: string, timeMs: number): NodeReading {
  const cpuNs = Math.trunc((timeMs - Date.UTC(2025, 0, 1)) * 1e6 * 0.125500321)
  const one = { ...emptyReading(), cpuNs, cpuMs: timeMs, memoryBytes: 41_943_041, memoryMs: timeMs }
  const container = (name: string) => ({ ...one, namespace: 'shop', pod: `pod-${node}`, container: name, startNs: 1.7e18 })
  return { node: one, containers: [container('app'), container('sidecar')], rejected: new Map() }
}

let replicas = new Replicas()
afterEach(async () => {
  for (const name of [...replicas.running.keys()]) await replicas.kill(name)
  replicas = new Replicas()
})

async function started(...names: readonly string[]): Promise<void> {
  for (const name of names) await replicas.start(name)
  for (const name of names) replicas.show(name)
  // What was asked before they knew of each other is over.
  await replicas.clock.advance(3 * resolutionMs - 1)
}

/** Goes on for so many resolutions; who asked each node meanwhile. */
async function passed(resolutions: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const fromMs = replicas.clock.now()
  await replicas.clock.advance(resolutions * resolutionMs)
  return replicas.since(fromMs)
}

const sharesOf = (asked: ReadonlyMap<string, readonly string[]>) =>
  Object.fromEntries([...Map.groupBy([...asked.values()].flat(), by => by)].map(([by, all]) => [by, all.length]))
const counts = (asked: ReadonlyMap<string, readonly string[]>) => new Set([...asked.values()].map(all => all.length))
const owners = (asked: ReadonlyMap<string, readonly string[]>) => new Map([...asked].map(([node, [by]]) => [node, by]))

describe('kubelets of several replicas', () => {
  test('one alone, or one that is not in the list, asks all', async () => {
    await replicas.start('a')
    await replicas.start('b')
    replicas.show('a')
    await replicas.clock.advance(3 * resolutionMs - 1)
    const asked = await passed(2)
    expect([...asked.values()].map(by => by.toSorted().join())).toEqual(nodes.map(() => 'a,a,b,b'))
    expect(replicas.running.get('a')?.shares.check()).toMatchObject({
      ok: true,
      state: 'asks 24 of 24, no other replica is ready',
    })
    expect(replicas.questions).toBe(0)
  })

  test.each([2, 3])('%i ask each kubelet once a resolution, and say the same', async count => {
    const names = ['a', 'b', 'c'].slice(0, count)
    await started(...names)
    const asked = await passed(4)
    expect(counts(asked)).toEqual(new Set([4]))
    for (const by of asked.values()) expect(new Set(by).size).toBe(1)
    expect(Object.keys(sharesOf(asked)).sort()).toEqual(names)
    const [first, ...others] = names.map(name => replicas.said(name))
    expect(first?.every(([, node, pod]) => node !== undefined && Array.isArray(pod))).toBe(true)
    for (const other of others) expect(other).toEqual(first)
    const own = (sharesOf(asked)['a'] ?? 0) / 4
    expect(replicas.running.get('a')?.shares.check().state).toMatch(new RegExp(`^asks ${own} of 24, \\d+ from b`))
    // Each other one, some times in a resolution.
    expect(replicas.questions).toBeLessThan(count * (count - 1) * 8 * 10)
  })

  test('one that goes is replaced within a resolution, and takes back its share when it comes', async () => {
    await started('a', 'b', 'c')
    const before = owners(await passed(1))
    await replicas.clock.advance(5_000)
    await replicas.kill('b')
    replicas.show('b', false)
    await replicas.clock.advance(resolutionMs)
    const without = await passed(1)
    expect(counts(without)).toEqual(new Set([1]))
    for (const [node, by] of owners(without)) {
      if (before.get(node) !== 'b') expect(by).toBe(before.get(node))
      else expect(['a', 'c']).toContain(by)
    }
    expect(replicas.said('a')).toEqual(replicas.said('c'))
    await replicas.start('b')
    replicas.show('b')
    await replicas.clock.advance(3 * resolutionMs - 5_000)
    const again = await passed(1)
    expect(owners(again)).toEqual(before)
    expect(counts(again)).toEqual(new Set([1]))
  })

  test.each<Fault | 'killed'>([
    'killed',
    'hangs',
    'refuses',
    'garbage',
    'another version',
    403,
    401,
    503,
    404,
    'lies',
    'more for ever',
    'an hour ahead',
    'an hour behind',
  ])('one that is %s, and is said to be ready all the time, costs no points', async fault => {
    await started('a', 'b')
    const mine = [...owners(await passed(1))].filter(([, by]) => by === 'b').map(([node]) => node)
    expect(mine.length).toBeGreaterThan(5)
    if (fault === 'killed') await replicas.kill('b')
    else replicas.faults.set('b', fault)
    const atMs = replicas.clock.now()
    // A resolution without points, and half of one until that is looked at.
    await replicas.clock.advance(1.75 * resolutionMs)
    const asked = replicas.since(atMs)
    for (const node of mine) expect(asked.get(node)).toContain('a')
    const { points, shares } = replicas.running.get('a') ?? {}
    for (const node of nodes) expect(points?.nodeUsage(node, replicas.clock.elapsed())).toBeDefined()
    expect(shares?.check()).toMatchObject({ ok: false, isGating: false, state: expect.stringContaining('nothing from b: ') })
    // It is left out, so that each is asked at its own moment.
    await replicas.clock.advance(3.25 * resolutionMs)
    const later = await passed(1)
    for (const by of later.values()) expect(by.filter(one => one === 'a')).toHaveLength(1)
    expect(shares?.check().state).toMatch(/^asks 24 of 24, nothing from b: /)
    if (fault === 'killed') return
    replicas.faults.delete('b')
    await replicas.clock.advance(3 * resolutionMs)
    const again = await passed(1)
    expect(counts(again)).toEqual(new Set([1]))
    expect(replicas.said('a')).toEqual(replicas.said('b'))
    expect(shares?.check()).toMatchObject({ ok: true })
  })

  test('a kubelet that its replica does not reach is asked by the other, and both say it', async () => {
    await started('a', 'b')
    const [node = ''] = [...owners(await passed(1))].find(([, by]) => by === 'a') ?? []
    replicas.unreached.add(`a ${node}`)
    const asked = await passed(3)
    expect(asked.get(node)).toContain('b')
    for (const [other, by] of asked) if (other !== node) expect(by).toHaveLength(3)
    // What b read in its place is a's, too.
    expect(replicas.running.get('a')?.points.nodeUsage(node, replicas.clock.elapsed())).toBeDefined()
    expect(replicas.running.get('a')?.scraper.lastScrape(node)).toBeDefined()
    replicas.unreached.clear()
    await replicas.clock.advance(3 * resolutionMs)
    expect(replicas.said('a')).toEqual(replicas.said('b'))
  })
})

describe('points on their way', () => {
  const now = Date.UTC(2026, 0, 1)
  const turn = async () => undefined

  test('arrive as they were', async () => {
    const reading = readingAt('n', now)
    const odd: NodeReading = {
      node: { ...emptyReading(), cpuNs: 357_354_910_000 },
      containers: [
        ...reading.containers,
        { ...emptyReading(), namespace: '', pod: '', container: '', isDoubted: true, swapBytes: 0 },
        { ...emptyReading(), namespace: 'ü\n', pod: '"', container: '\0', memoryBytes: 2 ** 63 },
      ],
      rejected: new Map(),
    }
    const passed = { node: 'n', receivedMs: now, isOwners: true, reading: odd }
    const entries = [{ ageMs: 3, points: encodePoints(passed) }]
    const answer = await decodeAnswer(encodeAnswer({ instance: 'i', upTo: 9, isCut: true, entries }), turn)
    const [app, sidecar, nameless, strange] = odd.containers
    expect(answer).toEqual({
      instance: 'i',
      upTo: 9,
      isCut: true,
      heard: [
        { ...passed, ageMs: 3, reading: { ...odd, containers: [app, sidecar, { ...nameless, ...pick(sidecar) }, strange] } },
      ],
    })
  })
})

/** A container without namespace and pod counts as one of those before: the decoder makes none such. */
function pick(one: { readonly namespace: string; readonly pod: string } | undefined) {
  return { namespace: one?.namespace, pod: one?.pod }
}
