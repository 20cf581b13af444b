// How far a long work has come, told now and then; and the turns of the event loop that it gives away, so that a worker hears of its driver's end.
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '#kube/clock.ts'
import type { FileWorkProgress } from './file-work.ts'

/** Between two messages. */
const tellMs = 1_000
/** Between two turns. */
const turnMs = 100
/** Looking at the clock costs as much as a small step. */
const stepsBetweenLooks = 16

export class Progress {
  readonly clock: Clock
  entries = 0
  bytes = 0
  readonly #tell: (progress: FileWorkProgress) => void
  #steps = 0
  #toldMs: number
  #turnedMs: number

  constructor(clock: Clock, tell: (progress: FileWorkProgress) => void) {
    this.clock = clock
    this.#tell = tell
    this.#toldMs = clock.elapsed()
    this.#turnedMs = this.#toldMs
  }

  /** Counts an entry. @returns whether `turn` is to be awaited */
  entry(): boolean {
    this.entries++
    return this.isDue()
  }

  isDue(): boolean {
    if (++this.#steps < stepsBetweenLooks) return false
    this.#steps = 0
    return this.clock.elapsed() - this.#turnedMs >= turnMs
  }

  async turn(): Promise<void> {
    await setImmediate()
    this.told()
    this.#turnedMs = this.clock.elapsed()
  }

  /** Tells where it is time; for works that wait anyway. */
  told(): void {
    const nowMs = this.clock.elapsed()
    if (nowMs - this.#toldMs < tellMs) return
    this.#toldMs = nowMs
    this.#tell({ entries: this.entries, bytes: this.bytes })
  }
}
