// Lines and blocks of a connection, within limits: for protocols of a few commands, whose servers somebody else chose.
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { messageOf } from '#kube/log.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { secureOptions } from './guarded-socket.ts'
import type { Outgoing, SourceTls } from './outgoing.ts'

/** Bytes of one line, such as a number or an error. */
const longestLine = 16 * 1024
/** Bytes of all that one connection is told. */
const mostStreamBytes = 4 * 1024 * 1024

export interface StreamPlace {
  readonly host: string
  readonly port: number
  /** Undefined: no TLS. */
  readonly tls: (SourceTls & { readonly passphrase?: string | undefined }) | undefined
}

export class ByteStream implements Disposable {
  readonly #socket: Socket
  readonly #chunks: AsyncIterator<Buffer>
  readonly #shown: string
  #rest: Buffer = Buffer.alloc(0)
  #read = 0

  /**
   * Connects to an address of the host that may be reached, and begins what is said there. Until `begin` has ended, and no longer, the connection
   * ends with the signal. @throws AddressRefused; OutsideError; what `begin` throws; `signal.reason`
   */
  static async open<T>(
    place: StreamPlace,
    outgoing: Outgoing,
    signal: AbortSignal,
    begin: (stream: ByteStream) => Promise<T> | T,
  ): Promise<T> {
    const [first] = await outgoing.addresses(place.host, signal)
    if (first === undefined) throw new OutsideError(`${place.host} has no address`)
    signal.throwIfAborted()
    const [socket, event] = socketTo(place, first.address)
    const stream = new ByteStream(socket, `${place.host}:${place.port}`)
    using _bound = stream.boundTo(signal)
    try {
      await stream.#connected(event)
      return await begin(stream)
    } catch (error) {
      stream[Symbol.dispose]()
      signal.throwIfAborted()
      throw error
    }
  }

  private constructor(socket: Socket, shown: string) {
    this.#socket = socket
    this.#shown = shown
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    // What went wrong is told to whoever reads.
    socket.on('error', () => undefined)
  }

  /** The connection ends with the signal, until what this gives is disposed of: each question has its own. */
  boundTo(signal: AbortSignal): Disposable {
    const onAbort = () => void this.#socket.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', onAbort) }
  }

  /** A new question begins: as much may come again. */
  again(): void {
    this.#read = 0
  }

  /** More came than was read, which nobody asked for. */
  get hasMore(): boolean {
    return this.#rest.length > 0
  }

  write(bytes: Buffer | string): void {
    this.#socket.write(bytes)
  }

  /** Without its end, which is `\n` or `\r\n`. @throws OutsideError */
  async line(): Promise<string> {
    for (let from = 0; ; ) {
      const end = this.#rest.indexOf(10, from)
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString().replace(/\r$/, '')
        this.#rest = this.#rest.subarray(end + 1)
        return line
      }
      from = this.#rest.length
      if (from > longestLine) throw new AnswerError(`${this.#shown} sent a line of more than ${longestLine} bytes`)
      this.#rest = Buffer.concat([this.#rest, await this.#next()])
    }
  }

  /** @throws OutsideError; AnswerError for more than there may be */
  async exactly(count: number): Promise<Buffer> {
    if (!Number.isSafeInteger(count) || count < 0 || count > mostStreamBytes)
      throw new AnswerError(`${this.#shown} announced ${count} bytes, of which at most ${mostStreamBytes} are read`)
    const pieces = [this.#rest]
    for (let length = this.#rest.length; length < count; ) {
      const piece = await this.#next()
      pieces.push(piece)
      length += piece.length
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces)
    this.#rest = all.subarray(count)
    return all.subarray(0, count)
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #connected(event: 'connect' | 'secureConnect'): Promise<void> {
    const connected = Promise.withResolvers<void>()
    this.#socket.once(event, () => connected.resolve())
    this.#socket.once('error', error => connected.reject(new OutsideError(`${this.#shown}: ${messageOf(error)}`)))
    this.#socket.once('close', () => connected.reject(new OutsideError(`${this.#shown} ended the connection`)))
    await connected.promise
  }

  async #next(): Promise<Buffer> {
    let result: IteratorResult<Buffer>
    try {
      result = await this.#chunks.next()
    } catch (error) {
      throw new OutsideError(`${this.#shown}: ${messageOf(error)}`)
    }
    if (result.done === true) throw new OutsideError(`${this.#shown} ended the connection`)
    this.#read += result.value.length
    if (this.#read > mostStreamBytes) throw new AnswerError(`${this.#shown} sent more than ${mostStreamBytes} bytes`)
    return result.value
  }
}

/** A connection that begins, and how it tells that it is there. */
function socketTo({ host, port, tls }: StreamPlace, address: string): [Socket, 'connect' | 'secureConnect'] {
  const to = { host: address, port, noDelay: true }
  if (tls === undefined) return [connectPlain(to), 'connect']
  const socket = connectSecure({
    ...to,
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    ...secureOptions(tls),
  })
  return [socket, 'secureConnect']
}
