// Slices of work of many at a time, one in a turn of the event loop: whoever has much to do waits for others between its slices as they do for it.

/** Deals out turns of the event loop, one to each who waits, in their order. */
export class TurnOrder {
  readonly #waiting: (() => void)[] = []
  #isTurning = false

  /** Resolves in a turn that nobody else here has. What follows at once should take a millisecond or two. */
  readonly next = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    if (!this.#isTurning) {
      this.#isTurning = true
      setImmediate(this.#turn)
    }
    await promise
  }

  readonly #turn = (): void => {
    this.#waiting.shift()?.()
    this.#isTurning = this.#waiting.length > 0
    if (this.#isTurning) setImmediate(this.#turn)
  }
}
