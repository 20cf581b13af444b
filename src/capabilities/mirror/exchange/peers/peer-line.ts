// The connections to one peer: kept for the next request, the one used last first; who finds all of them busy waits for one.
import type { Clock } from '#kube/clock.ts'
import type { PeerConnection } from './peer-connection.ts'

/** Connections to one peer. */
const mostConnections = 100
/** A connection that nobody used for so long is closed. */
const keepAliveMs = 30_000

interface Taken {
  readonly connection: PeerConnection
  /** It was used before: it may have been closed by the peer at the same moment. */
  readonly isKept: boolean
}

interface LineOptions {
  readonly clock: Clock
  /** @throws Error why there is none */
  readonly connect: () => Promise<PeerConnection>
}

interface Idle {
  readonly connection: PeerConnection
  readonly sinceMs: number
}

export class PeerLine implements Disposable {
  readonly #options: LineOptions
  /** The one used last is the last. */
  readonly #idle: Idle[] = []
  readonly #open = new Set<PeerConnection>()
  readonly #waiting: (() => void)[] = []
  #count = 0
  #isClosed = false
  #cancelSweep: (() => void) | undefined

  constructor(options: LineOptions) {
    this.#options = options
  }

  /** For one request; it comes back by itself, or is closed. `fresh`: one that nobody used. @throws Error; `signal.reason` when aborted */
  async take(signal: AbortSignal, isFresh = false): Promise<Taken> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#isClosed) throw new Error('the connections to the peer were closed')
      const idle = isFresh ? undefined : this.#idle.pop()
      if (idle !== undefined) return { connection: idle.connection, isKept: true }
      // Where all are taken, one that is kept makes room for a fresh one.
      if (isFresh && this.#count >= mostConnections) this.#idle[0]?.connection.destroy()
      if (this.#count < mostConnections) return { connection: await this.#connect(signal), isKept: false }
      await this.#turn(signal)
    }
  }

  /** Closes what is kept now, and what is busy when it is done. */
  retire(): void {
    this.#isClosed = true
    this.#cancelSweep?.()
    for (const { connection } of this.#idle.splice(0)) connection.destroy()
    for (const go of this.#waiting.splice(0)) go()
  }

  [Symbol.dispose](): void {
    this.retire()
    for (const connection of this.#open) connection.destroy()
  }

  /** Who waits for it may leave: then it is kept for another. */
  async #connect(signal: AbortSignal): Promise<PeerConnection> {
    const connecting = this.#connected()
    const { promise: left, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([connecting, left])
    } catch (error) {
      if (signal.aborted)
        connecting.then(
          connection => this.#back(connection),
          () => undefined,
        )
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #connected(): Promise<PeerConnection> {
    this.#count++
    let connection: PeerConnection
    try {
      connection = await this.#options.connect()
    } catch (error) {
      this.#gone()
      throw error
    }
    this.#open.add(connection)
    connection.onClose = () => {
      this.#open.delete(connection)
      const at = this.#idle.findIndex(idle => idle.connection === connection)
      if (at >= 0) this.#idle.splice(at, 1)
      this.#gone()
    }
    connection.onIdle = () => this.#back(connection)
    if (this.#isClosed) connection.destroy()
    return connection
  }

  #back(connection: PeerConnection): void {
    if (this.#isClosed) {
      connection.destroy()
      return
    }
    this.#idle.push({ connection, sinceMs: this.#options.clock.elapsed() })
    this.#cancelSweep ??= this.#options.clock.schedule(keepAliveMs, () => this.#sweep())
    this.#waiting.shift()?.()
  }

  #gone(): void {
    this.#count--
    this.#waiting.shift()?.()
  }

  #sweep(): void {
    this.#cancelSweep = undefined
    const beforeMs = this.#options.clock.elapsed() - keepAliveMs
    for (const { connection, sinceMs } of [...this.#idle]) if (sinceMs <= beforeMs) connection.destroy()
    const [oldest] = this.#idle.filter(({ sinceMs }) => sinceMs > beforeMs)
    if (oldest === undefined) return
    this.#cancelSweep = this.#options.clock.schedule(oldest.sinceMs - beforeMs, () => this.#sweep())
  }

  /** Waits until a connection was given back or closed. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    const at = this.#waiting.indexOf(resolve)
    if (at >= 0) this.#waiting.splice(at, 1)
    // It was this one's turn, and it does not take it.
    else if (signal.aborted) this.#waiting.shift()?.()
  }
}
