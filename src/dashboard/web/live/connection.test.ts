import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { disconnectedText } from '../frame/disconnected.ts'
import { Connection, type LinkState, type StreamListener, type Wire, type WireEnd } from './connection.ts'
import type { LiveMessage } from './message.ts'

const cutAtMs = Date.parse('2025-12-19T14:05:00Z')
const hello = { epoch: 'e1', mode: 'twin', schema: 1, now: '2025-12-19T14:05:00Z', speed: 1, tickMs: 10_000, resumed: false }
const tick = { now: '2025-12-19T14:05:00Z', speed: 1, sources: [] }
const lost: WireEnd = { kind: 'lost' }
const refused = (status: number, retryAfterMs?: number): WireEnd => ({
  kind: 'refused',
  status,
  retryAfterMs,
  error: { code: 'x', message: 'no', remedy: null },
})

interface Attempt {
  readonly atMs: number
  readonly topics: readonly string[]
  readonly lastEventId: string | undefined
  readonly listener: StreamListener
  isClosed: boolean
}

/** A server that the test plays, a clock that it moves, and what the page was told. Starts a minute before `cutAtMs`. */
class Bench {
  readonly clock = new VirtualClock(cutAtMs - 60_000)
  readonly attempts: Attempt[] = []
  readonly polls: number[] = []
  readonly links: LinkState['kind'][] = []
  readonly messages: LiveMessage[] = []
  onOpen: (attempt: Attempt) => void = () => undefined
  onPoll: () => WireEnd | undefined = () => undefined
  chance = 0.5
  readonly connection: Connection

  constructor() {
    const wire: Wire = {
      open: (topics, lastEventId, listener) => {
        const attempt: Attempt = { atMs: this.clock.now(), topics, lastEventId, listener, isClosed: false }
        this.attempts.push(attempt)
        this.onOpen(attempt)
        return () => {
          attempt.isClosed = true
        }
      },
      poll: topic => {
        this.polls.push(this.clock.now())
        return Promise.resolve(this.onPoll() ?? { kind: 'value', polled: { revision: 'e1.1', value: topic } })
      },
    }
    this.connection = new Connection({
      clock: this.clock,
      wire,
      chance: () => this.chance,
      sink: {
        message: message => this.messages.push(message),
        link: ({ kind }) => {
          if (this.links.at(-1) !== kind) this.links.push(kind)
        },
      },
    })
  }

  get latest(): Attempt {
    const attempt = this.attempts.at(-1)
    if (attempt === undefined) throw new Error('no stream was opened')
    return attempt
  }

  say(event: string, data: object, id = ''): void {
    this.latest.listener.event(event, JSON.stringify(data), id)
  }

  async open(...topics: string[]): Promise<void> {
    this.connection.setTopics(topics.length === 0 ? ['overview'] : topics)
    await this.clock.advance(20)
  }

  /** The server lets the latest stream in. */
  live(id = 'e1.500'): void {
    this.latest.listener.opened()
    this.say('hello', hello, id)
    this.say('tick', tick, id)
  }

  /** A stream that is well since a minute, at `cutAtMs`. */
  async liveSinceAMinute(): Promise<void> {
    await this.open()
    this.live()
    while (this.clock.now() < cutAtMs) {
      await this.clock.advance(Math.min(10_000, cutAtMs - this.clock.now()))
      this.say('tick', tick, 'e1.500')
    }
    this.attempts.length = 1
    this.messages.length = 0
  }

  /** Seconds from the cut to each attempt after it. */
  get tries(): number[] {
    return this.attempts.filter(({ atMs }) => atMs > cutAtMs).map(({ atMs }) => (atMs - cutAtMs) / 1000)
  }
}

