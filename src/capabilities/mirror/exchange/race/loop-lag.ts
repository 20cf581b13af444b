// How late this process comes to what is due: on a node with more to do than it has processors for, everybody is late, and a peer there too.
import type { Cancel, Clock } from '#kube/clock.ts'

/** Between two samples while somebody wants to know. */
const sampledMs = 5
/** Samples that count, the latest; a longer delay counts as this. */
const mostSamples = 16
const longestLagMs = 250
/** Up to this a timer is late on every machine. */
const usualMs = 3

/** Shared by all that wait: samples are taken only meanwhile. */
export class LoopLag {
  readonly #clock: Pick<Clock, 'elapsed' | 'schedule'>
  readonly #samples: number[] = []
  #next = 0
  #watchers = 0
  #cancel: Cancel | undefined

  constructor(clock: Pick<Clock, 'elapsed' | 'schedule'>) {
    this.#clock = clock
  }

  /** Milliseconds, the mean of the latest; 0 where it is no more than usual. */
  get ms(): number {
    if (this.#samples.length === 0) return 0
    const mean = this.#samples.reduce((sum, lateMs) => sum + lateMs, 0) / this.#samples.length
    return mean <= usualMs ? 0 : mean
  }

  /** Samples until the returned function is called. */
  watch(): () => void {
    if (this.#watchers++ === 0) this.#sample()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (--this.#watchers > 0) return
      this.#cancel?.()
      this.#cancel = undefined
    }
  }

  #sample(): void {
    const dueMs = this.#clock.elapsed() + sampledMs
    this.#cancel = this.#clock.schedule(sampledMs, () => {
      this.#samples[this.#next] = Math.min(longestLagMs, Math.max(0, this.#clock.elapsed() - dueMs))
      this.#next = (this.#next + 1) % mostSamples
      this.#sample()
    })
  }
}
