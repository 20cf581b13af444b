import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Connection, type LinkState, type StreamListener } from './connection.ts'
import { Receiver } from './receiver.ts'
import { type Lock, Sharing, type TabMessage } from './sharing.ts'

/** A browser with tabs, a lock that one of them holds, and a server that counts streams. */
class Browser {
  readonly clock = new VirtualClock(0)
  readonly streams: { tab: string; topics: readonly string[]; listener: StreamListener; isOpen: boolean }[] = []
  readonly #listeners = new Map<string, (message: TabMessage) => void>()
  #queue: { held: () => void }[] = []

  readonly #lock: Lock = {
    take: held => {
      const place = { held }
      this.#queue.push(place)
      if (this.#queue.length === 1) held()
      return () => {
        const wasFirst = this.#queue[0] === place
        this.#queue = this.#queue.filter(one => one !== place)
        if (wasFirst) this.#queue[0]?.held()
      }
    },
  }

  tab(name: string, canShare = true) {
    const values: unknown[] = []
    const links: LinkState['kind'][] = []
    const receiver = new Receiver({
      value: (_topic, value) => values.push(value),
      gone: () => undefined,
      clock: () => undefined,
      sources: () => undefined,
      gap: () => sharing.refresh(),
    })
    const connection = new Connection({
      clock: this.clock,
      chance: () => 0.5,
      wire: {
        open: (topics, _lastEventId, listener) => {
          const stream = { tab: name, topics, listener, isOpen: true }
          this.streams.push(stream)
          return () => {
            stream.isOpen = false
          }
        },
        poll: () => Promise.resolve({ kind: 'lost' }),
      },
      sink: { message: message => sharing.message(message), link: state => sharing.link(state) },
    })
    const post = (message: TabMessage) => {
      for (const [other, listener] of this.#listeners) if (other !== name) listener(structuredClone(message))
    }
    const sharing: Sharing = new Sharing({
      tab: name,
      between: canShare ? { lock: this.#lock, channel: { post, listen: heard => this.#listeners.set(name, heard) } } : undefined,
      connection,
      receiver,
      onLink: ({ kind }) => links.push(kind),
      schedule: (delayMs, callback) => this.clock.schedule(delayMs, callback),
    })
    sharing.start()
    return { sharing, values, links }
  }

  get open() {
    return this.streams.filter(({ isOpen }) => isOpen).map(({ tab, topics }) => `${tab}: ${topics.join(' ')}`)
  }

  say(event: string, data: object): void {
    this.streams.findLast(({ isOpen }) => isOpen)?.listener.event(event, JSON.stringify(data), '')
  }

  readonly settle = () => this.clock.advance(50)
}

const hello = { epoch: 'e1', mode: 'twin', schema: 1, now: '2025-12-19T14:05:00Z', speed: 1, tickMs: 10_000, resumed: false }
const snapshot = (topic: string, value: unknown) => ({ topic, revision: 'e1.1', value })

describe('tabs of one browser', () => {
  test('have one stream, for all that they look at', async () => {
    const browser = new Browser()
    browser.tab('a').sharing.setTopics(['overview'])
    browser.tab('b').sharing.setTopics(['overview', 'plan:x'])
    await browser.settle()
    expect(browser.open).toEqual(['a: overview plan:x'])
  })

  test('all hear what comes', async () => {
    const browser = new Browser()
    const [a, b] = [browser.tab('a'), browser.tab('b')]
    a.sharing.setTopics(['overview'])
    b.sharing.setTopics(['overview'])
    await browser.settle()
    browser.say('hello', hello)
    browser.say('snapshot', snapshot('overview', 1))
    expect([a.values, b.values, b.links.at(-1)]).toEqual([[1], [1], 'live'])
  })

  test('one that comes later is handed what is known', async () => {
    const browser = new Browser()
    browser.tab('a').sharing.setTopics(['overview'])
    await browser.settle()
    browser.say('hello', hello)
    browser.say('snapshot', snapshot('overview', 1))
    const late = browser.tab('b')
    late.sharing.setTopics(['overview'])
    await browser.settle()
    expect([late.values, late.links.at(-1), browser.open]).toEqual([[1], 'live', ['a: overview']])
  })

  test('one that is closed gives the stream to the next', async () => {
    const browser = new Browser()
    const [a, b] = [browser.tab('a'), browser.tab('b')]
    a.sharing.setTopics(['overview'])
    b.sharing.setTopics(['permits'])
    await browser.settle()
    for (const stream of browser.streams) stream.isOpen = false
    a.sharing.leave()
    await browser.settle()
    expect(browser.open).toEqual(['b: permits'])
  })

  test('one that is hidden gives it up at once when another is seen, and comes back as a follower', async () => {
    const browser = new Browser()
    const [a, b] = [browser.tab('a'), browser.tab('b')]
    a.sharing.setTopics(['overview'])
    b.sharing.setTopics(['permits'])
    await browser.settle()
    a.sharing.setVisible(false)
    await browser.settle()
    expect(browser.open).toEqual(['b: permits'])
    a.sharing.setVisible(true)
    await browser.settle()
    expect(browser.open).toEqual(['b: overview permits'])
  })

  test('the only one keeps it for 60 s', async () => {
    const browser = new Browser()
    const a = browser.tab('a')
    a.sharing.setTopics(['overview'])
    await browser.settle()
    browser.say('hello', { ...hello, tickMs: 60_000 })
    a.sharing.setVisible(false)
    await browser.clock.advance(59_000)
    expect(browser.open).toHaveLength(1)
    await browser.clock.advance(1_000)
    expect(browser.open).toEqual([])
    a.sharing.setVisible(true)
    await browser.settle()
    expect(browser.open).toEqual(['a: overview'])
  })

  test('one that missed something has the holder begin anew', async () => {
    const browser = new Browser()
    browser.tab('a').sharing.setTopics(['overview'])
    const b = browser.tab('b')
    b.sharing.setTopics(['overview'])
    await browser.settle()
    browser.say('hello', hello)
    b.sharing.refresh()
    await browser.settle()
    expect(browser.streams).toHaveLength(2)
    expect(browser.open).toEqual(['a: overview'])
  })

  test('without locks each has its own, and none while hidden', async () => {
    const browser = new Browser()
    const [a, b] = [browser.tab('a', false), browser.tab('b', false)]
    a.sharing.setTopics(['overview'])
    b.sharing.setTopics(['overview'])
    await browser.settle()
    expect(browser.open).toEqual(['a: overview', 'b: overview'])
    b.sharing.setVisible(false)
    await browser.clock.advance(60_000)
    expect(browser.open).toHaveLength(1)
  })
})
