// One public listener, as the thread runs it: connections are shared fairly, bodies are bounded and looked at, and what is left is asked of
// the main loop in turns. Probes are answered in time whether that loop has time or not.
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import type { Server } from 'node:net'
import type { Clock } from '../../clock.ts'
import { handshakeMs } from '../listening.ts'
import type { BodyBudget, Held } from './body-budget.ts'
import { FairConnections, peerOf, whenOver } from './fair-connections.ts'
import type { FrontCall, FrontReply, FrontSpec, FrontTls, TurnedAway } from './front-messages.ts'
import { JsonShape } from './json-shape.ts'
import type { Turns, Waiting } from './turns.ts'
import type { Turnstile } from './turnstile.ts'

/** Bytes of target and headers together. */
const largestHead = 16_384
/** How often it is looked who is too slow. */
const slownessCheckMs = 1_000
/** A body comes, and an answer is taken, within so long. */
const bodyMs = 10_000
const sendingMs = 30_000
/** A body that nobody reads may be so long. */
const unreadBytes = 65_536
/** An answer to a probe always has room: there are only so many connections. */
const uncountedBytes = 4_096
/** Streams of a connection of HTTP/2, and what it may hold. */
const mostStreams = 100
const sessionMegabytes = 1
/** The kubelet waits a second unless told otherwise. */
const probeMs = 700
/** The last answer to a probe stands for so long while the main loop is busy. */
const probeAnswerMs = 30_000
/** Answers under way have so long when a listener is closed. */
const closingMs = 10_000

/** What all listeners of the thread have in common. */
export interface FrontSurroundings {
  readonly clock: Clock
  readonly budget: BodyBudget
  readonly turns: Turns
  readonly turnstile: Turnstile
  /** Asks the main loop; `answered` is called once, unless the main loop never answers. Returns how to give up. */
  ask(listener: number, call: FrontCall, answered: (reply: FrontReply) => void): () => void
  /** For how long the main loop has not turned, in milliseconds; 0 while it turns. */
  stillMs(): number
  turnedAway(listener: number, why: TurnedAway, peer: string): void
}

type AnyServer = Server & { closeIdleConnections?: () => void; setSecureContext?: (context: object) => void }

/** Requests of one peer for the same, that wait for one turn of the main loop. */
interface Asking {
  readonly answer: (reply: FrontReply) => void
}

export class FrontListener {
  readonly #id: number
  readonly #spec: FrontSpec
  readonly #around: FrontSurroundings
  readonly #server: AnyServer
  readonly #connections: FairConnections
  readonly #joined = new Map<string, Set<Asking>>()
  readonly #lastAnswers = new Map<string, { readonly reply: FrontReply; readonly atMs: number }>()
  #isClosing = false

