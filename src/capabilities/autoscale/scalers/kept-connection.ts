// One connection of a trigger: opened when it is first needed, asked one question at a time, each within its time, and opened anew after a failure.
import type { Clock } from '#kube/clock.ts'
import { AnswerError, isOutside, OutsideError } from '#kube/outside-error.ts'
import type { Outgoing } from './outgoing.ts'

/** One answer may take so many times what a request by HTTP may: sources that are asked in a language of their own have to work for it. */
const answerPatience = 10

/** An answer that takes longer is given up. */
export function answerMs(outgoing: Outgoing): number {
  return outgoing.timeoutMs * answerPatience
}

/** What a library has open. */
export interface OpenConnection extends Disposable {
  readonly isOpen: boolean
}

interface KeptOptions<C extends OpenConnection> {
  readonly clock: Clock
  readonly outgoing: Outgoing
  /** Says in errors who did not answer. */
  readonly who: string
  /** In place of what a request by HTTP may take. */
  readonly connectMs?: number | undefined
  /** @throws Error; `signal.reason` */
  readonly open: (signal: AbortSignal) => Promise<C>
}

/** A time limit of ours is over. */
class Late extends OutsideError {}

export class KeptConnection<C extends OpenConnection> implements Disposable {
  readonly #options: KeptOptions<C>
  #connection: C | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: KeptOptions<C>) {
    this.#options = options
  }

  /** @throws what opening or asking threw; OutsideError where it is not in time; `outer.reason` */
  async ask<T>(question: (connection: C) => Promise<T>, outer: AbortSignal): Promise<T> {
    const before = this.#last
    const turn = Promise.withResolvers<void>()
    this.#last = turn.promise
    try {
      await unlessAborted(before, outer)
      return await this.#asked(question, outer)
    } finally {
      void before.then(() => turn.resolve())
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#end()
  }

  async #asked<T>(question: (connection: C) => Promise<T>, outer: AbortSignal): Promise<T> {
    const { clock, outgoing, connectMs = outgoing.timeoutMs } = this.#options
    // What a server does is nothing a virtual clock can see.
    using _held = clock.hold()
    for (;;) {
      const isKept = this.#connection?.isOpen === true
      try {
        const connection = await this.#within(connectMs, 'no connection', outer, signal => this.#opened(signal))
        return await this.#within(answerMs(outgoing), 'no answer', outer, () => question(connection))
      } catch (error) {
        // Whatever went wrong: the next question finds nothing of it.
        this.#end()
        // A server may have ended what nobody used for a while.
        if (!isKept || error instanceof Late || error instanceof AnswerError || !isOutside(error)) throw error
        outer.throwIfAborted()
      }
    }
  }

  async #opened(signal: AbortSignal): Promise<C> {
    const closed = () => new OutsideError(`${this.#options.who}: closed`)
    // Who waited for a turn, or heard that the connection was ended, dials no other.
    if (this.#isClosed) throw closed()
    if (this.#connection?.isOpen === true) return this.#connection
    this.#end()
    const connection = await this.#options.open(signal)
    if (signal.aborted || this.#isClosed) {
      connection[Symbol.dispose]()
      throw closed()
    }
    this.#connection = connection
    return connection
  }

  async #within<T>(ms: number, what: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const late = new Late(`${this.#options.who}: ${what} in ${ms / 1_000} s`)
    const cancel = this.#options.clock.schedule(ms, () => limit.abort(late))
    const signal = AbortSignal.any([outer, limit.signal])
    try {
      return await unlessAborted(work(signal), signal)
    } finally {
      cancel()
    }
  }

  #end(): void {
    this.#connection?.[Symbol.dispose]()
    this.#connection = undefined
  }
}

interface FirstOptions extends Pick<KeptOptions<OpenConnection>, 'clock' | 'outgoing' | 'who'> {
  readonly signal: AbortSignal
  /** What a server that takes too long did not give; default: a connection. */
  readonly what?: string
  /** What one server says holds for all of them. */
  readonly isFinal?: (error: unknown) => boolean
}

/** What comes about with the first of some servers with which it does, each within the time of one. @throws what the last of them threw; `signal.reason` */
export async function firstOpened<P extends { readonly host: string; readonly port: number }, T>(
  servers: readonly P[],
  { clock, outgoing, who, signal, what = 'connection', isFinal = () => false }: FirstOptions,
  open: (server: P, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let failure: unknown = new OutsideError(`${who}: no server is named`)
  for (const server of servers) {
    const limit = new AbortController()
    const late = new OutsideError(`${who}, ${server.host}:${server.port}: no ${what} in ${outgoing.timeoutMs / 1_000} s`)
    const cancel = clock.schedule(outgoing.timeoutMs, () => limit.abort(late))
    try {
      return await open(server, AbortSignal.any([signal, limit.signal]))
    } catch (error) {
      signal.throwIfAborted()
      if (isFinal(error)) throw error
      failure = limit.signal.aborted ? late : error
    } finally {
      cancel()
    }
  }
  throw failure
}

/** A promise that nobody waits for any longer may still fail: that is no news. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
