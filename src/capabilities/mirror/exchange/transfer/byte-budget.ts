// Bytes that the process may hold of content on its way, counted: whoever holds some has taken them here before, and waits where none are left.

/** What was taken. */
export interface Grant extends Disposable {
  readonly bytes: number
}

interface Waiting {
  readonly least: number
  readonly most: number
  readonly give: (grant: Grant) => void
}

export class ByteBudget {
  readonly #total: number
  #free: number
  readonly #waiting: Waiting[] = []

  constructor(total: number) {
    this.#total = total
    this.#free = total
  }

  get taken(): number {
    return this.#total - this.#free
  }

  /**
   * Between `least` and `most` bytes, more than `least` only of the first half: so many can begin. First come, first served.
   * @throws RangeError where `least` is more than there ever are; `signal.reason` when aborted while waiting
   */
  async take(least: number, most: number, signal: AbortSignal): Promise<Grant> {
    if (least > this.#total) throw new RangeError(`${least} bytes of a budget of ${this.#total}`)
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#free >= least) return this.#grant(this.#share(least, most))
    const { promise, resolve, reject } = Promise.withResolvers<Grant>()
    const waiting: Waiting = { least, most, give: resolve }
    this.#waiting.push(waiting)
    const onAbort = () => {
      const at = this.#waiting.indexOf(waiting)
      if (at < 0) return
      this.#waiting.splice(at, 1)
      this.#serve()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #share(least: number, most: number): number {
    return Math.max(least, Math.min(most, this.#free - Math.floor(this.#total / 2)))
  }

  #grant(bytes: number): Grant {
    this.#free -= bytes
    let isOver = false
    return {
      bytes,
      [Symbol.dispose]: () => {
        if (isOver) return
        isOver = true
        this.#free += bytes
        this.#serve()
      },
    }
  }

  #serve(): void {
    for (let [first] = this.#waiting; first !== undefined && first.least <= this.#free; [first] = this.#waiting) {
      this.#waiting.shift()
      first.give(this.#grant(this.#share(first.least, first.most)))
    }
  }
}
