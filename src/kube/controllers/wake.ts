// A wait that ends early where something happens.

import type { Clock } from '../clock.ts'

export class Wake {
  readonly #clock: Clock
  #isDue = false
  #wakeUp: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends the wait that there is, or the next one. */
  wake(): void {
    this.#isDue = true
    this.#wakeUp()
  }

  /** Until {@link wake}, `limitMs` or `signal`, whichever is first; it throws nothing. */
  async wait(limitMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#isDue || signal.aborted) resolve()
    this.#wakeUp = resolve
    const cancel = this.#clock.schedule(limitMs, resolve)
    const onAbort = () => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await promise
    cancel()
    signal.removeEventListener('abort', onAbort)
    this.#isDue = false
    this.#wakeUp = () => undefined
  }
}
