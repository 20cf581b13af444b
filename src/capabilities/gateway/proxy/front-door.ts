// Where requests arrive: HTTP/1.1 and HTTP/2 on one port, with and without TLS, behind a proxy of TCP or not.
import { once } from 'node:events'
import { createServer as createHttp1Server, type Server as Http1Server, type IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import {
  type AddressInfo,
  createServer as createNetServer,
  type ListenOptions,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls'
import type { Clock } from '#kube/clock.ts'
import { bodyWindow, type Caller, Http1Caller, Http2Caller, UpgradeCaller } from './caller.ts'
import { proxyHeader } from './proxy-protocol.ts'
import { type Refusal, type RequestHead, requestHead } from './request-head.ts'

/** Event-autoscaling 3.13: pools of proxies before us keep connections longer than Node does. */
const keepAliveMs = 75_000
/** A client has so long for the head of a request, and for its handshake. */
const headMs = 60_000
/** Bytes of a request's head; more is answered with 431. */
const mostHeadBytes = 64 * 1024
/** As Go's server. */
const mostStreams = 250
const mostConnections = 50_000
/** A socket of the machine refuses who finds its queue full, where one of the network lets them try again; the kernel may allow fewer. */
const longestBacklog = 65_535

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

interface DoorOptions {
  readonly clock: Clock
  /** A request whose head is in order. */
  readonly onRequest: (caller: Caller) => void
  /** One that nobody was asked about. */
  readonly onRefused: (refusal: Refusal, address: string) => void
  /** The process ends: connections are not kept. */
  readonly isEnding: () => boolean
  /** Connections begin with a header of the PROXY protocol; read for each of them. */
  readonly proxyProtocol: boolean
  /** Requests come from the data plane, which has written their forwarding headers and counts them. */
  readonly isForwarded?: boolean
  /** Certificates; absent: no TLS. */
  readonly tls?: TlsOptions | undefined
}

/** One listener takes another's place without a moment in which nobody listens. */
const canShare = process.platform === 'linux'

export class FrontDoor {
  readonly #options: DoorOptions
  readonly #net: NetServer
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #tls: TlsServer | undefined
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  /** Connections that end with an answer of 400. */
  readonly #refused = new WeakSet<object>()
  /** Clients that a proxy told of, by its connection. */
  readonly #addresses = new WeakMap<object, string>()

  constructor(options: DoorOptions) {
    this.#options = options
    this.#net = createNetServer({ noDelay: true, allowHalfOpen: true }, socket => this.#arrived(socket))
    this.#net.maxConnections = mostConnections
    this.#http1 = this.#http1Server()
    this.#http2 = this.#http2Server()
    this.#tls = options.tls === undefined ? undefined : this.#tlsServer(options.tls)
  }

  /** @returns the port. @throws Error where it is taken: but for `isBeside` also by a listener of ours */
  async listen(port: number, host?: string, { isBeside = false } = {}): Promise<number> {
    const at = { port, ...(host === undefined ? {} : { host }) }
    // A shared port tells nobody that another has it: it is tried alone before.
    if (canShare && port !== 0 && !isBeside) await triedAlone(at)
    await this.#listen({ ...at, reusePort: canShare })
    return (this.#net.address() as AddressInfo).port
  }

  /** A socket of this machine. @throws Error where it is taken */
  async listenAt(path: string): Promise<void> {
    await this.#listen({ path, backlog: longestBacklog })
  }

  async #listen(at: ListenOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#net.once('error', reject)
    this.#net.listen(at, resolve)
    await promise
    this.#net.off('error', reject)
  }

  /** Other certificates from the next connection on. */
  useTls(options: TlsOptions): void {
    this.#tls?.setSecureContext(options)
  }

  /** No connection is taken any more; those without a request end, the others after it. */
  close(): void {
    this.#net.close()
    this.#http1.closeIdleConnections()
    for (const session of this.#sessions) session.close()
  }

  /** Ends every connection. */
  destroy(): void {
    this.#net.close()
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
  }

  #arrived(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // The next reader is told as well.
    socket.on('error', () => undefined)
    if (this.#options.proxyProtocol) this.#readProxyHeader(socket)
    else this.#opened(socket)
  }

  #opened(socket: Socket): void {
    if (this.#tls === undefined) this.#tellApart(socket)
    else this.#tls.emit('connection', socket)
  }

  #readProxyHeader(socket: Socket): void {
    this.#read(socket, bytes => {
      const header = proxyHeader(bytes)
      if (header.kind === 'unfinished') return 'more'
      if (header.kind === 'wrong') {
        this.#options.onRefused({ status: 400, reason: header.why }, socket.remoteAddress ?? '')
        socket.destroy()
        return 'gone'
      }
      if (header.address !== undefined) this.#addresses.set(socket, header.address)
      return { rest: bytes.subarray(header.bytes), go: () => this.#opened(socket) }
    })
  }

  /** HTTP/2 begins with its preface. */
  #tellApart(socket: Socket): void {
    this.#read(socket, bytes => {
      const looked = bytes.subarray(0, preface.length)
      const isPreface = preface.subarray(0, looked.length).equals(looked)
      if (isPreface && looked.length < preface.length) return 'more'
      return { rest: bytes, go: () => this.#begin(socket, isPreface) }
    })
  }

  #begin(socket: Socket, isHttp2: boolean): void {
    if (!isHttp2) {
      this.#http1.emit('connection', socket)
      return
    }
    // HTTP/2 knows no half of a connection: a client that ends its own has left all its streams, and says so of none.
    socket.on('end', () => socket.destroy())
    this.#http2.emit('connection', socket)
  }

  /** Reads until `look` knows enough, then gives back what it leaves. */
  #read(socket: Socket, look: (bytes: Buffer) => 'more' | 'gone' | { readonly rest: Buffer; readonly go: () => void }): void {
    let bytes: Buffer = Buffer.alloc(0)
    const late = this.#options.clock.schedule(headMs, () => socket.destroy())
    const over = () => {
      late()
      socket.off('data', onData)
      socket.off('close', over)
      socket.off('end', onEnd)
    }
    const onEnd = () => {
      over()
      socket.destroy()
    }
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const looked = look(bytes)
      if (looked === 'more') return
      over()
      if (looked === 'gone') return
      socket.pause()
      if (looked.rest.length > 0) socket.unshift(looked.rest)
      looked.go()
      process.nextTick(() => socket.resume())
    }
    socket.on('data', onData)
    socket.on('close', over)
    socket.on('end', onEnd)
  }

  #tlsServer(options: TlsOptions): TlsServer {
    const server = createTlsServer({ ...options, ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: headMs })
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined)
      this.#begin(socket, socket.alpnProtocol === 'h2')
    })
    server.on('tlsClientError', (_error, socket: TLSSocket) => socket.destroy())
    return server
  }

  #http1Server(): Http1Server {
    const server = createHttp1Server({
      maxHeaderSize: mostHeadBytes,
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headMs,
      requestTimeout: 0,
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
      highWaterMark: bodyWindow,
      optimizeEmptyRequests: true,
    })
    // Bytes bound them; a count would drop those beyond it in silence.
    server.maxHeadersCount = 0
    const take = (request: IncomingMessage, response: ServerResponse) => this.#request(request, response)
    server.on('request', take)
    server.on('checkContinue', take)
    server.on('checkExpectation', take)
    server.on('upgrade', (request: IncomingMessage, socket: Socket, first: Buffer) => this.#upgrade(request, socket, first))
    server.on('connect', (_request, socket: Socket) => endSocket(socket, 405))
    server.on('clientError', (error: Error & { readonly code?: string }, socket: Socket) => {
      this.#options.onRefused({ status: statusOf(error.code), reason: error.message }, this.#addressOf(socket))
      // Within an answer another one would be taken for a part of it.
      if (this.#refused.has(socket) || isAnswering(socket)) socket.destroySoon()
      else endSocket(socket, statusOf(error.code))
    })
    return server
  }

  #http2Server(): Http2Server {
    const server = createHttp2Server({
      settings: { maxConcurrentStreams: mostStreams, maxHeaderListSize: mostHeadBytes, initialWindowSize: bodyWindow * 2 },
      maxSendHeaderBlockLength: mostHeadBytes * 2,
    })
    server.on('session', session => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
    })
    server.on('stream', (stream, headers, _flags, raw: string[] | undefined) =>
      this.#stream(stream, headers[':authority'], headers[':path'] ?? '', headers[':method'] ?? '', raw ?? []),
    )
    // Streams and sessions are told by themselves.
    server.on('sessionError', () => undefined)
    return server
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const head = headOf(request)
    if ('reason' in head) {
      this.#options.onRefused(head, this.#addressOf(socket))
      // What follows on the connection may be another's request.
      this.#refused.add(socket)
      response.writeHead(head.status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' })
      response.end(`${head.reason}\n`)
      return
    }
    if (head.target === '*') {
      // It is about the server, and no route's.
      response.writeHead(200, { 'Content-Length': '0' }).end()
      return
    }
    const { isEnding, isForwarded = false } = this.#options
    this.#options.onRequest(
      new Http1Caller(request, response, {
        head: isForwarded ? { ...head, isForwarded } : head,
        address: this.#addressOf(socket),
        isTls: 'encrypted' in socket,
        isEnding,
      }),
    )
  }

  #upgrade(request: IncomingMessage, socket: Socket, first: Buffer): void {
    const head = headOf(request)
    const { isEnding } = this.#options
    const of = { address: this.#addressOf(socket), isTls: 'encrypted' in socket, isEnding, socket, first }
    if ('reason' in head) {
      this.#options.onRefused(head, of.address)
      endSocket(socket, head.status)
      return
    }
    this.#options.onRequest(new UpgradeCaller(request, { ...of, head }))
  }

  #stream(stream: ServerHttp2Stream, authority: string | undefined, url: string, method: string, raw: readonly string[]): void {
    stream.on('error', () => undefined)
    const fields: string[] = []
    for (let at = 0; at + 1 < raw.length; at += 2) if (!raw[at]?.startsWith(':')) fields.push(raw[at] ?? '', raw[at + 1] ?? '')
    const socket = stream.session?.socket
    const address = socket === undefined ? '' : this.#addressOf(socket)
    const head =
      method === 'CONNECT'
        ? { status: 405, reason: 'CONNECT is for proxies' }
        : requestHead({ method, url, rawHeaders: fields, httpVersion: '2.0', authority })
    if ('reason' in head) {
      this.#options.onRefused(head, address)
      stream.respond({ ':status': head.status, 'content-type': 'text/plain; charset=utf-8' })
      stream.end(`${head.reason}\n`)
      return
    }
    const isTls = stream.session?.encrypted === true
    const caller = new Http2Caller(stream, { head, address, isTls })
    if (this.#options.isEnding() && stream.session !== undefined) stream.session.close()
    this.#options.onRequest(caller)
  }

  #addressOf(socket: object): string {
    const parent = (socket as { readonly _parent?: object })._parent
    const told = this.#addresses.get(socket) ?? (parent === undefined ? undefined : this.#addresses.get(parent))
    const own = (socket as Partial<Socket>).remoteAddress ?? ''
    // IPv4 that came by a socket of both.
    return told ?? (own.startsWith('::ffff:') ? own.slice('::ffff:'.length) : own)
  }
}

/** Node's parser of HTTP/1 lets pass what calls itself HTTP/2.0, whose rules are others. */
function headOf({ method = '', url = '', rawHeaders, httpVersion }: IncomingMessage): RequestHead | Refusal {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return { status: 400, reason: `HTTP/${httpVersion} on a connection of HTTP/1` }
  return requestHead({ method, url, rawHeaders, httpVersion })
}

/** @throws Error where the port is taken */
async function triedAlone(at: ListenOptions): Promise<void> {
  const tried = createNetServer()
  tried.listen(at)
  await once(tried, 'listening')
  tried.close()
  await once(tried, 'close')
}

/** Whether the head of an answer went out on it, and not the answer's end. */
function isAnswering(socket: Socket): boolean {
  const answer: unknown = Reflect.get(socket, '_httpMessage')
  return answer instanceof ServerResponse && answer.headersSent
}

function statusOf(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408
  return 400
}

const words: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
}

/** Answers what never became a request. */
function endSocket(socket: Socket, status: number): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = `${words[status] ?? 'Bad Request'}\n`
  socket.end(
    `HTTP/1.1 ${status} ${words[status] ?? 'Bad Request'}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}
