// What tests of the stream stand on: a source whose values a test sets, a connection that takes as much as it is told, and a page that
// keeps what it is sent by the rules of the contract, and complains where it cannot.
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { nothingObserved } from '#coordination/observed/observation.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Clock } from '#kube/clock.ts'
import type { Delta, StreamEvents, Topic } from '../contract.ts'
import { applied } from '../delta.ts'
import type { Picture, PictureSource } from '../picture.ts'
import type { PictureSettings } from '../source/live-source.ts'
import type { StreamSink } from './subscription.ts'
import { type TopicValue, topicKindOf } from './topics.ts'

export const testSettings: PictureSettings = {
  arbiter: defaultPolicy,
  ownerLabel: defaultOwnerLabel,
  scheduler: defaultSettings('1.34'),
  ownNamespace: 'ballast-system',
  capabilities: [],
  askers: [],
}

/** A source without a cluster: what its topics say is set. */
export class TestSource implements PictureSource {
  readonly #clock: Clock
  readonly #values = new Map<Topic, TopicValue>()
  readonly #listeners = new Set<() => void>()
  #picture: Picture
  /** How often a picture, and a value, was asked for. */
  asked = 0
  computed = 0

  constructor(clock: Clock, more: Partial<Picture> = {}) {
    this.#clock = clock
    this.#picture = {
      ...testSettings,
      sequence: 1,
      epoch: 'e1',
      nowMs: clock.now(),
      mode: 'cluster',
      cluster: 'test',
      state: buildClusterState([]).state,
      book: { permits: [], plans: [], policies: [], events: [], problems: [] },
      observed: nothingObserved,
      sources: [],
      twin: undefined,
      loading: undefined,
      ...more,
    }
  }

  get listeners(): number {
    return this.#listeners.size
  }

  current(): Picture {
    this.asked++
    return { ...this.#picture, nowMs: this.#clock.now() }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** What `topic` says from now on; `undefined`: it is gone. */
  set(topic: Topic, value: object | undefined): void {
    this.#values.set(topic, value === undefined ? gone(topic) : { value })
    this.change({})
  }

  change(more: Partial<Picture>): void {
    this.#picture = { ...this.#picture, sequence: this.#picture.sequence + 1, ...more }
    for (const listener of [...this.#listeners]) listener()
  }

  readonly values = (_picture: Picture, topic: Topic): TopicValue => {
    this.computed++
    return this.valueOf(topic)
  }

  valueOf(topic: Topic): TopicValue {
    return this.#values.get(topic) ?? gone(topic)
  }
}

function gone(topic: Topic): TopicValue {
  return { gone: { code: 'not-there', message: `no ${topic}`, remedy: null } }
}

interface SentEvent {
  readonly id: string
  readonly name: string
  readonly data: unknown
}

/** A connection that takes everything, until it is told to take so many bytes more. */
export class TestSink implements StreamSink {
  readonly #ended = new AbortController()
  readonly #page: TestPage
  #text = ''
  #takes = Number.POSITIVE_INFINITY
  #drained = Promise.withResolvers<void>()
  isEnded = false
  /** Written while it had said that it takes no more. */
  overrun = 0
  #isFull = false

  constructor(page: TestPage) {
    this.#page = page
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isFull) this.overrun += bytes.length
    this.#text += Buffer.from(bytes).toString('latin1')
    this.#takes -= bytes.length
    this.#isFull = this.#takes <= 0
    this.#read()
    return !this.#isFull
  }

  drained(): Promise<void> {
    return this.#drained.promise
  }

  end(): void {
    this.isEnded = true
  }

  /** Takes so many bytes and then says that it is full. */
  takeOnly(bytes: number): void {
    this.#takes = bytes
  }

  /** What it had is on its way; from now on it takes so many. */
  drain(bytes = Number.POSITIVE_INFINITY): void {
    this.#takes = bytes
    this.#isFull = false
    this.#drained.resolve()
    this.#drained = Promise.withResolvers()
  }

  /** The reader goes. */
  leave(): void {
    this.#ended.abort()
  }

  #read(): void {
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const event = eventIn(this.#text.slice(0, end))
      this.#text = this.#text.slice(end + 2)
      if (event !== undefined) this.#page.take(event)
    }
  }
}

function eventIn(block: string): SentEvent | undefined {
  const fields = new Map(
    block.split('\n').map(line => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)] as const),
  )
  const [id = '', name, data] = [fields.get('id'), fields.get('event'), fields.get('data')]
  if (name === undefined || data === undefined) return undefined
  return { id, name, data: JSON.parse(Buffer.from(data, 'latin1').toString('utf8')) }
}

interface Held {
  readonly revision: string
  readonly value: unknown
}

/** What a page holds of each topic. */
export class TestPage {
  readonly events: SentEvent[] = []
  readonly faults: string[] = []
  readonly held = new Map<Topic, Held | 'gone'>()
  lastId: string | undefined
  readonly #topics: ReadonlySet<Topic>

  constructor(topics: Iterable<Topic>) {
    this.#topics = new Set(topics)
  }

  /** Names of the events so far, with the topics of those that have one. */
  get story(): readonly string[] {
    return this.events.map(({ name, data }) => [name, ...(isOfTopic(data) ? [data.topic] : [])].join(' '))
  }

  take(event: SentEvent): void {
    this.events.push(event)
    // As a browser does: an event without an id leaves the last one as it is.
    if (event.id !== '') this.lastId = event.id
    const { name, data } = event
    if (name === 'hello' && !(data as StreamEvents['hello']).resumed) this.held.clear()
    if (name === 'resync') this.held.clear()
    if (!isOfTopic(data)) return
    const told = data as OfTopic
    if (!this.#topics.has(data.topic)) this.faults.push(`${name} of ${data.topic}, which nobody asked for`)
    if (name === 'snapshot') {
      const { topic, revision, value } = told as StreamEvents['snapshot']
      this.held.set(topic, { revision, value })
    } else if (name === 'gone') this.held.set(data.topic, 'gone')
    else if (name === 'delta') this.#apply(told as Delta)
  }

  #apply(delta: Delta): void {
    const { topic, from, revision } = delta
    const held = this.held.get(topic)
    const kind = topicKindOf(topic)
    if (held === undefined || held === 'gone' || kind === undefined) {
      this.faults.push(`a delta of ${topic} on nothing`)
      return
    }
    if (held.revision !== from) this.faults.push(`a delta of ${topic} from ${from} on ${held.revision}`)
    this.held.set(topic, { revision, value: applied(kind, held.value, delta) })
  }
}

type OfTopic = StreamEvents['snapshot'] | StreamEvents['gone'] | Delta

function isOfTopic(data: unknown): data is { readonly topic: Topic } {
  return typeof data === 'object' && data !== null && 'topic' in data && typeof data.topic === 'string'
}