describe('D22: the stream is cut at 14:05:00, the server is back at 14:05:09, jitter 0', () => {
  async function cut(): Promise<Bench> {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.onOpen = ({ listener }) => {
      if (bench.clock.now() < cutAtMs + 9_000) {
        listener.ended(lost)
        return
      }
      listener.opened()
      listener.event('hello', JSON.stringify({ ...hello, resumed: true }), 'e1.500')
      for (const at of [501, 502, 503])
        listener.event('delta', JSON.stringify({ topic: 'overview', revision: `e1.${at}`, from: `e1.${at - 1}` }), `e1.${at}`)
    }
    bench.latest.listener.ended(lost)
    return bench
  }

  function banner({ connection, clock }: Bench): string | undefined {
    const state = connection.link
    if (state.kind !== 'waiting') return undefined
    const nowMs = clock.now()
    const times = { forMs: nowMs - state.sinceMs, retryInMs: state.retryAtMs - nowMs, sinceClusterMs: state.sinceMs }
    return disconnectedText(times, 'UTC', nowMs)
  }

  test('attempts are made at :01, :03, :07 and :15, each resuming from what was seen', async () => {
    const bench = await cut()
    await bench.clock.advance(20_000)
    expect(bench.tries).toEqual([1, 3, 7, 15])
    expect(bench.attempts.slice(1).map(({ lastEventId }) => lastEventId)).toEqual(Array(4).fill('e1.500'))
    expect(bench.connection.link.kind).toBe('live')
  })

  // biome-ignore format: a table
  test.each([
    [1, undefined],
    [2, undefined],
    [3, 'Not connected since 14:05:00. Trying again in 4s.'],
    [5, 'Not connected since 14:05:00. Trying again in 2s.'],
    [7, 'Not connected since 14:05:00. Trying again in 8s.'],
    [14, 'Not connected since 14:05:00. Trying again in 1s.'],
    [15, undefined],
  ])('%is after it the banner says %s', async (second, text) => {
    const bench = await cut()
    await bench.clock.advance(second * 1000)
    expect(banner(bench)).toBe(text)
  })

  test('what was missed comes once each, in order', async () => {
    const bench = await cut()
    await bench.clock.advance(20_000)
    expect(bench.messages.flatMap(({ event, data }) => (event === 'delta' ? [data.revision] : []))).toEqual([
      'e1.501',
      'e1.502',
      'e1.503',
    ])
  })
})

describe('what ends a stream', () => {
  test('waits double up to 30 s, within 20 % by chance', async () => {
    for (const [chance, tries] of [
      [0.5, [1, 3, 7, 15, 31, 61, 91]],
      [0, [0.8, 2.4, 5.6, 12, 24.8, 48.8, 72.8]],
    ] as const) {
      const bench = new Bench()
      bench.chance = chance
      await bench.liveSinceAMinute()
      bench.onOpen = ({ listener }) => listener.ended(lost)
      bench.latest.listener.ended(lost)
      await bench.clock.advance(95_000)
      expect(bench.tries.slice(0, 7)).toEqual(tries)
    }
  })

  test('after less than 30 s of health the waits go on where they were', async () => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.latest.listener.ended(lost)
    await bench.clock.advance(1_000)
    bench.live()
    await bench.clock.advance(5_000)
    bench.latest.listener.ended(lost)
    await bench.clock.advance(3_000)
    expect(bench.tries).toEqual([1, 8])
  })

  test.each([401, 403])('a %i is not tried again: whoever is not let in must sign in', async status => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.latest.listener.ended(refused(status))
    await bench.clock.advance(3_600_000)
    expect(bench.tries).toEqual([])
    expect(bench.connection.link.kind).toBe('signed-out')
    bench.connection.retry()
    expect(bench.tries).toEqual([3_600])
  })

  test('a session that ended asks for a new one', async () => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.say('bye', { reason: 'session-ended' })
    await bench.clock.advance(60_000)
    expect([bench.connection.link.kind, bench.tries]).toEqual(['signed-out', []])
  })

  test.each(['shutdown', 'lost-lease', 'reload'])('after bye %s it comes back', async reason => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.say('bye', { reason })
    await bench.clock.advance(1_000)
    expect(bench.tries).toEqual([1])
    expect(bench.attempts[0]?.isClosed).toBe(true)
  })

  test('no word for two and a half ticks is an end', async () => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    await bench.clock.advance(24_999)
    expect(bench.connection.link.kind).toBe('live')
    await bench.clock.advance(1)
    expect(bench.connection.link.kind).toBe('waiting')
    expect(bench.attempts[0]?.isClosed).toBe(true)
  })

  test('a server of another version is not understood, and not asked again', async () => {
    const bench = new Bench()
    await bench.open()
    bench.latest.listener.opened()
    bench.say('hello', { ...hello, schema: 2 })
    bench.say('snapshot', { topic: 'overview', revision: 'e1.1', value: {} })
    await bench.clock.advance(600_000)
    expect([bench.connection.link.kind, bench.attempts.length, bench.messages.length]).toEqual(['outdated', 1, 0])
  })

  test('after a sleep of 8 h there is one attempt', async () => {
    const bench = new Bench()
    await bench.liveSinceAMinute()
    bench.onOpen = ({ listener }) => {
      listener.opened()
      listener.event('hello', JSON.stringify(hello), 'e1.9000')
      listener.event('resync', JSON.stringify({ reason: 'gap' }), 'e1.9000')
    }
    // Timers stand while the machine sleeps and all are due when it wakes.
    bench.clock.step()
    await bench.clock.advance(2_000)
    expect(bench.attempts).toHaveLength(2)
    expect(bench.messages.map(({ event }) => event)).toEqual(['hello', 'resync'])
  })
})

