// How soon a collection is listed again whose version was gone: a server may answer every list and refuse every watch.

import type { Clock } from '../clock.ts'
import type { Backoff } from '../controllers/backoff.ts'

/** A list that lasted so long was of use. */
const usefulMs = 2_000

export class RelistPace {
  readonly #clock: Clock
  readonly #backoff: Backoff
  #listedMs = Number.NEGATIVE_INFINITY
  /** Lists in a row whose version was gone as soon as they were in. */
  #useless = 0

  constructor(clock: Clock, backoff: Backoff) {
    this.#clock = clock
    this.#backoff = backoff
  }

  /** A list is in. */
  listed(): void {
    this.#listedMs = this.#clock.elapsed()
  }

  /** Its version is gone. Yields how long to wait before the next, in milliseconds: 0, unless that was the second in a row of no use. */
  expired(): number {
    this.#useless = this.#clock.elapsed() - this.#listedMs < usefulMs ? this.#useless + 1 : 0
    return this.#useless > 1 ? this.#backoff.nextMs() : 0
  }
}
