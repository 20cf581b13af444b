// What a store announces, as somebody who listens to it sees it.
import type { Store } from '../../contract.ts'

export class Announced implements AsyncDisposable {
  readonly keys = new Set<string>()
  /** Full lists so far. */
  lists = 0
  readonly #stop = new AbortController()
  readonly #following: Promise<void>
  readonly #waiting = new Set<() => void>()

  constructor(store: Store) {
    this.#following = this.#follow(store)
  }

  /** Resolves when the keys fit. */
  async until(isIt: (keys: ReadonlySet<string>) => boolean): Promise<void> {
    while (!isIt(this.keys)) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  /** Resolves when exactly these keys are announced. */
  async becomes(...keys: readonly string[]): Promise<void> {
    const wanted = new Set(keys)
    await this.until(now => now.size === wanted.size && now.isSubsetOf(wanted))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #follow(store: Store): Promise<void> {
    for await (const change of store.changes(this.#stop.signal)) {
      if (change.kind === 'all') {
        this.lists++
        this.keys.clear()
        for (const key of change.keys) this.keys.add(key)
      } else {
        for (const key of change.removed) this.keys.delete(key)
        for (const key of change.added) this.keys.add(key)
      }
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const wake of waiting) wake()
    }
  }
}
