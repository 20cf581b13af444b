// When a cycle of the other descheduler began and ended, told by what is seen from outside: it says so only in its log. A window holds one
// cycle with evictions, or a whole interval in which nothing was evicted.
import type { CycleMaterial, Look } from './compare.ts'
import type { TheirAttempt } from './their-attempt.ts'
import type { TheirCycle } from './their-log.ts'

interface WindowOptions {
  /** The other one's `--descheduling-interval`, in milliseconds. */
  readonly intervalMs: number
  /** A cycle is over when nothing was evicted for so long, in milliseconds. */
  readonly quietMs: number
  readonly isDryRun: boolean
}

interface Burst {
  /** The cluster before anything of it was seen. */
  readonly before: Look
  lastMs: number
}

export class ShadowWindow {
  readonly #options: WindowOptions
  #first: Look
  #burst: Burst | undefined
  #attempts: TheirAttempt[] = []

  /** Begins with a look at the cluster. */
  constructor(first: Look, options: WindowOptions) {
    this.#first = first
    this.#options = options
  }

  /** Somebody is evicting; `before` is asked for where this begins something. */
  evicting(nowMs: number, before: () => Look): void {
    if (this.#burst === undefined || this.#isOthers(nowMs)) this.#burst = { before: before(), lastMs: nowMs }
    else this.#burst.lastMs = nowMs
  }

  /** The other one evicted, or tried to. */
  attempted(attempt: TheirAttempt, nowMs: number, before: () => Look): void {
    this.evicting(nowMs, before)
    this.#attempts.push(attempt)
  }

  /** When the window is over if nothing else is seen, in milliseconds since 1970. */
  get dueMs(): number {
    const { intervalMs, quietMs } = this.#options
    if (this.#burst !== undefined && this.#attempts.length > 0) return this.#burst.lastMs + quietMs
    return this.#first.atMs + intervalMs + quietMs
  }

  /** Ends the window with a look at the cluster; the next one begins with the same look. */
  close(after: Look): CycleMaterial {
    return this.#close(after, this.#attempts)
  }

  /** As `close`, where the other one's log tells all of the cycle. */
  closeAs({ attempts, isDryRun, ...told }: TheirCycle, after: Look): CycleMaterial {
    return { ...this.#close(after, attempts), ...told, ...(isDryRun !== undefined && { isDryRun }) }
  }

  #close(after: Look, attempts: readonly TheirAttempt[]): CycleMaterial {
    const burst = attempts.length > 0 ? this.#burst : undefined
    const before = burst?.before ?? this.#first
    // Where nothing was evicted nothing came in its place.
    const sinceMs = burst?.before.atMs ?? after.atMs
    this.#first = after
    this.#burst = undefined
    this.#attempts = []
    return { before, sinceMs, after, attempts, isDryRun: this.#options.isDryRun }
  }

  /** What was seen before was not the other one's. */
  #isOthers(nowMs: number): boolean {
    return this.#attempts.length === 0 && this.#burst !== undefined && nowMs > this.#burst.lastMs + this.#options.quietMs
  }
}
