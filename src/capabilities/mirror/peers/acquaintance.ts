// When others are asked who else is there: soon after a peer came, and then less and less often. One answer that is lost, on a node
// that has much to do, must not leave a peer unknown for long.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

/** After a peer came: others may have come with it. */
const refreshAfterMs = 1_000
/** While nobody comes. */
export const refreshEveryMs = 10 * 60_000

interface AcquaintanceOptions {
  readonly clock: Clock
  readonly log: Log
  /** Asks around. */
  readonly refresh: (signal: AbortSignal) => Promise<void>
}

export class Acquaintance {
  readonly #options: AcquaintanceOptions
  #news = Promise.withResolvers<void>()

  constructor(options: AcquaintanceOptions) {
    this.#options = options
  }

  /** Somebody came, or came back. */
  tellNews(): void {
    this.#news.resolve()
  }

  /** Asks around 1 s after news, then after 2 s, 4 s … 10 min. @throws `signal.reason` */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, log, refresh } = this.#options
    for (let pauseMs = refreshAfterMs; ; pauseMs = Math.min(refreshEveryMs, pauseMs * 2)) {
      if (await this.#newsWithin(pauseMs, signal)) {
        pauseMs = refreshAfterMs
        // Who comes meanwhile is asked about in the same go.
        await clock.after(refreshAfterMs, signal)
      }
      this.#news = Promise.withResolvers()
      try {
        await refresh(signal)
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ error: messageOf(error) }, 'could not ask around')
      }
    }
  }

  async #newsWithin(limitMs: number, signal: AbortSignal): Promise<boolean> {
    const limit = new AbortController()
    const either = AbortSignal.any([signal, limit.signal])
    const late = this.#options.clock.after(limitMs, either).then(() => false)
    try {
      return await Promise.race([this.#news.promise.then(() => true), late])
    } finally {
      limit.abort()
    }
  }
}