describe('where streams do not last', () => {
  /** A proxy that cuts each stream after its hello. */
  function short(bench: Bench): void {
    bench.onOpen = ({ listener }) => {
      listener.opened()
      listener.event('hello', JSON.stringify(hello), 'e1.1')
      bench.clock.schedule(1_000, () => listener.ended(lost))
    }
  }

  test('after three that end before their first tick values are asked for each 10 s', async () => {
    const bench = new Bench()
    short(bench)
    await bench.open('overview', 'permits')
    await bench.clock.advance(60_000)
    expect(bench.attempts).toHaveLength(3)
    expect(bench.connection.link.kind).toBe('polling')
    const rounds = bench.polls.filter((_, index) => index % 2 === 0)
    expect(rounds.slice(1).map((at, index) => at - (rounds[index] ?? 0))).toEqual(Array(rounds.length - 1).fill(10_000))
    expect(bench.messages.filter(({ event }) => event === 'snapshot').length).toBe(bench.polls.length)
  })

  test('a stream is tried again after 5 min, and one that lasts stays', async () => {
    const bench = new Bench()
    short(bench)
    await bench.open()
    await bench.clock.advance(60_000)
    bench.onOpen = () => undefined
    await bench.clock.runUntil(() => bench.attempts.length === 4, { limitMs: 300_000 })
    bench.live()
    const polls = bench.polls.length
    await bench.clock.advance(20_000)
    expect([bench.connection.link.kind, bench.polls.length]).toEqual(['live', polls])
  })

  test('a proxy that holds everything back answers nothing: the same', async () => {
    const bench = new Bench()
    await bench.open()
    await bench.clock.advance(90_000)
    expect(bench.connection.link.kind).toBe('polling')
  })

  test('a server that is away is no short stream', async () => {
    const bench = new Bench()
    bench.onOpen = ({ listener }) => listener.ended(lost)
    await bench.open()
    await bench.clock.advance(300_000)
    expect([bench.connection.link.kind, bench.polls.length]).toEqual(['waiting', 0])
  })

  test('503 with Retry-After, too many streams: values are asked for at once', async () => {
    const bench = new Bench()
    bench.onOpen = ({ listener }) => listener.ended(refused(503, 5_000))
    await bench.open()
    await bench.clock.advance(0)
    expect([bench.connection.link.kind, bench.polls.length]).toEqual(['polling', 1])
  })

  test('requests that fail wait as streams do, and are told as a cut', async () => {
    const bench = new Bench()
    short(bench)
    await bench.open()
    await bench.clock.advance(60_000)
    bench.onPoll = () => lost
    await bench.clock.advance(10_000)
    expect(bench.connection.link.kind).toBe('waiting')
    bench.onPoll = () => undefined
    await bench.clock.advance(30_000)
    expect(bench.connection.link.kind).toBe('polling')
  })

  test('a value that this viewer may not see, or that is gone, is told and the others live on', async () => {
    const bench = new Bench()
    short(bench)
    bench.onPoll = () => refused(404)
    await bench.open()
    await bench.clock.advance(60_000)
    expect(bench.messages.some(({ event }) => event === 'gone')).toBe(true)
    expect(bench.connection.link.kind).toBe('polling')
  })
})

