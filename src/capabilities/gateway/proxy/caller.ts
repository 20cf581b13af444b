// One request and the way back to its client, whatever version of HTTP it speaks.
import { type IncomingMessage, ServerResponse } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { gatherPieces } from './gathered-body.ts'
import type { RequestHead } from './request-head.ts'

export interface Caller {
  readonly head: RequestHead
  /** The client's, or what a proxy says by PROXY protocol. */
  readonly address: string
  readonly isTls: boolean
  /** `HTTP/1.1`. */
  readonly protocol: string
  /** Whether a body comes: asking takes nothing of it. */
  readonly hasBody: boolean
  /** Undefined: no body comes. */
  readonly body: Readable | undefined
  /** Fields after the body, once it has ended: names and values by turns. */
  requestTrailers(): readonly string[]
  /** The client may send its body now. */
  sendContinue(): void
  /** An interim answer, as 103. */
  information(status: number, headers: readonly string[]): void
  /** The answer's head; once. */
  answer(status: number, reason: string, headers: readonly string[]): void
  readonly hasAnswered: boolean
  readonly status: number
  readonly bytesSent: number
  /** False: `onDrain` says when more is taken. */
  write(chunk: Uint8Array | string): boolean
  onDrain(drained: () => void): void
  end(trailers?: readonly string[]): void
  /** Ends without an end: the client is to see that something is missing. */
  destroy(): void
  /** Called once, when all is sent or the connection is gone. */
  onClose(closed: () => void): void
  /** It is gone, or has got everything. */
  readonly isClosed: boolean
  /** The connection itself, for another protocol: answers by this caller end with that. Absent: it carries requests alone. */
  takeOver?(): { readonly socket: Duplex; readonly first: Buffer }
}

/** Bytes of a body that wait in us before the client is held back. */
export const bodyWindow = 64 * 1024

/** No connection is kept after the answer: what is left of the request is not read. */
const closing = ['Connection', 'close']

