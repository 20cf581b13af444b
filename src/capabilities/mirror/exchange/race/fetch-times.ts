// How long peers took to a first header, and what a race learns from it: when to ask a second one, when to give up.

/** Fetch times that are remembered. */
const mostRemembered = 64
/** A time beyond this counts as this. */
const longestFetchMs = 500
/** What is taken for every percentile while nothing was observed. */
const unknownMs = 50
/** A race is never given up sooner than this after its first fetch. */
const leastGiveUpMs = 100
/** The first ones of a process are slow by themselves: connections, certificates, code that never ran. They are not to be lost to that. */
const firstGiveUpMs = 1_000
/** Percentiles after which the second, the third and the fourth fetch of the same content begin. */
const hedgePercentiles = [80, 85, 90] as const

/** The times of a race, in milliseconds after its first fetch. */
export interface RaceTimes {
  readonly hedgesMs: readonly number[]
  readonly giveUpMs: number
}

/** The latest fetch times of all peers together. */
export class FetchTimes {
  readonly #observed: number[] = []
  #next = 0

  /** Milliseconds from asking to a good header. */
  observe(ms: number): void {
    this.#observed[this.#next] = Math.min(longestFetchMs, Math.max(0, ms))
    this.#next = (this.#next + 1) % mostRemembered
  }

  times(): RaceTimes {
    const sorted = [...this.#observed].sort((one, other) => one - other)
    const hedgesMs = hedgePercentiles.map(percent => percentileOf(sorted, percent))
    const learntMs = Math.max(2 * (hedgesMs.at(-1) ?? unknownMs), leastGiveUpMs)
    return { hedgesMs, giveUpMs: sorted.length === 0 ? firstGiveUpMs : learntMs }
  }
}

/** Nearest rank of `percent` in ascending numbers; 50 ms of none. */
export function percentileOf(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? unknownMs
}
