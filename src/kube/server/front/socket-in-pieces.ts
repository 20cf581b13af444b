// A socket that HTTP reads in small pieces. Node makes an object of each request in what was read before anybody can stop it: of one read of
// 64 KiB that is thousands, and a few hundred connections that send such reads at once take gigabytes.

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** Thirty of the smallest requests. */
const pieceBytes = 512

/** A read of more than this waits for the next turn of its peer. */
const unmeteredBytes = 2_048

/** Passes everything on, but what is read comes in pieces, each read in a turn of its peer, and none once it is destroyed. */
export class SocketInPieces extends Duplex {
  readonly #socket: Socket
  #isIgnored = false
  #isWanted = true
  #isWaiting = false

  /** `inTurn` runs what it is given when this connection's peer may send more. */
  constructor(socket: Socket, inTurn: (readOn: () => boolean) => void) {
    super({ allowHalfOpen: true, emitClose: false })
    this.#socket = socket
    // Each request of a few has its own.
    this.setMaxListeners(40)
    socket.on('data', (chunk: Buffer) => {
      let isWanted = true
      for (let at = 0; at < chunk.length && !this.destroyed && !this.#isIgnored; at += pieceBytes)
        isWanted = this.push(chunk.subarray(at, at + pieceBytes))
      this.#isWanted = isWanted
      if (chunk.length <= unmeteredBytes) {
        if (!isWanted) socket.pause()
        return
      }
      socket.pause()
      this.#isWaiting = true
      inTurn(() => {
        this.#isWaiting = false
        if (socket.destroyed) return false
        if (this.#isWanted || this.#isIgnored) socket.resume()
        return true
      })
    })
    socket.on('end', () => this.push(null))
    socket.on('timeout', () => this.emit('timeout'))
    socket.on('error', error => this.destroy(error))
    socket.once('close', () => {
      this.destroy()
      this.emit('close')
    })
  }

  /** The socket that is read from. */
  get whole(): Socket {
    return this.#socket
  }

  /** What still comes is read and dropped: a parser that has failed says so for each piece. */
  ignoreRest(): void {
    this.#isIgnored = true
    if (!this.#isWaiting) this.#socket.resume()
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms)
    return this
  }

  setNoDelay(isOn?: boolean): this {
    this.#socket.setNoDelay(isOn)
    return this
  }

  setKeepAlive(isOn?: boolean, delayMs?: number): this {
    this.#socket.setKeepAlive(isOn, delayMs)
    return this
  }

  override _read(): void {
    this.#isWanted = true
    if (!this.#isWaiting) this.#socket.resume()
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // At once: what was written last is not to wait here while the connection is ended.
    if (this.#socket.write(chunk, encoding)) done()
    else this.#socket.once('drain', () => done())
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}

/** The socket of TLS by which a request came, which knows the peer's certificate; `undefined`: it came without TLS. */
export function tlsSocketOf(socket: Duplex): TLSSocket | undefined {
  const whole = socket instanceof SocketInPieces ? socket.whole : socket
  return whole instanceof TLSSocket ? whole : undefined
}