  constructor(id: number, spec: FrontSpec, around: FrontSurroundings) {
    this.#id = id
    this.#spec = spec
    this.#around = around
    this.#server = this.#makeServer()
    this.#connections = new FairConnections(
      this.#server,
      { most: spec.connections, ...(spec.http2 === true ? { pipelined: mostStreams } : { inPieces: true }) },
      { clock: around.clock, turnstile: around.turnstile, onClosed: (why, peer) => around.turnedAway(id, why, peer) },
    )
  }

  /** Yields the port. @throws when the address is taken or not ours */
  listen(): Promise<number> {
    return this.#connections.listen(this.#spec)
  }

  setCertificate(tls: FrontTls): void {
    this.#server.setSecureContext?.(contextOf(tls))
  }

  /** Takes no new connection. What is asked is answered, for ten seconds at most. */
  async close(isAtOnce: boolean): Promise<void> {
    this.#isClosing = true
    this.#server.closeIdleConnections?.()
    await this.#connections.close(isAtOnce ? 0 : closingMs)
  }

  #makeServer(): AnyServer {
    const { tls, quietMs, headMs } = this.#spec
    const limits = {
      maxHeaderSize: largestHead,
      headersTimeout: headMs,
      // Bodies have a limit of their own, which counts from where they begin.
      requestTimeout: Math.max(headMs, quietMs),
      keepAliveTimeout: quietMs,
      connectionsCheckingInterval: slownessCheckMs,
    }
    const serve = (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => {
        // The connection broke: nobody is left to answer.
        response.destroy()
      })
    }
    const server = this.#serverFor(limits, serve)
    server.on('clientError', (error, socket) => this.#connections.refuseUnreadable(error, socket))
    // The socket is gone by then, and with it whom it was from.
    server.on('tlsClientError', () => this.#around.turnedAway(this.#id, 'handshake', ''))
    if (tls !== undefined && this.#spec.http2 === true)
      server.on('sessionError', () => this.#around.turnedAway(this.#id, 'handshake', ''))
    return server
  }

  #serverFor(limits: object, serve: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const { tls, http2, quietMs } = this.#spec
    if (tls === undefined) return createPlainServer(limits, serve)
    const secure = { ...limits, ...contextOf(tls), handshakeTimeout: handshakeMs }
    if (http2 !== true) return createTlsServer({ ...secure, ALPNProtocols: ['http/1.1'] }, serve)
    const server = createSecureServer({
      ...secure,
      // HTTP/1.1 is served there too, to whoever does not ask for 2.
      allowHTTP1: true,
      settings: { maxConcurrentStreams: mostStreams, maxHeaderListSize: largestHead },
      maxSessionMemory: sessionMegabytes,
    })
    server.setTimeout(quietMs)
    server.on('request', (request, response) => {
      // What both versions of HTTP have is all that is used here.
      serve(request as IncomingMessage & typeof request, response as ServerResponse & typeof response)
    })
    return server
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.socket.destroyed) return
    const peer = peerOf(request.socket)
    const { budget } = this.#around
    const held = budget.open(peer, () => {
      this.#turnAway('bytes', peer)
      response.destroy()
    })
    whenOver(request, response, () => held[Symbol.dispose]())
    response.on('error', () => response.destroy())
    const body = await this.#bodyOf(request, held)
    if (response.destroyed) return
    if (typeof body === 'object' && 'status' in body) {
      this.#turnAway(body.why, peer)
      this.#send(request, response, held, { ...plain(body.status, body.text), headers: lastWords })
      return
    }
    const { authorization } = request.headers
    const call: FrontCall = {
      method: request.method ?? '',
      url: request.url ?? '/',
      contentType: request.headers['content-type'],
      ...(this.#spec.isGuarded === true && authorization !== undefined ? { authorization } : {}),
      body,
    }
    this.#ask(call, peer, request, response, held)
  }

  #ask(call: FrontCall, peer: string, request: IncomingMessage, response: ServerResponse, held: Held): void {
    const { turns, clock } = this.#around
    const [path = ''] = call.url.split('?', 1)
    const probe = this.#spec.probes !== undefined && Object.hasOwn(this.#spec.probes, path) ? this.#spec.probes[path] : undefined
    let isAnswered = false
    let cancel = (): void => undefined
    const asking: Asking = {
      answer: reply => {
        if (isAnswered) return
        isAnswered = true
        cancel()
        this.#send(request, response, held, reply)
      },
    }
    if (probe !== undefined) cancel = clock.schedule(probeMs, () => asking.answer(this.#answerForMain(probe, call.url)))
    // Who shows something else is somebody else: nobody is told what another may know.
    const shared = `${peer} ${call.method} ${call.url}\n${call.authorization ?? ''}`
    const key = call.body.length === 0 && /^(GET|HEAD)$/.test(call.method) ? shared : undefined
    const joined = key === undefined ? undefined : this.#joined.get(key)
    if (joined !== undefined) {
      joined.add(asking)
      whenOver(request, response, () => cancel())
      return
    }
    const askers = new Set([asking])
    if (key !== undefined) this.#joined.set(key, askers)
    const leave = () => {
      if (key !== undefined && this.#joined.get(key) === askers) this.#joined.delete(key)
    }
    const answerAll = (reply: FrontReply) => {
      leave()
      turns.drop(waiting)
      for (const one of askers) one.answer(reply)
    }
    let giveUp = (): void => undefined
    const waiting: Waiting = {
      peer,
      isUrgent: probe !== undefined,
      send: () => {
        // Who asks from now on is told what is true after that.
        leave()
        giveUp = this.#around.ask(this.#id, call, reply => {
          if (probe !== undefined && !call.url.includes('?')) this.#lastAnswers.set(path, { reply, atMs: clock.elapsed() })
          answerAll(reply)
        })
      },
      giveWay: () => {
        this.#turnAway('busy', peer)
        giveUp()
        answerAll(tooBusy)
      },
    }
    whenOver(request, response, () => {
      cancel()
      askers.delete(asking)
      if (askers.size > 0) return
      leave()
      giveUp()
      turns.drop(waiting)
    })
    if (turns.push(waiting)) return
    this.#turnAway('busy', peer)
    answerAll(probe === undefined ? tooBusy : this.#answerForMain(probe, call.url))
  }

  /** A probe's answer where the main loop gave none in time. */
  #answerForMain(probe: 'live' | 'ready', url: string): FrontReply {
    const { clock, stillMs } = this.#around
    const still = stillMs()
    if (still > longestTurnMs) return plain(500, `[-]event-loop failed: no turn for ${Math.round(still / 1_000)} s`)
    const [path = ''] = url.split('?', 1)
    const last = this.#lastAnswers.get(path)
    if (last !== undefined && clock.elapsed() - last.atMs <= probeAnswerMs) return last.reply
    // It turns, and that is what is asked here; whether all is ready nobody but it knows.
    return probe === 'live' ? plain(200, 'ok') : plain(503, 'the main loop is busy')
  }

  #send(request: IncomingMessage, response: ServerResponse, held: Held, reply: FrontReply): void {
    if (response.destroyed || response.headersSent) return
    const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : asBuffer(reply.body)
    if (body.length > uncountedBytes && !held.take(body.length)) {
      this.#turnAway('bytes', peerOf(request.socket))
      this.#send(request, response, held, tooBusy)
      return
    }
    const isLast = this.#isClosing && request.httpVersionMajor < 2 ? { connection: 'close' } : {}
    response.writeHead(reply.status, {
      ...reply.headers,
      'content-length': String(body.length),
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache, private',
      ...isLast,
    })
    const cancel = this.#around.clock.schedule(sendingMs, () => {
      this.#turnAway('slow', peerOf(request.socket))
      response.destroy()
    })
    whenOver(request, response, cancel)
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  #turnAway(why: TurnedAway, peer: string): void {
    this.#around.turnedAway(this.#id, why, peer)
  }

  /** The body as far as it is wanted, or why it is refused. @throws when the connection broke */
  #bodyOf(request: IncomingMessage, held: Held): Promise<Uint8Array | Refusal> {
    const { body: limits } = this.#spec
    if (limits === undefined) {
      discard(request)
      return Promise.resolve(nothing)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | Refusal>()
    const declared = Number(request.headers['content-length'] ?? 0)
    if (declared > limits.mostBytes) return Promise.resolve(tooLarge(limits.mostBytes))
    const shape = new JsonShape(limits.json)
    const growing = new GrowingBody(held, declared)
    const cancel = this.#around.clock.schedule(bodyMs, () =>
      finish({ status: 408, text: 'the body did not come in time', why: 'slow' }),
    )
    const onData = (chunk: Buffer) => {
      if (growing.length + chunk.length > limits.mostBytes) finish(tooLarge(limits.mostBytes))
      else if (!growing.add(chunk)) finish({ status: 429, text: 'too many bytes of bodies are under way', why: 'bytes' })
      else {
        const text = shape.next(chunk)
        if (text !== undefined) finish({ status: 400, text, why: 'body' })
      }
    }
    const finish = (outcome: Uint8Array | Refusal) => {
      cancel()
      request.off('data', onData)
      // What still comes is dropped until the connection is closed.
      request.resume()
      resolve(outcome)
    }
    request.on('data', onData)
    request.once('end', () => finish(growing.whole()))
    request.once('close', () => {
      cancel()
      reject(new Error('the connection broke'))
    })
    return promise
  }
}

