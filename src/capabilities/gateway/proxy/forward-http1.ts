// Requests that go on as HTTP/1.1, with and without TLS: connections that are kept, and what becomes of each request.
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { AnswerHead } from './answer-reader.ts'
import { type Abort, type Answering, type Forwarding, isLate, type Outcome, plainAnswering, unreached } from './forward.ts'
import { passedAnswer } from './request-head.ts'
import { type AnswerTaker, type Asked, connectionError, type Landing, TargetConnection } from './target-connection.ts'

/** Connections to one endpoint that are kept though nobody uses them, as upstream keeps them; more are closed. */
const mostIdle = 200
/** Bytes that are read of a target at once. */
const landingBytes = 64 * 1024

/** Both ends of a connection that speaks another protocol from now on. */
export interface Upgraded {
  readonly status: number
  readonly reason: string
  readonly headers: readonly string[]
  /** What both agreed to: `websocket`. */
  readonly protocol: string
  readonly socket: Socket
  /** What came behind the answer's head. */
  readonly first: Buffer
}

/** Read for each connection: settings may change. */
interface Http1Options {
  readonly clock: Clock
  /** Milliseconds to connect. */
  readonly connectMs: number
  /** For `https`: as `tls.connect` takes them. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined
  /** Where endpoints are in truth. */
  readonly dial?: Dial | undefined
}

interface Place {
  readonly host: string
  readonly port: number
  /** The name that a certificate is to bear; undefined: no TLS. */
  readonly serverName: string | undefined
  /** Who takes the socket over when both agree to another protocol. */
  readonly isUpgrade: boolean
}

interface Connected {
  readonly socket: Socket
  readonly landing: Landing | undefined
}

export class Http1Forwarder implements Disposable {
  readonly #options: Http1Options
  /** The newest is used first, so that those beyond need go. */
  readonly #idle = new Map<string, TargetConnection[]>()
  readonly #open = new Set<TargetConnection>()
  /** Every read has its bytes looked at before the next one: memory for each is what a request costs most after system calls. */
  readonly #landing = Buffer.allocUnsafeSlow(landingBytes)

  constructor(options: Http1Options) {
    this.#options = options
  }

  /** @returns what ends it; `done` is called once. `onUpgrade`: the target agrees to another protocol, and `done` is for whoever ends that. */
  forward(forwarding: Forwarding, done: (outcome: Outcome) => void, onUpgrade?: (upgraded: Upgraded) => void): Abort {
    const exchange = new Http1Exchange(forwarding, done, onUpgrade)
    const { endpoint, wire, serverName } = forwarding
    const isTls = wire === 'https'
    const key = isTls ? `${serverName} ${endpoint.authority}` : endpoint.authority
    const isUpgrade = forwarding.caller.head.upgrade !== undefined
    // A socket that is taken over is read as a stream.
    const kept = isUpgrade ? undefined : this.#kept(key)
    if (kept === undefined) {
      const place = { host: endpoint.host, port: endpoint.port, serverName: isTls ? serverName : undefined, isUpgrade }
      this.#connect(place, exchange, connected => exchange.begin(this.#connection(connected, key), { isFresh: true }))
    } else exchange.begin(kept, { isFresh: false })
    return () => exchange.abort()
  }

  [Symbol.dispose](): void {
    for (const connection of [...this.#open]) connection.destroy()
  }

  #kept(key: string): TargetConnection | undefined {
    const idle = this.#idle.get(key)
    for (let one = idle?.pop(); one !== undefined; one = idle?.pop()) if (!one.isClosed) return one
    return undefined
  }

  #connection({ socket, landing }: Connected, key: string): TargetConnection {
    const keeping = {
      clock: this.#options.clock,
      onIdle: (one: TargetConnection) => {
        const idle = this.#idle.get(key)
        if (idle === undefined) this.#idle.set(key, [one])
        else if (idle.length < mostIdle) idle.push(one)
        else one.destroy()
      },
      onClosed: (one: TargetConnection) => {
        this.#open.delete(one)
        const idle = this.#idle.get(key)
        const at = idle?.indexOf(one) ?? -1
        if (at !== -1) idle?.splice(at, 1)
        if (idle?.length === 0) this.#idle.delete(key)
      },
    }
    const connection = new TargetConnection(socket, keeping, landing)
    this.#open.add(connection)
    return connection
  }

