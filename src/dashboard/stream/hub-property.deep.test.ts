// Any history of changes; readers that come, go, come back with any last id; connections that stand: everybody ends with what a fresh
// snapshot says, and no delta is applied twice, out of order or on something else.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { everything } from '../views/viewing.ts'
import { Hub } from './hub.ts'
import { TestPage, TestSink, TestSource } from './streams-for-tests.ts'
import type { Subscription } from './subscription.ts'

const topics = ['overview', 'plan:p']
const keys = ['admin', 'guest']

type Rows = readonly (readonly [number, number])[]

type Step =
  | { readonly do: 'change'; readonly topic: number; readonly values: readonly (Rows | undefined)[]; readonly gapMs: number }
  | { readonly do: 'come'; readonly seat: number; readonly topics: readonly number[]; readonly key: number; readonly last: Last }
  | { readonly do: 'leave' | 'drain'; readonly seat: number }
  | { readonly do: 'stand' | 'trickle'; readonly seat: number; readonly bytes: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'epoch' }

type Last = 'own' | 'none' | 'garbage' | 'other epoch' | 'future' | 'of another'

const seats = 2
const seat = fc.integer({ min: 0, max: seats - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      topic: fc.integer({ min: 0, max: topics.length - 1 }),
      values: fc.array(
        fc.option(fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 3 })), { maxLength: 6 }), {
          nil: undefined,
          freq: 8,
        }),
        { minLength: 1, maxLength: 8 },
      ),
      gapMs: fc.constantFrom(0, 0, 100, 250, 251),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('come' as const),
      seat,
      topics: fc.uniqueArray(fc.integer({ min: 0, max: topics.length - 1 }), { minLength: 1 }),
      key: fc.integer({ min: 0, max: keys.length - 1 }),
      last: fc.constantFrom<Last>('own', 'own', 'own', 'own', 'own', 'none', 'garbage', 'other epoch', 'future', 'of another'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'drain' as const), seat }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('stand' as const, 'trickle' as const),
      seat,
      bytes: fc.integer({ min: 1, max: 4_000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 100, 250, 251, 1_000, 11_000, 290_000, 400_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'epoch' }) },
)

/** One who looks: a page that stays, and connections that come and go. */
interface Seat {
  page: TestPage
  sink: TestSink
  subscription: Subscription
  topics: readonly string[]
  key: string
}

/** A value with a table and a field: of a topic of any kind. Some rows are as large as many. */
function madeValue(topic: string, rows: readonly (readonly [number, number])[], big: number): object {
  const table = topic === 'overview' ? 'nodes' : topic === 'permits' ? 'permits' : 'moves'
  const keyField = topic === 'overview' ? 'name' : 'id'
  const unique = new Map(rows)
  return {
    now: `${rows.length}`,
    total: unique.size,
    [table]: Array.from(unique, ([key, value]) => ({ [keyField]: `row${key}`, value, text: 'x'.repeat(value * big) })),
  }
}

class World {
  readonly clock = new VirtualClock(Date.UTC(2026, 0, 1))
  readonly source = new TestSource(this.clock)
  readonly hub: Hub
  readonly #seats: (Seat | undefined)[] = []
  readonly #left = new Map<number, Seat>()
  readonly faults: string[] = []
  readonly #big: number
  #epoch = 1

  constructor(ring: number, big: number) {
    this.#big = big
    this.hub = new Hub({
      source: this.source,
      wallClock: this.clock,
      values: this.source.values,
      limits: { ring: { events: ring } },
    })
    for (const topic of topics) this.source.set(topic, madeValue(topic, [[0, 0]], big))
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'change': {
        const topic = topics[step.topic] ?? ''
        for (const rows of step.values) {
          this.source.set(topic, rows === undefined ? undefined : madeValue(topic, rows, this.#big))
          if (step.gapMs > 0) await this.clock.advance(step.gapMs)
        }
        return
      }
      case 'come':
        this.#come(step)
        return
      case 'leave':
        this.#leave(step.seat)
        return
      case 'drain':
        this.#seats[step.seat]?.sink.drain()
        await this.clock.quiet(2)
        return
      case 'stand':
        this.#seats[step.seat]?.sink.takeOnly(step.bytes)
        return
      case 'trickle':
        this.#seats[step.seat]?.sink.drain(step.bytes)
        await this.clock.quiet(2)
        return
      case 'wait':
        await this.clock.advance(step.ms)
        return
      case 'epoch':
        this.source.change({ epoch: `e${++this.#epoch}` })
    }
  }

  /** All connections take everything, and time goes on until nothing is left to say. */
  async end(): Promise<readonly Seat[]> {
    for (let round = 0; round < 4; round++) {
      for (const seat of this.#seats) seat?.sink.drain()
      await this.clock.advance(1_000)
    }
    return this.#seats.filter(seat => seat !== undefined)
  }

  #come({ seat: at, topics: chosen, key, last }: Extract<Step, { do: 'come' }>): void {
    if (this.#seats[at] !== undefined) this.#leave(at)
    const before = this.#left.get(at)
    // Who goes on is about the same topics with the same rights; the others begin.
    const isBack = last === 'own' && before !== undefined
    const own = isBack ? before.topics : chosen.flatMap(one => topics[one] ?? [])
    const viewing = { ...everything, viewer: `seat${at}`, key: isBack ? before.key : (keys[key] ?? '') }
    const page = isBack ? before.page : new TestPage(own)
    const sink = new TestSink(page)
    const subscription = this.hub.subscribe({ topics: own, viewing, sink, lastEventId: this.#idOf(last, at) })
    if (!subscription.accepted) throw new Error(`not let in: ${subscription.because}`)
    this.#seats[at] = { page, sink, subscription, topics: own, key: viewing.key }
  }

  #idOf(last: Last, at: number): string | undefined {
    switch (last) {
      case 'own':
        return this.#left.get(at)?.page.lastId
      case 'none':
        return undefined
      case 'garbage':
        return '%%; drop'
      case 'other epoch':
        return 'e99.3'
      case 'future':
        return `e${this.#epoch}.1000000`
      case 'of another':
        // Rights are another's, or what it stands for was never an event.
        return `e${this.#epoch}.0`
    }
  }

  #leave(at: number): void {
    const seat = this.#seats[at]
    if (seat === undefined) return
    seat.sink.leave()
    this.#left.set(at, seat)
    this.#seats[at] = undefined
  }
}

/** Without what the picture's time alone changes. */
function settled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { now: _, ...rest } = value as Record<string, unknown>
  return rest
}

describe('hub', () => {
  test('everybody ends with what a fresh snapshot says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(5, 40, 10_000),
        fc.constantFrom(10, 2_000, 500_000),
        async (steps, ring, big) => {
          const world = new World(ring, big)
          for (const one of steps) await world.run(one)
          const here = await world.end()
          for (const { page, sink, topics: own } of here) {
            expect(page.faults).toEqual([])
            expect(sink.overrun).toBe(0)
            for (const topic of own) {
              const told = world.source.valueOf(topic)
              const held = page.held.get(topic)
              if ('gone' in told) expect(held).toBe('gone')
              else expect(settled(held === 'gone' ? held : held?.value)).toEqual(settled(told.value))
            }
          }
          world.hub[Symbol.dispose]()
          expect(here.every(({ sink, page }) => sink.isEnded && page.story.at(-1) === 'bye')).toBe(true)
          expect(world.clock.pending).toBe(0)
          expect(world.source.listeners).toBe(0)
        },
      ),
      { numRuns: Number(process.env['FC_RUNS'] ?? 300) },
    )
  })
})
