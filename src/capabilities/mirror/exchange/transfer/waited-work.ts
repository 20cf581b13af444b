// Work that several wait for: done once, given up when nobody waits any more.

interface Entry<T> {
  readonly work: Promise<T>
  readonly stop: AbortController
  waiting: number
}

export class SharedWork<T> {
  readonly #entries = new Map<string, Entry<T>>()

  get size(): number {
    return this.#entries.size
  }

  /**
   * What `work` of the same key yields, begun by whoever comes first. It is forgotten as soon as it ended.
   * @throws `signal.reason` when this one no longer waits; the work is aborted with the last of them. What `work` throws, all get.
   */
  async join(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    const entry = this.#entries.get(key) ?? this.#begin(key, work)
    entry.waiting++
    const { promise: left, reject } = Promise.withResolvers<never>()
    const onAbort = () => {
      if (--entry.waiting === 0) {
        this.#forget(key, entry)
        entry.stop.abort(signal.reason)
      }
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([entry.work, left])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const stop = new AbortController()
    const entry: Entry<T> = { work: work(stop.signal).finally(() => this.#forget(key, entry)), stop, waiting: 0 }
    this.#entries.set(key, entry)
    // Each of those that wait hears of a fault; that nobody does is no fault of its own.
    entry.work.catch(() => undefined)
    return entry
  }

  #forget(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
  }
}
