// One stream of a connection that many share: read by whoever answers it, fed by whoever reads the connection.
import { Duplex } from 'node:stream'

/** What a reader has not taken yet: the connection waits when it is more. */
const heldBytes = 64 * 1024

interface RemoteEnd {
  /** Resolves when the client can take more, or is gone. */
  readonly send: (bytes: Uint8Array) => Promise<void>
  /** Tells the client that nothing more comes. */
  readonly sendEnd: () => Promise<void>
}

export class RemoteStream extends Duplex {
  readonly #remote: RemoteEnd
  #taken: (() => void) | undefined

  constructor(remote: RemoteEnd) {
    super({ readableHighWaterMark: heldBytes, writableHighWaterMark: heldBytes })
    this.#remote = remote
    // A stream that is broken off is no fault of who reads it.
    this.on('error', () => undefined)
  }

  /** What the client sent. Resolves when there is room for more, or nobody reads any more. */
  async receive(bytes: Uint8Array): Promise<void> {
    if (this.destroyed || this.readableEnded || this.push(bytes)) return
    await new Promise<void>(resolve => {
      this.#taken = resolve
    })
  }

  /** The client sends no more. */
  endInput(): void {
    if (!this.destroyed) this.push(null)
  }

  override _read(): void {
    this.#taken?.()
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#remote.send(bytes).then(() => done(), done)
  }

  override _final(done: (error?: Error) => void): void {
    this.#remote.sendEnd().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#taken?.()
    done(error)
  }
}
