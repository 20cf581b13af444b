// A work queue of keys. A key is never worked on twice at once and never lost: added while it is worked on, it comes again
// when that is done. Priorities come first, first in first out inside one, and nothing waits for ever.
import type { Cancel, Clock } from '../clock.ts'

/** Told what happens to keys, for metrics; `depth` is how many are ready then. */
export interface QueueObserver {
  added(depth: number): void
  retried(): void
  taken(key: string, waitedMs: number, depth: number): void
  done(key: string): void
}

interface QueueOptions<K extends string> {
  readonly clock: Clock
  readonly observer?: QueueObserver | undefined
  /** Keys of different groups (their namespaces) take turns within a priority. */
  readonly groupOf?: (key: K) => string
}

/** Below live changes: first lists and re-deliveries. */
export const backgroundPriority = -100
/** Above live changes: what keeps something from breaking. */
export const safetyPriority = 100

const firstRetryMs = 5
const longestRetryMs = 1_000_000
const retriesASecond = 10
const retryBurst = 100
const starvedMs = 60_000

interface Waiting {
  readonly priority: number
  readonly addedMs: number
  /** Names its place: a raised key leaves a place without meaning behind. */
  readonly ticket: number
}

interface Delayed {
  readonly dueMs: number
  readonly cancel: Cancel
}

export class WorkQueue<K extends string> {
  readonly #clock: Clock
  readonly #groupOf: (key: K) => string
  readonly #observer: QueueObserver | undefined
  readonly #dirty = new Map<K, Waiting>()
  readonly #processing = new Set<K>()
  /** Ready keys by priority, highest first. */
  #levels: Level<K>[] = []
  readonly #delayed = new Map<K, Delayed>()
  readonly #failures = new Map<K, number>()
  readonly #takers: ((key: K | undefined) => void)[] = []
  #drained: (() => void)[] = []
  #ticket = 0
  #tokens = retryBurst
  #filledMs: number
  #isShutDown = false

  constructor(options: QueueOptions<K>) {
    this.#clock = options.clock
    this.#groupOf = options.groupOf ?? (() => '')
    this.#observer = options.observer
    this.#filledMs = options.clock.elapsed()
  }

  /** How many keys are ready. */
  get depth(): number {
    return this.#dirty.size - [...this.#processing].filter(key => this.#dirty.has(key)).length
  }

  get processing(): number {
    return this.#processing.size
  }

  /** How many wait for their time. */
  get delayed(): number {
    return this.#delayed.size
  }

