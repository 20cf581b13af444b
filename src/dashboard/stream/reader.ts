// One reader: what it has seen, what is next for it, and how much its connection takes. Nothing is queued for it: it has a place in what all
// of its channel were sent, and that is why a slow one costs no memory.
import type { StreamEvents, Topic } from '../contract.ts'
import type { RingEntry } from './ring.ts'
import { type EventId, eventBytes, framed, greeting, unnumbered } from './sse.ts'
import type { StreamMetrics } from './stream-metrics.ts'
import type { ByeReason, StreamSink, Withheld } from './subscription.ts'

/** What a reader lags behind at most, in bytes: then it begins anew. */
export const mostUnsentBytes = 1_048_576
/** Handed to a connection at once, in bytes. */
export const pieceBytes = 65_536

/** What the readers of a channel read. */
export interface Feed {
  readonly epoch: string
  /** Number of the newest event. */
  readonly head: number
  after(sequence: number): RingEntry | undefined
  holds(sequence: number): boolean
  /** The value of a topic as it is after `head`, or that there is none; `undefined` until it was computed. */
  snapshot(topic: Topic): { readonly name: 'snapshot' | 'gone'; readonly data: Uint8Array } | undefined
}

interface ReaderOptions {
  readonly topics: ReadonlySet<Topic>
  readonly sink: StreamSink
  readonly feed: Feed
  readonly metrics: StreamMetrics | undefined
}

/** What stands before all else. */
interface Opening {
  readonly hello: StreamEvents['hello']
  readonly withheld: readonly Withheld[]
}

/** While a topic was not sent yet no id may be gone on from: nothing was ever numbered 0. */
const notResumable = 0

/**
 * Guarantees: of each topic first a snapshot, then each delta after it once and in order; after a resume only the deltas. What comes while
 * the connection takes nothing is read later, or, where it is more than `mostUnsentBytes`, replaced by snapshots.
 */
export class Reader {
  topics: ReadonlySet<Topic>
  readonly #sink: StreamSink
  readonly #metrics: StreamMetrics | undefined
  #feed: Feed
  /** Events that go before all others. */
  #front: Uint8Array[] = [greeting]
  /** Rest of an event that was begun. */
  #rest: Uint8Array | undefined
  /** Topics of which a snapshot is to come. */
  #missing = new Set<Topic>()
  #cursor = 0
  #isBlocked = false
  #unsent = 0
  #isPumping = false
  #state: 'open' | 'ending' | 'ended' = 'open'

  constructor({ topics, sink, feed, metrics }: ReaderOptions) {
    this.topics = topics
    this.#sink = sink
    this.#feed = feed
    this.#metrics = metrics
  }

  /** Begins with snapshots. */
  begin(feed: Feed, opening: Opening, resync?: StreamEvents['resync']['reason']): void {
    this.#feed = feed
    this.#open(opening, notResumable)
    this.#startOver(resync)
    this.pump()
  }

  /** Goes on after the event numbered `sequence`, which the feed holds. */
  resume(feed: Feed, opening: Opening, sequence: number): void {
    this.#feed = feed
    this.#cursor = sequence
    this.#open(opening, sequence)
    this.pump()
  }

