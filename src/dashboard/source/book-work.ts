// Reads what changed in the books before somebody needs it, the event loop having its turns.
import type { Clock } from '#kube/clock.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { LiveBook } from './live-book.ts'

/** Objects of the books read in one go: a millisecond or two. */
const stepSize = 32
const sliceMs = 5

export class BookWork implements Disposable {
  readonly book = new LiveBook()
  readonly #clock: Clock
  #nextSlice: NodeJS.Immediate | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  heed({ type, object }: Change<KubeObject>): void {
    this.book.change({ isGone: type === 'DELETED', object })
    this.#nextSlice ??= setImmediate(() => this.#work())
  }

  /** Resolves when nothing is left to read. */
  async done(): Promise<void> {
    while (this.book.pending > 0) await new Promise<void>(resolve => setImmediate(resolve))
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#nextSlice)
  }

  #work(): void {
    this.#nextSlice = undefined
    const startMs = this.#clock.elapsed()
    while (this.book.step(stepSize)) {
      if (this.#clock.elapsed() - startMs < sliceMs) continue
      this.#nextSlice = setImmediate(() => this.#work())
      return
    }
  }
}