  /** Makes `key` ready; a key that waits already may rise to `priority`. */
  add(key: K, priority = 0): void {
    if (this.#isShutDown) return
    const waiting = this.#dirty.get(key)
    if (waiting !== undefined && waiting.priority >= priority) return
    const addedMs = waiting?.addedMs ?? this.#clock.elapsed()
    const entry = { priority, addedMs, ticket: this.#ticket++ }
    this.#dirty.set(key, entry)
    if (waiting === undefined) this.#observer?.added(this.depth)
    if (!this.#processing.has(key)) this.#makeReady(key, entry)
  }

  /** `add` after a while. Of several times for a key the earliest counts. */
  addAfter(key: K, delayMs: number, priority = 0): void {
    if (this.#isShutDown) return
    if (delayMs <= 0) {
      this.add(key, priority)
      return
    }
    const dueMs = this.#clock.elapsed() + delayMs
    const known = this.#delayed.get(key)
    if (known !== undefined && known.dueMs <= dueMs) return
    known?.cancel()
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#delayed.delete(key)
      this.add(key, priority)
    })
    this.#delayed.set(key, { dueMs, cancel })
  }

  /** `addAfter` the key's own back-off, and not faster than the queue's 10 retries a second after the first 100. Yields the delay in milliseconds. */
  addRateLimited(key: K, priority = 0): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    this.#observer?.retried()
    const delayMs = Math.max(Math.min(longestRetryMs, firstRetryMs * 2 ** failures), this.#reserveMs())
    this.addAfter(key, delayMs, priority)
    return delayMs
  }

  /** The key is well again: its back-off starts over. */
  forget(key: K): void {
    this.#failures.delete(key)
  }

  failuresOf(key: K): number {
    return this.#failures.get(key) ?? 0
  }

  /** The next key, to be given back with `done`; `undefined` when the queue is shut down and empty. @throws `signal.reason` */
  async take(signal: AbortSignal): Promise<K | undefined> {
    signal.throwIfAborted()
    const key = this.#next()
    if (key !== undefined || this.#isShutDown) return key
    const { promise, resolve, reject } = Promise.withResolvers<K | undefined>()
    const onAbort = () => {
      const at = this.#takers.indexOf(resolve)
      if (at >= 0) this.#takers.splice(at, 1)
      reject(signal.reason)
    }
    this.#takers.push(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  done(key: K): void {
    this.#processing.delete(key)
    this.#observer?.done(key)
    const waiting = this.#dirty.get(key)
    if (waiting !== undefined) this.#makeReady(key, waiting)
    this.#tellDrained()
  }

  /** Takes no more, and no timer of it is left: for a queue whose workers have ended. */
  [Symbol.dispose](): void {
    this.#isShutDown = true
    for (const { cancel } of this.#delayed.values()) cancel()
    this.#delayed.clear()
  }

  /** Takes no more; what is ready is still handed out. Resolves when all of it is done. */
  shutDown(): Promise<void> {
    this[Symbol.dispose]()
    if (this.#dirty.size === 0) for (const taker of this.#takers.splice(0)) taker(undefined)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained.push(resolve)
    this.#tellDrained()
    return promise
  }

  #tellDrained(): void {
    if (!this.#isShutDown || this.#dirty.size > 0 || this.#processing.size > 0) return
    for (const taker of this.#takers.splice(0)) taker(undefined)
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #makeReady(key: K, waiting: Waiting): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      this.#begin(key)
      taker(key)
      return
    }
    let level = this.#levels.find(one => one.priority === waiting.priority)
    if (level === undefined) {
      level = new Level(waiting.priority)
      this.#levels = [...this.#levels, level].sort((a, b) => b.priority - a.priority)
    }
    level.push(this.#groupOf(key), { key, ticket: waiting.ticket })
  }

  #begin(key: K): K {
    const addedMs = this.#dirty.get(key)?.addedMs ?? this.#clock.elapsed()
    this.#dirty.delete(key)
    this.#processing.add(key)
    this.#observer?.taken(key, this.#clock.elapsed() - addedMs, this.depth)
    return key
  }

  #next(): K | undefined {
    const isCurrent = (place: Place<K>) => this.#dirty.get(place.key)?.ticket === place.ticket
    const starvedBeforeMs = this.#clock.elapsed() - starvedMs
    let chosen: Level<K> | undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const level of this.#levels) {
      const place = level.peek(isCurrent)
      if (place === undefined) continue
      const addedMs = this.#dirty.get(place.key)?.addedMs ?? Number.POSITIVE_INFINITY
      const isStarved = addedMs <= starvedBeforeMs && addedMs < oldestMs
      if (chosen === undefined || isStarved) chosen = level
      if (isStarved) oldestMs = addedMs
    }
    const place = chosen?.shift(isCurrent)
    return place === undefined ? undefined : this.#begin(place.key)
  }

  /** Takes a token, of the future where there is none; yields when it comes. */
  #reserveMs(): number {
    const nowMs = this.#clock.elapsed()
    this.#tokens = Math.min(retryBurst, this.#tokens + ((nowMs - this.#filledMs) * retriesASecond) / 1000)
    this.#filledMs = nowMs
    this.#tokens--
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / retriesASecond
  }
}

interface Place<K> {
  readonly key: K
  readonly ticket: number
}

/** The ready keys of one priority: groups take turns. */
class Level<K> {
  readonly priority: number
  readonly #groups = new Map<string, Fifo<Place<K>>>()

  constructor(priority: number) {
    this.priority = priority
  }

  push(group: string, place: Place<K>): void {
    let fifo = this.#groups.get(group)
    if (fifo === undefined) {
      fifo = new Fifo()
      this.#groups.set(group, fifo)
    }
    fifo.push(place)
  }

  peek(isCurrent: (place: Place<K>) => boolean): Place<K> | undefined {
    for (const [group, fifo] of this.#groups) {
      for (let place = fifo.first; place !== undefined; place = fifo.first) {
        if (isCurrent(place)) return place
        fifo.shift()
      }
      this.#groups.delete(group)
    }
    return undefined
  }

  shift(isCurrent: (place: Place<K>) => boolean): Place<K> | undefined {
    const place = this.peek(isCurrent)
    if (place === undefined) return undefined
    // `peek` has dropped the empty groups: the first is the one it spoke of.
    const [first] = this.#groups
    if (first === undefined) return undefined
    const [group, fifo] = first
    fifo.shift()
    this.#groups.delete(group)
    if (fifo.first !== undefined) this.#groups.set(group, fifo)
    return place
  }
}

/** First in, first out, without moving what is left. */
class Fifo<T> {
  #items: (T | undefined)[] = []
  #at = 0

  get first(): T | undefined {
    return this.#items[this.#at]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): void {
    this.#items[this.#at] = undefined
    this.#at++
    if (this.#at < 1024 && this.#at < this.#items.length) return
    this.#items = this.#items.slice(this.#at)
    this.#at = 0
  }
}
