// How long to wait before the next attempt: doubling, jittered, and starting over after a while.
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

interface BackoffOptions {
  readonly initialMs: number
  readonly capMs: number
  /** The sequence starts over when more than this passed since it last did. */
  readonly resetMs: number
}

/** What client-go's reflector uses since 1.22: 0.8–1.6 s, 1.6–3.2 s, … 30–60 s. */
export const reflectorBackoff: BackoffOptions = { initialMs: 800, capMs: 30_000, resetMs: 120_000 }

export class Backoff {
  readonly #clock: Clock
  readonly #random: Random
  readonly #options: BackoffOptions
  #stepMs: number
  #startedMs: number

  constructor(clock: Clock, random: Random, options: BackoffOptions = reflectorBackoff) {
    this.#clock = clock
    this.#random = random
    this.#options = options
    this.#stepMs = options.initialMs
    this.#startedMs = clock.elapsed()
  }

  /** The next delay: the step times (1 + U[0, 1)). */
  nextMs(): number {
    const nowMs = this.#clock.elapsed()
    if (nowMs - this.#startedMs > this.#options.resetMs) this.reset()
    const stepMs = this.#stepMs
    this.#stepMs = Math.min(this.#options.capMs, stepMs * 2)
    return stepMs * (1 + this.#random())
  }

  reset(): void {
    this.#stepMs = this.#options.initialMs
    this.#startedMs = this.#clock.elapsed()
  }
}