export class Http1Caller implements Caller {
  readonly head: RequestHead
  readonly address: string
  readonly isTls: boolean
  bytesSent = 0
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #isEnding: () => boolean
  #isClosed = false
  #closed: (() => void) | undefined

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    { head, address, isTls, isEnding }: { head: RequestHead; address: string; isTls: boolean; isEnding: () => boolean },
  ) {
    this.#request = request
    this.#response = response
    this.#isEnding = isEnding
    this.head = head
    this.address = address
    this.isTls = isTls
    if (this.hasBody) gatherPieces(request, bodyWindow)
    response.on('close', () => {
      this.#isClosed = true
      this.#closed?.()
    })
  }

  get protocol(): string {
    return `HTTP/${this.#request.httpVersion}`
  }

  get hasBody(): boolean {
    const { contentLength, isChunked } = this.head
    return isChunked || (contentLength ?? 0) > 0
  }

  get body(): Readable | undefined {
    return this.hasBody ? this.#request : undefined
  }

  get hasAnswered(): boolean {
    return this.#response.headersSent
  }

  get status(): number {
    return this.#response.statusCode
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  requestTrailers(): readonly string[] {
    return this.#request.rawTrailers
  }

  sendContinue(): void {
    if (this.head.expectsContinue && !this.#isClosed && !this.hasAnswered) this.#response.writeContinue()
  }

  information(status: number, headers: readonly string[]): void {
    // A client of HTTP/1.0 knows none.
    if (this.#isClosed || this.hasAnswered || this.#request.httpVersion === '1.0') return
    if (status === 103) this.#response.writeEarlyHints(objectOf(headers))
    else if (status === 102) this.#response.writeProcessing()
  }

  answer(status: number, reason: string, headers: readonly string[]): void {
    if (this.#isClosed) return
    const { body } = this
    const isLeft = body !== undefined && !this.#request.complete && this.head.expectsContinue
    const all = isLeft || this.#isEnding() ? [...headers, ...closing] : [...headers]
    this.#response.writeHead(status, reason, all)
  }

  write(chunk: Uint8Array | string): boolean {
    this.bytesSent += chunk.length
    return this.#response.write(chunk)
  }

  onDrain(drained: () => void): void {
    this.#response.once('drain', drained)
  }

  end(trailers: readonly string[] = []): void {
    if (trailers.length > 0) this.#response.addTrailers(pairsOf(trailers))
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  onClose(closed: () => void): void {
    this.#closed = closed
    if (this.#isClosed) closed()
  }
}

/** A request that asks for another protocol: it has its connection alone. */
export class UpgradeCaller extends Http1Caller {
  readonly #socket: Socket
  readonly #first: Buffer
  readonly #response: ServerResponse

  constructor(
    request: IncomingMessage,
    { socket, first, ...rest }: ConstructorParameters<typeof Http1Caller>[2] & { socket: Socket; first: Buffer },
  ) {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.on('finish', () => socket.end())
    super(request, response, rest)
    this.#socket = socket
    this.#first = first
    this.#response = response
  }

  takeOver(): { readonly socket: Duplex; readonly first: Buffer } {
    this.#response.detachSocket(this.#socket)
    return { socket: this.#socket, first: this.#first }
  }
}

export class Http2Caller implements Caller {
  readonly head: RequestHead
  readonly address: string
  readonly isTls: boolean
  readonly protocol = 'HTTP/2.0'
  bytesSent = 0
  status = 200
  readonly #stream: ServerHttp2Stream
  #isClosed = false
  #closed: (() => void) | undefined
  #body: Readable | undefined
  #trailers: readonly string[] = []
  #received: readonly string[] = []

  constructor(stream: ServerHttp2Stream, { head, address, isTls }: { head: RequestHead; address: string; isTls: boolean }) {
    this.#stream = stream
    this.head = head
    this.address = address
    this.isTls = isTls
    if (this.hasBody) gatherPieces(stream, bodyWindow)
    stream.on('trailers', (_headers, _flags, raw: string[] | undefined) => {
      this.#received = raw ?? []
    })
    stream.on('close', () => {
      this.#isClosed = true
      this.#closed?.()
    })
  }

  get hasBody(): boolean {
    return !this.#stream.endAfterHeaders
  }

  get body(): Readable | undefined {
    if (!this.hasBody) return undefined
    this.#body ??= readingSide(this.#stream)
    return this.#body
  }

  get hasAnswered(): boolean {
    return this.#stream.headersSent
  }

  get isClosed(): boolean {
    // Its event comes a moment later, and an answer meanwhile would throw.
    return this.#isClosed || this.#stream.destroyed
  }

  requestTrailers(): readonly string[] {
    return this.#received
  }

  sendContinue(): void {
    if (this.head.expectsContinue && !this.isClosed && !this.hasAnswered) this.#stream.additionalHeaders({ ':status': 100 })
  }

  information(status: number, headers: readonly string[]): void {
    if (!this.isClosed && !this.hasAnswered) this.#stream.additionalHeaders({ ':status': status, ...objectOf(headers) })
  }

  answer(status: number, _reason: string, headers: readonly string[]): void {
    if (this.isClosed) return
    this.status = status
    const fields = objectOf(headers)
    // A call of gRPC that failed at once has its status in the head, which is all there is: clients take no other end for it.
    if (fields['grpc-status'] !== undefined) {
      this.#stream.respond({ ':status': status, ...fields }, { endStream: true })
      return
    }
    // The trailers may come whatever the head says.
    this.#stream.respond({ ':status': status, ...fields }, { waitForTrailers: true })
    // Without any it is an empty frame that ends the stream: a reset in its place would tell clients that the answer is not whole.
    this.#stream.on('wantTrailers', () => this.#stream.sendTrailers(objectOf(this.#trailers)))
  }

  write(chunk: Uint8Array | string): boolean {
    this.bytesSent += chunk.length
    return this.#stream.write(chunk)
  }

  onDrain(drained: () => void): void {
    this.#stream.once('drain', drained)
  }

  end(trailers: readonly string[] = []): void {
    this.#trailers = trailers
    this.#stream.end()
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  onClose(closed: () => void): void {
    this.#closed = closed
    if (this.#isClosed) closed()
  }
}

/** The stream is both ways at once, and a reader that has read all ends what it read. */
function readingSide(stream: ServerHttp2Stream): Readable {
  // What waits is to wait in the stream, where it is joined.
  const side = new Readable({ highWaterMark: 1, read: () => void stream.resume() })
  stream.on('data', (chunk: Buffer) => {
    if (!side.push(chunk)) stream.pause()
  })
  stream.pause()
  stream.on('end', () => side.push(null))
  stream.on('close', () => {
    if (!stream.readableEnded) side.destroy(new Error('the client ended the stream'))
  })
  // Whether somebody reads it or not.
  side.on('error', () => undefined)
  return side
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return pairs
}

/** As Node's HTTP/2 takes headers: names in lower case, several values in a list. */
export function objectOf(raw: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of pairsOf(raw)) {
    const lower = name.toLowerCase()
    const known = headers[lower]
    headers[lower] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value]
  }
  return headers
}
