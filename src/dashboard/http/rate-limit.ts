// At most so many requests a second for each viewer: a bucket that fills steadily and holds a burst.
import type { Clock } from '#kube/clock.ts'

const perSecond = 20
const burstLimit = 60
/** Viewers that are remembered; those not heard of for longest are forgotten first, with a full bucket. */
const mostViewers = 10_000

interface Bucket {
  readonly tokens: number
  readonly filledMs: number
}

export class RateLimit {
  readonly #buckets = new Map<string, Bucket>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether `viewer` may ask once more now; that counts then. */
  take(viewer: string): boolean {
    const nowMs = this.#clock.elapsed()
    const known = this.#buckets.get(viewer) ?? { tokens: burstLimit, filledMs: nowMs }
    const tokens = Math.min(burstLimit, known.tokens + ((nowMs - known.filledMs) / 1_000) * perSecond)
    this.#buckets.delete(viewer)
    this.#buckets.set(viewer, { tokens: tokens >= 1 ? tokens - 1 : tokens, filledMs: nowMs })
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= mostViewers) break
      this.#buckets.delete(oldest)
    }
    return tokens >= 1
  }
}
