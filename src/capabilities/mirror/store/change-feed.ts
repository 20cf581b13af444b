// Changes for whoever listens: a full list first, then what changed since it last took something. A slow listener costs no more memory
// than there are keys.
import type { StoreChange } from '../contract.ts'
import type { Changed } from './tracker.ts'

interface Listener {
  wantsAll: boolean
  /** By key: whether it came or went last. */
  readonly pending: Map<string, boolean>
  wake(): void
}

export class ChangeFeed {
  readonly #listeners = new Set<Listener>()
  readonly #keys: () => ReadonlySet<string>
  #isListed = false

  /** `keys` yields all that are announced now. */
  constructor(keys: () => ReadonlySet<string>) {
    this.#keys = keys
  }

  /** The whole was listed: everybody gets it. */
  listed(): void {
    this.#isListed = true
    for (const listener of this.#listeners) {
      listener.wantsAll = true
      listener.pending.clear()
      listener.wake()
    }
  }

  changed({ added, removed }: Changed): void {
    if (added.length === 0 && removed.length === 0) return
    for (const listener of this.#listeners) {
      if (listener.wantsAll) continue
      for (const key of removed) listener.pending.set(key, false)
      for (const key of added) listener.pending.set(key, true)
      listener.wake()
    }
  }

  /** Ends, without an error, when `signal` is aborted. Nothing comes before the first list. */
  async *listen(signal: AbortSignal): AsyncGenerator<StoreChange> {
    let woken = Promise.withResolvers<void>()
    const wake = () => woken.resolve()
    const listener: Listener = { wantsAll: this.#isListed, pending: new Map(), wake }
    this.#listeners.add(listener)
    signal.addEventListener('abort', wake, { once: true })
    try {
      while (!signal.aborted) {
        const next = this.#take(listener)
        if (next !== undefined) yield next
        else {
          await woken.promise
          woken = Promise.withResolvers<void>()
        }
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#listeners.delete(listener)
    }
  }

  #take(listener: Listener): StoreChange | undefined {
    if (listener.wantsAll) {
      listener.wantsAll = false
      return { kind: 'all', keys: this.#keys() }
    }
    if (!this.#isListed || listener.pending.size === 0) return undefined
    const added = [...listener.pending].filter(([, isHere]) => isHere).map(([key]) => key)
    const removed = [...listener.pending].filter(([, isHere]) => !isHere).map(([key]) => key)
    listener.pending.clear()
    return { kind: 'changed', added, removed }
  }
}