describe('what is looked at', () => {
  test('nothing is open while nobody looks', async () => {
    const bench = new Bench()
    bench.connection.setTopics([])
    await bench.clock.advance(60_000)
    expect(bench.attempts).toEqual([])
    expect(bench.clock.pending).toBe(0)
  })

  test('topics that change together make one stream, from their beginning', async () => {
    const bench = new Bench()
    await bench.open()
    bench.live()
    bench.connection.setTopics(['overview', 'plan:a'])
    bench.connection.setTopics(['overview', 'plan:b'])
    await bench.clock.advance(20)
    expect(bench.attempts.map(({ topics, lastEventId, isClosed }) => [topics, lastEventId, isClosed])).toEqual([
      [['overview'], undefined, true],
      [['overview', 'plan:b'], undefined, false],
    ])
    expect(bench.links).not.toContain('waiting')
  })

  test('what the stream of other topics says meanwhile is not resumed from', async () => {
    const bench = new Bench()
    await bench.open('overview')
    bench.live('e1.500')
    bench.connection.setTopics(['overview', 'plan:talos-1'])
    await bench.clock.advance(10)
    bench.say('tick', tick, 'e1.501')
    await bench.clock.advance(10)
    expect(bench.latest).toMatchObject({ topics: ['overview', 'plan:talos-1'], lastEventId: undefined })
  })

  test('a hidden tab has no stream and goes on where it was', async () => {
    const bench = new Bench()
    await bench.open()
    bench.live('e1.7')
    bench.connection.pause()
    await bench.clock.advance(3_600_000)
    expect([bench.attempts.length, bench.latest.isClosed, bench.clock.pending]).toEqual([1, true, 0])
    bench.connection.resume()
    expect(bench.latest.lastEventId).toBe('e1.7')
  })

  test('a stream that was closed says nothing more', async () => {
    const bench = new Bench()
    await bench.open()
    const [first] = bench.attempts
    bench.live()
    bench.connection.setTopics(['permits'])
    await bench.clock.advance(20)
    const before = bench.messages.length
    first?.listener.event('tick', JSON.stringify(tick), 'e1.9')
    first?.listener.ended(lost)
    expect([bench.messages.length, bench.connection.link.kind]).toEqual([before, 'live'])
  })

  test('snapshots that are asked for begin the stream anew, at most once in 5 s', async () => {
    const bench = new Bench()
    await bench.open()
    bench.live()
    for (let time = 0; time < 10; time++) {
      bench.connection.refresh()
      await bench.clock.advance(100)
      bench.live()
    }
    expect(bench.attempts.map(({ lastEventId }) => lastEventId)).toEqual([undefined, undefined])
    await bench.clock.advance(5_000)
    expect(bench.attempts).toHaveLength(3)
  })

  test('an event of a newer server is passed over', async () => {
    const bench = new Bench()
    await bench.open()
    bench.live()
    bench.say('weather', { sun: true })
    expect(bench.messages.map(({ event }) => event)).toEqual(['hello', 'tick'])
  })
})
