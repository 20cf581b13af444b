// What changed, in order, as far back as it is remembered: bounded by count and by bytes.
import type { StoreEvent } from './access.ts'

/** A queue that is read in the middle too: entries come at the end and go at the front. */
class Trail<T> {
  #entries: (T | undefined)[] = []
  #first = 0

  get length(): number {
    return this.#entries.length - this.#first
  }

  at(index: number): T | undefined {
    return this.#entries[this.#first + index]
  }

  push(entry: T): void {
    this.#entries.push(entry)
  }

  dropFirst(): void {
    if (this.length === 0) return
    this.#entries[this.#first++] = undefined
    if (this.#first < 1024 || this.#first * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }
}

interface Entry {
  readonly changes: Changes
  readonly revision: number
  readonly bytes: number
}

/** The changes of one resource, oldest first. */
export class Changes {
  readonly #events = new Trail<StoreEvent>()

  /** At most `limit` of the changes after `revision`, oldest first. */
  since(revision: number, limit = Number.POSITIVE_INFINITY): readonly StoreEvent[] {
    const found: StoreEvent[] = []
    for (let index = this.#firstAfter(revision); found.length < limit; index++) {
      const event = this.#events.at(index)
      if (event === undefined) break
      found.push(event)
    }
    return found
  }

  /** The newest first, back to the first after `revision`. */
  *backTo(revision: number): Generator<StoreEvent, void, undefined> {
    for (let index = this.#events.length - 1; index >= 0; index--) {
      const event = this.#events.at(index)
      if (event === undefined || event.revision <= revision) return
      yield event
    }
  }

  push(event: StoreEvent): void {
    this.#events.push(event)
  }

  dropFirst(): void {
    this.#events.dropFirst()
  }

  #firstAfter(revision: number): number {
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#events.at(middle)?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The order over all resources, for the bounds. */
export class History {
  readonly #entries = new Trail<Entry>()
  readonly #mostEvents: number
  readonly #mostBytes: number
  #bytes = 0
  #compactedRevision: number

  constructor(bounds: { readonly mostEvents: number; readonly mostBytes: number; readonly startRevision: number }) {
    this.#mostEvents = bounds.mostEvents
    this.#mostBytes = bounds.mostBytes
    this.#compactedRevision = bounds.startRevision
  }

  /** Changes after this revision are known; older ones are gone. */
  get compactedRevision(): number {
    return this.#compactedRevision
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Before the first change: those after `revision` are going to be added. */
  beginAt(revision: number): void {
    this.#compactedRevision = revision
  }

  /** `bytes`: what the event holds that nothing else does, roughly. */
  add(changes: Changes, event: StoreEvent, bytes: number): void {
    changes.push(event)
    this.#entries.push({ changes, revision: event.revision, bytes })
    this.#bytes += bytes
    while (this.#entries.length > this.#mostEvents || this.#bytes > this.#mostBytes) {
      if (this.#entries.length <= 1) break
      this.#dropFirst()
    }
  }

  /** Forgets the changes up to and including `revision`. */
  compact(revision: number): void {
    while ((this.#entries.at(0)?.revision ?? Number.POSITIVE_INFINITY) <= revision) this.#dropFirst()
    this.#compactedRevision = Math.max(this.#compactedRevision, revision)
  }

  #dropFirst(): void {
    const first = this.#entries.at(0)
    if (first === undefined) return
    this.#entries.dropFirst()
    first.changes.dropFirst()
    this.#bytes -= first.bytes
    this.#compactedRevision = first.revision
  }
}
