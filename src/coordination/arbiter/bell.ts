// Waiting for a level, not for an edge: look now, and again whenever something rings.
import type { Clock } from '#kube/clock.ts'

export class Bell {
  readonly #clock: Clock
  #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes everybody who waits look again. */
  ring(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  /**
   * What `look` finds, asked now and after each ring, at most once a turn of the event loop.
   * `undefined` when `limitMs` passed without. @throws `signal.reason` when aborted.
   */
  async until<T>(
    look: () => T | undefined,
    options: { readonly limitMs: number; readonly signal: AbortSignal },
  ): Promise<T | undefined> {
    const deadlineMs = this.#clock.elapsed() + options.limitMs
    for (;;) {
      options.signal.throwIfAborted()
      const found = look()
      if (found !== undefined) return found
      const leftMs = deadlineMs - this.#clock.elapsed()
      if (leftMs <= 0) return undefined
      await this.#ringOr(leftMs, options.signal)
    }
  }

  #ringOr(limitMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = () => {
      cancel()
      this.#waiting.delete(wake)
      signal.removeEventListener('abort', onAbort)
    }
    const wake = () => {
      end()
      setImmediate(resolve)
    }
    const onAbort = () => {
      end()
      reject(signal.reason)
    }
    const cancel = this.#clock.schedule(limitMs, wake)
    this.#waiting.add(wake)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise
  }
}