  /** Nothing is left that it may be told: says so and ends. */
  close(withheld: readonly Withheld[]): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#missing.clear()
    this.#front.push(...this.#words(withheld))
    this.pump()
  }

  /** There is something new of one topic, or the value that was missing. */
  told(entry: RingEntry): void {
    if (!this.#isBlocked) {
      this.pump()
      return
    }
    if (entry.event === undefined || !this.#isFor(entry)) return
    this.#unsent += entry.event.bytes.length
    if (this.#unsent > mostUnsentBytes) this.#startOver('slow')
  }

  /** `bytes`: a tick as all are sent it who have read everything. */
  tick(bytes: Uint8Array): void {
    if (this.#isBlocked || this.#missing.size > 0 || this.#state !== 'open') return
    this.#front.push(bytes)
    this.#count()
    this.pump()
  }

  /** Says why and ends, or, where the reader is gone already, ends at once. */
  end(reason: ByeReason | undefined): void {
    if (this.#state !== 'open') return
    this.#state = reason === undefined ? 'ended' : 'ending'
    this.#missing.clear()
    this.#front = reason === undefined ? [] : [eventBytes('bye', this.#id(this.#cursor), { reason })]
    if (reason !== undefined) this.#count()
    this.pump()
  }

  /** Hands on what the connection takes. */
  pump(): void {
    // A sink may end its reader while it is written to.
    if (this.#isPumping || this.#isBlocked || this.#state === 'ended') return
    this.#isPumping = true
    try {
      for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next()) {
        this.#rest = bytes.length > pieceBytes ? bytes.subarray(pieceBytes) : undefined
        if (this.#sink.write(bytes.subarray(0, pieceBytes))) continue
        this.#block()
        return
      }
      if (this.#state !== 'ending') return
      this.#state = 'ended'
      this.#sink.end()
    } finally {
      this.#isPumping = false
    }
  }

  #open({ hello, withheld }: Opening, sequence: number): void {
    this.#front.push(eventBytes('hello', this.#id(sequence), hello), ...this.#words(withheld))
    this.#count()
  }

  #words(withheld: readonly Withheld[]): readonly Uint8Array[] {
    for (const _ of withheld) this.#count()
    return withheld.map(one => unnumbered('gone', one))
  }

  #block(): void {
    this.#isBlocked = true
    void this.#sink.drained().then(() => {
      this.#isBlocked = false
      this.pump()
    })
  }

  #next(): Uint8Array | undefined {
    if (this.#state === 'ended') return undefined
    const begun = this.#rest ?? this.#front.shift()
    if (begun !== undefined) return begun
    if (this.#state !== 'open') return undefined
    if (!this.#feed.holds(this.#cursor)) {
      // The ring was faster: so much came of others, or the connection stood so long.
      this.#startOver(this.#missing.size === this.topics.size ? undefined : 'slow')
      return this.#next()
    }
    return this.#nextEntry() ?? this.#nextSnapshot()
  }

  #nextEntry(): Uint8Array | undefined {
    for (let entry = this.#feed.after(this.#cursor); entry !== undefined; entry = this.#feed.after(this.#cursor)) {
      this.#cursor = entry.sequence
      const { event, topic } = entry
      if (event === undefined || !this.#isFor(entry)) continue
      this.#unsent = Math.max(0, this.#unsent - event.bytes.length)
      this.#count(topic)
      return this.#missing.size === 0 ? event.bytes : framed(event.name, this.#id(notResumable), event.data)
    }
    this.#unsent = 0
    return undefined
  }

  /** All entries are read: what is snapshot now is followed by what comes after them. */
  #nextSnapshot(): Uint8Array | undefined {
    for (const topic of this.#missing) {
      const snapshot = this.#feed.snapshot(topic)
      if (snapshot === undefined) continue
      this.#missing.delete(topic)
      this.#count(topic)
      this.#metrics?.snapshot(topic, snapshot.data.length)
      return framed(snapshot.name, this.#id(this.#missing.size === 0 ? this.#cursor : notResumable), snapshot.data)
    }
    return undefined
  }

  #startOver(reason: StreamEvents['resync']['reason'] | undefined): void {
    if (reason !== undefined) {
      this.#front.push(eventBytes('resync', this.#id(notResumable), { reason }))
      this.#count()
      this.#metrics?.resync(reason)
      this.#metrics?.dropped(this.#unsent)
    }
    this.#unsent = 0
    this.#cursor = this.#feed.head
    this.#missing = new Set(this.topics)
  }

  #isFor({ topic }: RingEntry): boolean {
    return this.topics.has(topic) && !this.#missing.has(topic)
  }

  #id(sequence: number): EventId {
    return { epoch: this.#feed.epoch, sequence }
  }

  #count(topic?: Topic): void {
    this.#metrics?.event(topic)
  }
}
