// One life of a part: the owner of all that it starts, from its start to its end.
import { type Log, messageOf } from '#kube/log.ts'
import type { Owner } from './part-owner.ts'

/** How a life ends: for good, to begin anew, or by a fault. */
export type End = { readonly kind: 'stop' } | { readonly kind: 'again' } | { readonly kind: 'fault'; readonly error: unknown }

/** Runs until it is ended; its signal is aborted at its end or before, and only the first end counts. */
export class Life implements Owner {
  readonly name: string
  readonly #log: Log
  readonly #abort = new AbortController()
  readonly #end = Promise.withResolvers<End>()
  isOver = false

  constructor(name: string, log: Log) {
    this.name = name
    this.#log = log
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

  fault(error: unknown, where: string): void {
    // Work that hears of its end late, and says so, has not failed.
    if (this.signal.aborted && (error === this.signal.reason || (error instanceof Error && error.name === 'AbortError'))) return
    this.#log.error({ part: this.name, where, err: error, why: messageOf(error), late: this.isOver }, 'fault of a part')
    this.end({ kind: 'fault', error })
  }
}