  #connect(place: Place, exchange: Http1Exchange, use: (connected: Connected) => void): void {
    const { clock, connectMs, dial } = this.#options
    let socket: Socket | undefined
    let isOver = false
    const over = () => {
      isOver = true
      late()
    }
    const failed = (error: Error) => {
      if (isOver) return
      over()
      socket?.destroy()
      exchange.onError(error)
    }
    const late = clock.schedule(connectMs, () =>
      failed(connectionError(`no connection within ${connectMs} ms`, 'ERR_CONNECT_TIMEOUT')),
    )
    exchange.whileConnecting(() => {
      over()
      socket?.destroy()
    })
    const opened = (host: string, port: number) => {
      if (isOver) return
      const connected = this.#socket({ ...place, host, port })
      const { socket: made } = connected
      socket = made
      made.once('error', failed)
      made.once(place.serverName === undefined ? 'connect' : 'secureConnect', () => {
        if (isOver) return
        over()
        made.off('error', failed)
        use(connected)
      })
    }
    if (dial === undefined) opened(place.host, place.port)
    else
      dial(place.host, place.port)
        .then(at => opened(at.host, at.port))
        .catch((error: unknown) => failed(connectionError(messageOf(error), 'ECONNREFUSED')))
  }

  #socket({ host, port, serverName, isUpgrade }: Place): Connected {
    if (serverName === undefined) {
      if (isUpgrade) return { socket: connect({ host, port, noDelay: true }), landing: undefined }
      const landing: Landing = { take: () => undefined }
      const callback = (bytes: number, buffer: Uint8Array) => {
        landing.take((buffer as Buffer).subarray(0, bytes))
        return true
      }
      return { socket: connect({ host, port, noDelay: true, onread: { buffer: this.#landing, callback } }), landing }
    }
    const socket = connectTls({ ...this.#options.tls, host, port, servername: serverName, ALPNProtocols: ['http/1.1'] })
    socket.setNoDelay(true)
    return { socket, landing: undefined }
  }
}

class Http1Exchange implements AnswerTaker {
  readonly #forwarding: Forwarding
  readonly #done: (outcome: Outcome) => void
  readonly #onUpgrade: ((upgraded: Upgraded) => void) | undefined
  readonly #answering: Answering
  #connection: TargetConnection | undefined
  #stopConnecting: (() => void) | undefined
  #isOver = false
  #hasHead = false
  #isBodyTaken = false
  /** The request went to a connection that was made for it. */
  #isFresh = false

  constructor(forwarding: Forwarding, done: (outcome: Outcome) => void, onUpgrade: ((upgraded: Upgraded) => void) | undefined) {
    this.#forwarding = forwarding
    this.#done = done
    this.#onUpgrade = onUpgrade
    this.#answering = forwarding.answers ?? plainAnswering(forwarding.caller, forwarding.extraHeaders)
  }

  whileConnecting(stop: () => void): void {
    this.#stopConnecting = stop
  }

  begin(connection: TargetConnection, { isFresh }: { readonly isFresh: boolean }): void {
    this.#isFresh = isFresh
    this.#stopConnecting = undefined
    this.#connection = connection
    try {
      connection.ask(askedOf(this.#forwarding), this)
    } catch (error) {
      connection.destroy()
      this.onError(error as Error)
    }
  }

  abort(): void {
    if (this.#isOver) return
    this.#stopConnecting?.()
    this.#connection?.destroy()
    this.#end({ kind: 'left' })
  }

  onHead(head: AnswerHead): void {
    const { caller, moved } = this.#forwarding
    const headers = passedAnswer(head.headers)
    if (head.status < 200) {
      caller.information(head.status, headers)
      return
    }
    this.#hasHead = true
    moved()
    this.#answering.head(head.status, head.reason, headers)
  }

  onData(bytes: Buffer): boolean {
    const { caller, moved } = this.#forwarding
    moved()
    if (this.#answering.write(bytes) || caller.isClosed) return true
    const connection = this.#connection
    caller.onDrain(() => connection?.resume())
    return false
  }

  onWhole(trailers: readonly string[]): void {
    this.#answering.end(trailers.length === 0 ? trailers : passedAnswer(trailers))
    this.#end({ kind: 'answered' })
  }

  onUpgraded({ status, reason, headers, upgrade }: AnswerHead, socket: Socket, first: Buffer): void {
    this.#isOver = true
    const protocol = upgrade ?? this.#forwarding.caller.head.upgrade ?? ''
    this.#onUpgrade?.({ status, reason, headers: passedAnswer(headers), protocol, socket, first })
  }

  onError(error: Error): void {
    if (this.#isOver) return
    const { caller } = this.#forwarding
    const why = messageOf(error)
    if (this.#hasHead) {
      this.#answering.broken(why)
      this.#end({ kind: 'broken', why })
      return
    }
    // What was taken of a body cannot be sent again.
    const again = this.#isBodyTaken ? undefined : unreached(error, { caller, isFresh: this.#isFresh })
    this.#end(again ?? { kind: 'failed', why, isLate: isLate(error) })
  }

  onSent(): void {
    this.#isBodyTaken = true
    this.#forwarding.moved()
  }

  onContinue(): void {
    this.#forwarding.caller.sendContinue()
  }

  trailers(): readonly string[] {
    return this.#forwarding.caller.requestTrailers()
  }

  #end(outcome: Outcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#done(outcome)
  }
}

/** Methods whose requests say that they have no body. */
const bodied: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

function askedOf({ caller, target, headers, body, expectsContinue, responseHeaderMs }: Forwarding): Asked {
  const { head } = caller
  const { method } = head
  const contentLength = body === undefined ? (head.contentLength ?? (bodied.has(method) ? 0 : undefined)) : head.contentLength
  const all = [...headers]
  if (head.upgrade !== undefined) all.push('Connection', 'Upgrade', 'Upgrade', head.upgrade)
  if (expectsContinue) all.push('Expect', '100-continue')
  if (contentLength !== undefined) all.push('Content-Length', String(contentLength))
  else if (body !== undefined) all.push('Transfer-Encoding', 'chunked')
  if (head.takesTrailers) all.push('TE', 'trailers')
  const isUpgrade = head.upgrade !== undefined
  return { method, target, headers: all, body, contentLength, expectsContinue, isUpgrade, headMs: responseHeaderMs }
}
