// When something is tried again: later with each failure, each key for itself; and rarely what can never be.

import type { Clock } from '#kube/clock.ts'

interface RetryTimes {
  readonly firstMs: number
  readonly lastMs: number
}

/** Failures of keys: the wait doubles with each, up to a bound, as client-go's ItemExponentialFailureRateLimiter has it. */
export class Retries<K> {
  readonly #times: RetryTimes
  readonly #failures = new Map<K, number>()

  constructor(times: RetryTimes) {
    this.#times = times
  }

  /** Counts a failure. Yields how long to wait, in milliseconds. */
  nextMs(key: K): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    return Math.min(this.#times.lastMs, this.#times.firstMs * 2 ** Math.min(failures, 52))
  }

  forget(key: K): void {
    this.#failures.delete(key)
  }
}

/** Keys that failed for good as they are, each for so long from its first failure on. */
export class SlowKeys<K> {
  readonly #clock: Clock
  readonly #forMs: number
  readonly #since = new Map<K, number>()

  constructor(clock: Clock, forMs: number) {
    this.#clock = clock
    this.#forMs = forMs
  }

  /** A key that is there already keeps its time. */
  add(key: K): void {
    if (this.leftMs(key) <= 0) this.#since.set(key, this.#clock.elapsed())
  }

  /** Milliseconds that are left; 0 where the key is not held back. */
  leftMs(key: K): number {
    const since = this.#since.get(key)
    if (since === undefined) return 0
    const left = this.#forMs - (this.#clock.elapsed() - since)
    if (left <= 0) this.#since.delete(key)
    return Math.max(0, left)
  }

  delete(key: K): void {
    this.#since.delete(key)
  }
}
