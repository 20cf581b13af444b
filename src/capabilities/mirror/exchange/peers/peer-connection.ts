// One connection to a peer: a request, the head of its answer, its body, and so again. Nothing is decoded, nothing is followed, nothing is
// copied but what comes with a head.
import type { OnReadOpts, Socket } from 'node:net'
import { PeerBody } from './peer-body.ts'
import { parseResponseHead, type ResponseHead } from './response-head.ts'

/** Bytes of the head of an answer. */
const largestHead = 16_384
const endOfHead = '\r\n\r\n'

interface Response extends ResponseHead {
  readonly body: PeerBody
}

interface Asking {
  readonly isHead: boolean
  readonly resolve: (response: Response) => void
  readonly reject: (error: Error) => void
}

export class PeerConnection {
  /** For the socket that it is to be. */
  readonly onread: OnReadOpts = { buffer: () => this.#room(), callback: (count, buffer) => this.#came(count, buffer) }
  /** Where bytes come that have no place in a slab: heads, and what comes right behind them. */
  readonly #own = Buffer.allocUnsafeSlow(largestHead)
  #filled = 0
  #socket: Socket | undefined
  #asking: Asking | undefined
  #body: PeerBody | undefined
  #isKept = true
  /** Address that it leads to, as URLs have it. */
  host = ''
  /** Told when it can be used again. */
  onIdle: (() => void) | undefined
  /** Told once when it is over. */
  onClose: (() => void) | undefined

  /** The socket that was opened with `onread`. */
  open(socket: Socket): void {
    this.#socket = socket
    let cause: Error | undefined
    socket.on('error', error => {
      cause = error
    })
    socket.on('end', () => socket.destroy())
    socket.once('close', () => this.#closed(cause ?? new Error('the peer closed the connection')))
    if (socket.destroyed) this.#closed(new Error('the peer closed the connection'))
  }

  /** The answer to a request, one at a time. @throws Error where there is none: the connection is over then */
  async ask(request: string, isHead: boolean): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.#asking = { isHead, resolve, reject }
    this.#filled = 0
    if (this.#socket === undefined || this.#socket.destroyed) this.#fail(new Error('the connection was closed'))
    else this.#socket.write(request, 'latin1')
    return await promise
  }

  destroy(): void {
    this.#socket?.destroy()
  }

  #room(): Uint8Array {
    if (this.#body !== undefined) return this.#body.room() ?? this.#own
    // Behind what came of a head, as long as it is not whole.
    return this.#own.subarray(this.#filled)
  }

  /** Yields whether more may come. */
  #came(count: number, buffer: Uint8Array): boolean {
    const body = this.#body
    if (body !== undefined) {
      if (count > body.left) this.#isKept = false
      return buffer.buffer === this.#own.buffer ? body.copied(this.#own.subarray(0, count)) : body.filled(count)
    }
    if (this.#asking === undefined) {
      // Nobody asked for anything.
      this.destroy()
      return false
    }
    const from = Math.max(0, this.#filled - endOfHead.length)
    this.#filled += count
    const end = this.#own.subarray(0, this.#filled).indexOf(endOfHead, from, 'latin1')
    if (end >= 0) return this.#answered(this.#asking, end)
    if (this.#filled < largestHead) return true
    this.#fail(new Error(`a head of more than ${largestHead} bytes`))
    return false
  }

  #answered(asking: Asking, end: number): boolean {
    const head = parseResponseHead(this.#own.toString('latin1', 0, end), asking.isHead)
    if (typeof head === 'string') {
      this.#fail(new Error(head))
      return false
    }
    this.#asking = undefined
    const first = this.#own.subarray(end + endOfHead.length, this.#filled)
    this.#filled = 0
    const length = head.length ?? 0
    this.#isKept = head.isKept && head.length !== undefined && first.length <= length
    const body = new PeerBody(
      { resume: () => this.#socket?.resume(), done: () => this.#done(), leave: () => this.destroy() },
      first,
      length,
    )
    this.#body = body
    asking.resolve({ ...head, body })
    if (body.left === 0) this.#done()
    return this.#body === undefined
  }

  #done(): void {
    this.#body = undefined
    if (!this.#isKept) {
      this.destroy()
      return
    }
    // With TLS the last bytes may come although it was told to stop: an answer to the next request, or an end, would never be seen.
    this.#socket?.resume()
    this.onIdle?.()
  }

  #fail(error: Error): void {
    const asking = this.#asking
    this.#asking = undefined
    asking?.reject(error)
    this.destroy()
  }

  #closed(error: Error): void {
    this.#fail(error)
    this.#body?.broke(error)
    this.#body = undefined
    const onClose = this.onClose
    this.onClose = undefined
    onClose?.()
  }
}
