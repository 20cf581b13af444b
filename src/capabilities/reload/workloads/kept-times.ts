// When a workload was rolled out, and since when its changes wait. Kept by the monotonic clock, since the time of day may be set meanwhile;
// told in milliseconds since 1970, as a plan reckons.
import { type Clock, wallOf } from '#kube/clock.ts'
import { afterRollout, freshGuard, type GuardState, isForgettable } from './rate-guard.ts'

/** A wish that failed, and when it is asked again, by `elapsed()`. */
export interface Failure {
  readonly wish: string
  readonly count: number
  readonly retryMs: number
}

export class KeptTimes {
  readonly #clock: Clock
  readonly #guards = new Map<string, GuardState>()
  readonly #pendingSince = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  guardOf(key: string): GuardState {
    const { rolloutsMs, distanceMs } = this.#guards.get(key) ?? freshGuard
    return { rolloutsMs: rolloutsMs.map(ms => wallOf(this.#clock, ms)), distanceMs }
  }

  /** It is rolled out just now. */
  rolledOut(key: string, settings: Parameters<typeof afterRollout>[2]): void {
    this.#guards.set(key, afterRollout(this.#guards.get(key) ?? freshGuard, this.#clock.elapsed(), settings))
  }

  /** `undefined`: nothing waits. */
  pendingSinceMs(key: string): number | undefined {
    const since = this.#pendingSince.get(key)
    return since === undefined ? undefined : wallOf(this.#clock, since)
  }

  setPending(key: string, sinceMs: number | undefined): void {
    if (sinceMs === undefined) this.#pendingSince.delete(key)
    else this.#pendingSince.set(key, this.#clock.elapsed() - (this.#clock.now() - sinceMs))
  }

  forget(key: string): void {
    this.#guards.delete(key)
    this.#pendingSince.delete(key)
  }

  /** Forgets guards that say no more than fresh ones. */
  tidy(): void {
    const elapsedMs = this.#clock.elapsed()
    for (const [key, guard] of this.#guards) if (isForgettable(guard, elapsedMs)) this.#guards.delete(key)
  }
}
