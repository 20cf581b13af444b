// A bucket for each source of events: 25 at once, then one each 5 minutes. What is dropped is counted for the next one.
import type { Clock } from '../clock.ts'

const burst = 25
const refillMs = 300_000
const keyLimit = 4096

interface Bucket {
  tokens: number
  filledMs: number
  suppressed: number
}

export class SpamFilter {
  readonly #clock: Clock
  /** In order of use: the first is the one longest not used. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether one more of `key` may pass; if so, how many were dropped since the last that did. */
  take(key: string): { readonly isAccepted: boolean; readonly suppressed: number } {
    const nowMs = this.#clock.elapsed()
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledMs: nowMs, suppressed: 0 }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    this.#forgetOldest()
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.filledMs) / refillMs)
    bucket.filledMs = nowMs
    if (bucket.tokens < 1) {
      bucket.suppressed++
      return { isAccepted: false, suppressed: 0 }
    }
    bucket.tokens--
    const { suppressed } = bucket
    bucket.suppressed = 0
    return { isAccepted: true, suppressed }
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= keyLimit) return
    const oldest = this.#buckets.keys().next().value
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }
}
