// Cumulated processor time, as kubelets count it: summed up from what is used when somebody asks.

interface Sample {
  /** Since when it runs, milliseconds since 1970. */
  readonly since: number
  readonly nowMs: number
  /** Used at present, billionths of a core. */
  readonly nanocores: number
  /** Wanted at present; what is not got counts as throttled. */
  readonly wantedNanocores?: number
}

interface Counter {
  readonly atMs: number
  readonly usedSeconds: number
  readonly throttledSeconds: number
}

/** Counters of containers that are gone are forgotten when there are more than these. */
const mostCounters = 1_000_000

export class CpuCounters {
  readonly #counters = new Map<string, Counter>()

  /** The counter's value now; it never goes back. The first time it is as if usage had always been as it is. */
  at(key: string, { since, nowMs, nanocores, wantedNanocores = nanocores }: Sample): Counter {
    const before = this.#counters.get(key) ?? { atMs: since, usedSeconds: 0, throttledSeconds: 0 }
    const seconds = Math.max(0, nowMs - before.atMs) / 1000
    const counter = {
      atMs: Math.max(before.atMs, nowMs),
      usedSeconds: before.usedSeconds + (seconds * nanocores) / 1e9,
      throttledSeconds: before.throttledSeconds + (seconds * Math.max(0, wantedNanocores - nanocores)) / 1e9,
    }
    // Set anew, so that the ones that nobody asks for any more come first.
    this.#counters.delete(key)
    this.#counters.set(key, counter)
    if (this.#counters.size > mostCounters) {
      const oldest = this.#counters.keys().next().value
      if (oldest !== undefined) this.#counters.delete(oldest)
    }
    return counter
  }
}
