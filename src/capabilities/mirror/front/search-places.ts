// Searches at other nodes that go on at a time. Who finds no place waits a moment, first come first served, and is then told that there is
// none: containerd goes to the registry, which is better than an answer that comes too late for it.
import type { Cancel, Clock } from '#kube/clock.ts'

interface SearchPlacesOptions {
  readonly clock: Pick<Clock, 'elapsed' | 'schedule'>
  readonly most: number
  /** How long one waits for a place, in milliseconds. */
  readonly waitMs: number
}

interface Waiting {
  readonly sinceMs: number
  readonly answer: (place: Disposable | undefined) => void
}

export class SearchPlaces {
  readonly #options: SearchPlacesOptions
  readonly #waiting = new Set<Waiting>()
  #taken = 0
  #cancel: Cancel | undefined

  constructor(options: SearchPlacesOptions) {
    this.#options = options
  }

  /** A place, to be disposed of; undefined where none became free in time. */
  async take(): Promise<Disposable | undefined> {
    if (this.#taken < this.#options.most) return this.#place()
    const { promise, resolve: answer } = Promise.withResolvers<Disposable | undefined>()
    this.#waiting.add({ sinceMs: this.#options.clock.elapsed(), answer })
    this.#expect()
    return await promise
  }

  #place(): Disposable {
    this.#taken++
    let isOver = false
    return {
      [Symbol.dispose]: () => {
        if (isOver) return
        isOver = true
        this.#taken--
        // Those that waited too long are told so by the timer: a busy process comes late to it, and a place now would be of no use to them.
        this.#turnAway()
        const [next] = this.#waiting
        if (next === undefined) return
        this.#waiting.delete(next)
        next.answer(this.#place())
      },
    }
  }

  /** One timer for all: they came one after the other. */
  #expect(): void {
    const { clock, waitMs } = this.#options
    const [first] = this.#waiting
    if (first === undefined || this.#cancel !== undefined) return
    this.#cancel = clock.schedule(Math.max(0, first.sinceMs + waitMs - clock.elapsed()), () => {
      this.#cancel = undefined
      this.#turnAway()
      this.#expect()
    })
  }

  #turnAway(): void {
    const { clock, waitMs } = this.#options
    const nowMs = clock.elapsed()
    for (const waiting of this.#waiting) {
      if (nowMs - waiting.sinceMs < waitMs) return
      this.#waiting.delete(waiting)
      waiting.answer(undefined)
    }
  }
}
