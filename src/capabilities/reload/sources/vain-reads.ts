// Objects that are written many times a second without a change of their data (leader elections, counters in annotations): each write
// costs a read that finds nothing. After a few such reads one a second is enough; with the first real change that is over.

/** So many reads in a row that found nothing new, each soon after the one before, are noise. */
const tolerated = 3
const soonMs = 2_000
/** How far reads of a noisy source are from each other; a real change of it waits for so long at most. */
const apartMs = 1_000

interface Vain {
  readonly count: number
  readonly lastMs: number
}

export class VainReads {
  readonly #vain = new Map<string, Vain>()

  /** A read at `nowMs` found what was known, or something new. */
  found(key: string, isSame: boolean, nowMs: number): void {
    const known = this.#vain.get(key)
    if (!isSame) this.#vain.delete(key)
    else {
      const isSoon = known !== undefined && nowMs - known.lastMs < soonMs
      this.#vain.set(key, { count: isSoon ? known.count + 1 : 1, lastMs: nowMs })
    }
  }

  /** How long the next read waits, in milliseconds; 0 for what is not noisy. */
  delayMs(key: string, nowMs: number): number {
    const { count = 0, lastMs = 0 } = this.#vain.get(key) ?? {}
    return count < tolerated ? 0 : Math.min(apartMs, Math.max(0, lastMs + apartMs - nowMs))
  }

  delete(key: string): void {
    this.#vain.delete(key)
  }
}