interface Refusal {
  readonly status: number
  readonly text: string
  readonly why: TurnedAway
}

/** No turn of the main loop for so long is an end of it. */
const longestTurnMs = 10_000

const nothing = new Uint8Array()
const text = { 'content-type': 'text/plain; charset=utf-8' } as const
const lastWords = { ...text, connection: 'close' } as const
const plain = (status: number, line: string): FrontReply => ({ status, headers: text, body: `${line}\n` })
/** An API server takes it as no answer: its failure policy decides. */
const tooBusy: FrontReply = { status: 503, headers: { ...text, 'retry-after': '1' }, body: 'too much is asked at once\n' }
const tooLarge = (most: number): Refusal => ({ status: 413, text: `body over ${most} bytes`, why: 'body' })

function contextOf({ certificate, key, minVersion = 'TLSv1.2', ciphers, clientAuthority }: FrontTls) {
  return {
    cert: certificate,
    key,
    minVersion,
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority, requestCert: true, rejectUnauthorized: true }),
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function discard(request: IncomingMessage): void {
  let length = 0
  request.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > unreadBytes) request.destroy()
  })
}

/** A body in one piece of memory: in pieces as they come, one of a byte each would cost a hundred. */
class GrowingBody {
  readonly #held: Held
  readonly #declared: number
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(held: Held, declared: number) {
    this.#held = held
    this.#declared = declared
  }

  get length(): number {
    return this.#length
  }

  /** False: there is no room for it. */
  add(chunk: Buffer): boolean {
    const needed = this.#length + chunk.length
    if (needed > this.#bytes.length) {
      // Never more than what came asks for: a length is said for nothing.
      const size = Math.max(
        needed,
        Math.min(this.#declared || Number.POSITIVE_INFINITY, Math.max(firstBytes, this.#bytes.length * 2)),
      )
      if (!this.#held.take(size - this.#bytes.length)) return false
      const larger = Buffer.allocUnsafeSlow(size)
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    chunk.copy(this.#bytes, this.#length)
    this.#length = needed
    return true
  }

  whole(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

const firstBytes = 16_384
