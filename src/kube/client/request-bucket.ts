// The client's own limit on requests a second: a token bucket that serves effects before status before events.
import type { Cancel, Clock } from '../clock.ts'
import type { TransportRequest } from './transport.ts'

type Priority = NonNullable<TransportRequest['priority']>

export interface BucketOptions {
  /** Requests a second; 0 or less: no limit. */
  readonly perSecond: number
  readonly burst: number
}

/** One process does the work of a dozen; the server's own fairness is the limit that counts. */
export const defaultBucket: BucketOptions = { perSecond: 200, burst: 500 }

const ranks: Readonly<Record<Priority | 'other', number>> = { lease: 0, watch: 0, effect: 1, other: 2, status: 3, event: 4 }

interface Waiter {
  readonly rank: number
  readonly admit: () => void
}

export class RequestBucket {
  readonly #clock: Clock
  readonly #options: BucketOptions
  readonly #waiting: Waiter[] = []
  #tokens: number
  #filledMs: number
  #cancelTimer: Cancel | undefined

  constructor(clock: Clock, options: BucketOptions = defaultBucket) {
    this.#clock = clock
    this.#options = options
    this.#tokens = options.burst
    this.#filledMs = clock.elapsed()
  }

  /** Resolves when the request may be sent; leases and watches at once. @throws `signal.reason` when aborted before. */
  async take(priority: Priority | undefined, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const rank = ranks[priority ?? 'other']
    if (rank === 0 || this.#options.perSecond <= 0) return
    this.#fill()
    if (this.#waiting.length === 0 && this.#tokens >= 1) {
      this.#tokens--
      return
    }
    await this.#wait(rank, signal)
  }

  async #wait(rank: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { rank, admit: resolve }
    const firstLater = this.#waiting.findIndex(other => other.rank > rank)
    this.#waiting.splice(firstLater < 0 ? this.#waiting.length : firstLater, 0, waiter)
    const onAbort = () => {
      const at = this.#waiting.indexOf(waiter)
      if (at >= 0) this.#waiting.splice(at, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#arm()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #fill(): void {
    const nowMs = this.#clock.elapsed()
    this.#tokens = Math.min(this.#options.burst, this.#tokens + ((nowMs - this.#filledMs) * this.#options.perSecond) / 1000)
    this.#filledMs = nowMs
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#waiting.length === 0) return
    const delayMs = Math.max(0, ((1 - this.#tokens) * 1000) / this.#options.perSecond)
    this.#cancelTimer = this.#clock.schedule(Math.ceil(delayMs), () => {
      this.#cancelTimer = undefined
      this.#fill()
      while (this.#tokens >= 1) {
        const next = this.#waiting.shift()
        if (next === undefined) break
        this.#tokens--
        next.admit()
      }
      this.#arm()
    })
  }
}
