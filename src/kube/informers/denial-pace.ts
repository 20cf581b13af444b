// When a kind is asked for again that was denied or absent. Where refusals are expected the right is seldom given later; but one wrong
// answer is not to switch a kind off for a minute.

import type { Clock } from '../clock.ts'
import { Backoff } from '../controllers/backoff.ts'
import type { Random } from '../random.ts'

const backoff = { initialMs: 800, capMs: 300_000, resetMs: Number.POSITIVE_INFINITY }
const expectedInitialMs = 60_000
const soonMs = [1_000, 2_000, 4_000] as const

export class DenialPace {
  readonly #backoff: Backoff
  readonly #isExpected: boolean
  #inRow = 0

  constructor(clock: Clock, random: Random, { isExpected }: { readonly isExpected: boolean }) {
    this.#isExpected = isExpected
    this.#backoff = new Backoff(clock, random, { ...backoff, ...(isExpected ? { initialMs: expectedInitialMs } : {}) })
  }

  /** How long to wait after one more refusal, in milliseconds. */
  nextMs(): number {
    const atOnceMs = this.#isExpected ? soonMs[this.#inRow++] : undefined
    return atOnceMs ?? this.#backoff.nextMs()
  }

  /** It may be read and watched. */
  reset(): void {
    this.#inRow = 0
    this.#backoff.reset()
  }
}
