// One life of a part: the owner of all that it starts, from its start to its end.
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Owner } from './part-owner.ts'

/** How a life ends: for good, to begin anew, or by a fault after it had been running for so long. */
export type End =
  | { readonly kind: 'stop' }
  | { readonly kind: 'again' }
  | { readonly kind: 'fault'; readonly error: unknown; readonly ranMs?: number }

/** Runs until it is ended; its signal is aborted at its end or before, and only the first end counts. */
export class Life implements Owner {
  readonly name: string
  readonly #log: Log
  readonly #count: () => void
  readonly #abort = new AbortController()
  readonly #end = Promise.withResolvers<End>()
  isOver = false

  /** `count` counts a fault that ends nothing. */
  constructor(name: string, log: Log, count: () => void) {
    this.name = name
    this.#log = log
    this.#count = count
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get ended(): Promise<End> {
    return this.#end.promise
  }

  end(end: End): void {
    this.isOver = true
    this.#end.resolve(end)
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason)
    this.end({ kind: 'stop' })
  }

  again(reason: unknown): void {
    this.end({ kind: 'again' })
    this.abort(reason)
  }

  mishap(error: unknown, where: string): void {
    const facts = { part: this.name, where, why: messageOf(error) }
    if (isOutside(error)) {
      this.#log.warn(facts, 'one request of a part failed by what came from outside')
      return
    }
    this.#log.error({ ...facts, err: error }, 'a part failed with one request or object, and goes on')
    this.#count()
  }

  fault(error: unknown, where: string): void {
    // Work that hears of its end late, and says so, has not failed.
    if (this.signal.aborted && (error === this.signal.reason || (error instanceof Error && error.name === 'AbortError'))) return
    const facts = { part: this.name, where, why: messageOf(error), late: this.isOver }
    if (isOutside(error)) this.#log.warn(facts, 'a part is interrupted from outside')
    else this.#log.error({ ...facts, err: error }, 'fault of a part')
    this.end({ kind: 'fault', error })
  }
}
