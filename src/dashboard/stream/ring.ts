// What was sent lately, so that a stream that broke goes on where it was. Readers of equal rights share a channel: what is written down for
// it was made once for all of them. One counter numbers the events of all channels, so that an id of one is never taken for one of another.
import type { Topic } from '../contract.ts'

export interface RingEntry {
  readonly sequence: number
  readonly topic: Topic
  /** The event as it is sent; `undefined` where the number only marks that a topic began. */
  readonly event: RingEvent | undefined
}

export interface RingEvent {
  readonly name: 'snapshot' | 'delta' | 'gone'
  readonly bytes: Uint8Array
  /** The part of `bytes` that is its data, for those to whom it is sent under another id. */
  readonly data: Uint8Array
}

/** Whichever is met first. */
export interface RingLimits {
  readonly events: number
  readonly bytes: number
  readonly ageMs: number
}

interface Kept extends RingEntry {
  readonly channel: Channel
  readonly atMs: number
}

/** Entries in order of their numbers, the oldest of which go first. */
class Line<T extends RingEntry> {
  #entries: (T | undefined)[] = []
  #first = 0

  get size(): number {
    return this.#entries.length - this.#first
  }

  get oldest(): T | undefined {
    return this.#entries[this.#first]
  }

  push(entry: T): void {
    this.#entries.push(entry)
  }

  shift(): void {
    // Not even until the list is cut anew: its bytes may be many.
    this.#entries[this.#first++] = undefined
    if (this.#first < 1_024 || this.#first * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }

  /** The first whose number is above `sequence`. */
  after(sequence: number): T | undefined {
    let low = this.#first
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry !== undefined && entry.sequence <= sequence) low = middle + 1
      else high = middle
    }
    return this.#entries[low]
  }
}

/** What those who share it were sent. */
class Channel {
  readonly entries = new Line<Kept>()
  /** Number of the newest entry; at first that of its beginning. */
  head: number
  /** Everything up to here was let go. */
  goneThrough: number

  constructor(start: number) {
    this.head = start
    this.goneThrough = start
  }
}

/** Guarantees: never more than its limits; `after` tells all that came after a number that `holds` is true of. */
export class Ring {
  readonly #limits: RingLimits
  readonly #channels = new Map<string, Channel>()
  readonly #all = new Line<Kept>()
  #bytes = 0
  #sequence = 0

  constructor(limits: RingLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#all.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Number of the newest event of a channel, which begins here where it is new. */
  headOf(channel: string): number {
    return this.#channelOf(channel).head
  }

  /** Writes an event down. `make` is given the number it gets. */
  append(channel: string, topic: Topic, nowMs: number, make: (sequence: number) => RingEvent | undefined): RingEntry {
    const of = this.#channelOf(channel)
    const sequence = ++this.#sequence
    const entry = { sequence, topic, event: make(sequence), channel: of, atMs: nowMs }
    of.head = sequence
    of.entries.push(entry)
    this.#all.push(entry)
    this.#bytes += bytesOf(entry)
    this.expire(nowMs)
    return entry
  }

  /** The first event of a channel after the one numbered `sequence`. */
  after(channel: string, sequence: number): RingEntry | undefined {
    return this.#channels.get(channel)?.entries.after(sequence)
  }

  /** Whether `sequence` was an event of this channel and everything after it is still there. */
  holds(channel: string, sequence: number): boolean {
    const of = this.#channels.get(channel)
    if (of === undefined || sequence < of.goneThrough) return false
    return sequence === of.goneThrough || of.entries.after(sequence - 1)?.sequence === sequence
  }

  /** Lets go what is too old by now, or too much. */
  expire(nowMs: number): void {
    const { events, bytes, ageMs } = this.#limits
    for (;;) {
      const { oldest } = this.#all
      if (oldest === undefined) return
      if (this.#all.size <= events && this.#bytes <= bytes && nowMs - oldest.atMs <= ageMs) return
      this.#all.shift()
      this.#bytes -= bytesOf(oldest)
      if (oldest.channel.entries.oldest === oldest) oldest.channel.entries.shift()
      oldest.channel.goneThrough = oldest.sequence
    }
  }

  /** Nobody of this channel comes back: its events are known to nobody, and make way with time. */
  close(channel: string): void {
    this.#channels.delete(channel)
  }

  #channelOf(name: string): Channel {
    const known = this.#channels.get(name)
    if (known !== undefined) return known
    const made = new Channel(++this.#sequence)
    this.#channels.set(name, made)
    return made
  }
}

function bytesOf({ event }: RingEntry): number {
  return event?.bytes.length ?? 0
}
