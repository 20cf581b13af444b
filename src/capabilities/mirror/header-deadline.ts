// How long a request may go without a first header: as long as is configured, and longer only while it waits for another node's download.
import type { Clock } from '#kube/clock.ts'

/** Requests that wait for others' downloads at a time; further ones are late when all others are. */
export const mostHeld = 256
/** So often it is looked whether a request still waits for one. */
const lookMs = 250

interface HeaderDeadlinesOptions {
  readonly clock: Clock
  readonly headerTimeoutMs: number
}

export class HeaderDeadlines {
  readonly #options: HeaderDeadlinesOptions
  #held = 0

  constructor(options: HeaderDeadlinesOptions) {
    this.#options = options
  }

  /**
   * Calls `onLate` once, `headerTimeoutMs` from now on, or after `isHeld` was last seen to be so. The returned function ends it, and has to be
   * called when there is an answer.
   */
  begin(isHeld: () => boolean, onLate: () => void): () => void {
    const { clock, headerTimeoutMs } = this.#options
    let heldMs: number | undefined
    const release = () => {
      if (heldMs !== undefined) this.#held--
      heldMs = undefined
    }
    const look = () => {
      const nowMs = clock.elapsed()
      if (isHeld() && (heldMs !== undefined || this.#held < mostHeld)) {
        if (heldMs === undefined) this.#held++
        heldMs = nowMs
      }
      const leftMs = heldMs === undefined ? 0 : heldMs + headerTimeoutMs - nowMs
      if (leftMs > 0) {
        cancel = clock.schedule(Math.min(leftMs, lookMs), look)
        return
      }
      release()
      onLate()
    }
    let cancel = clock.schedule(headerTimeoutMs, look)
    return () => {
      cancel()
      release()
    }
  }
}
