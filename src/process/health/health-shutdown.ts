// The end of a process from its servers' side: they answer for a while after the signal, until nobody sends them anything more; and an
// end that takes too long is told with what still ran.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { ProcessFault } from '../parts/process-fault.ts'
import type { Ending } from '../surroundings.ts'

/** For so long after the signal servers accept: proxies and API servers learn late that we are not ready any more. */
const acceptingMs = 5_000

/** Knows when the end began. Made before anything that may end. */
export class Shutdown implements Disposable {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #ending: Pick<Ending, 'begin'>
  #begunMs: number | undefined

  constructor(signal: AbortSignal, clock: Clock, ending: Pick<Ending, 'begin'>) {
    this.#ending = ending
    this.#clock = clock
    this.#signal = signal
    if (signal.aborted) this.#onAbort()
    else signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Resolves when servers may stop to accept: at once where no signal began the end. */
  async accepted(): Promise<void> {
    if (this.#begunMs === undefined) return
    await this.#clock.after(Math.max(0, acceptingMs - (this.#clock.elapsed() - this.#begunMs)))
  }

  /** What `work` yields. @throws ProcessFault naming what `stillRunning` says, where it goes on for `limitMs` after the signal */
  async within<T>(
    limitMs: number,
    work: Promise<T>,
    told: { readonly stillRunning: () => readonly string[]; readonly log: Log },
  ): Promise<T> {
    const overdue = Promise.withResolvers<never>()
    let cancel = (): void => undefined
    const onAbort = () => {
      cancel = this.#clock.schedule(limitMs, () => {
        const still = told.stillRunning()
        told.log.error({ limitMs, still }, 'the end took too long')
        const what = still.length === 0 ? 'something' : still.join(', ')
        overdue.reject(new ProcessFault(`after ${limitMs} ms still running: ${what}`))
      })
    }
    if (this.#signal.aborted) onAbort()
    else this.#signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([work, overdue.promise])
    } finally {
      // What is left to close may hang, however the work ended.
      this.#ending.begin()
      cancel()
      this.#signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = (): void => {
    this.#begunMs = this.#clock.elapsed()
  }
}
