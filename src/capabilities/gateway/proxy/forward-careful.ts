// Requests that undici does not carry, by Node's own client: those that wait for leave to send, that send fields after their body, and those that
// ask for another protocol.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Dial } from '#kube/client/outgoing-http.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { type Abort, type Forwarding, isLate, type Outcome, plainAnswering, unreached } from './forward.ts'
import { passedAnswer } from './request-head.ts'

/** A server that says nothing to `Expect` gets the body after so long, as upstream does it. */
const continueMs = 1_000
const mostSockets = 10_000

interface CarefulOptions {
  readonly clock: Clock
  readonly connectMs: number
  readonly tls?: Readonly<Record<string, unknown>> | undefined
  /** Where endpoints are in truth. */
  readonly dial?: Dial | undefined
}

/** Both ends of a connection that speaks another protocol from now on. */
export interface Upgraded {
  readonly status: number
  readonly reason: string
  readonly headers: readonly string[]
  /** What both agreed to: `websocket`. */
  readonly protocol: string
  readonly socket: Duplex
  /** What came behind the answer's head. */
  readonly first: Buffer
}

export class CarefulForwarder implements Disposable {
  readonly #options: CarefulOptions
  readonly #plain: Agent
  readonly #tls: HttpsAgent

  constructor(options: CarefulOptions) {
    this.#options = options
    const agent = { keepAlive: true, maxSockets: mostSockets, timeout: 0 }
    this.#plain = options.dial === undefined ? new Agent(agent) : new DialledAgent(agent, options.dial)
    this.#tls = new HttpsAgent({ ...options.tls, keepAlive: true, maxSockets: mostSockets, timeout: 0 })
  }

  /** @returns what ends it; `done` is called once. `onUpgrade`: the target agrees to another protocol. */
  forward(forwarding: Forwarding, done: (outcome: Outcome) => void, onUpgrade?: (upgraded: Upgraded) => void): Abort {
    const { caller, endpoint, headers, target, wire, responseHeaderMs, moved } = forwarding
    const { clock, connectMs } = this.#options
    const { body, expectsContinue } = forwarding
    const { head } = caller
    const answering = forwarding.answers ?? plainAnswering(caller, forwarding.extraHeaders)
    let state: 'open' | 'aborted' | 'over' = 'open'
    let hasHead = false
    const cancels: Cancel[] = []
    const end = (outcome: Outcome) => {
      if (state === 'over') return
      state = 'over'
      for (const cancel of cancels) cancel()
      done(outcome)
    }
    const hop = [
      ...(head.upgrade === undefined ? [] : ['Connection', 'Upgrade', 'Upgrade', head.upgrade]),
      ...(expectsContinue ? ['Expect', '100-continue'] : []),
      ...(head.isChunked ? ['Transfer-Encoding', 'chunked'] : []),
      ...(head.contentLength === undefined ? [] : ['Content-Length', String(head.contentLength)]),
      ...(head.takesTrailers ? ['TE', 'trailers'] : []),
    ]
    const isHttps = wire === 'https'
    const asked = (isHttps ? httpsRequest : httpRequest)({
      host: endpoint.host,
      port: endpoint.port,
      path: target,
      method: head.method,
      headers: [...headers, ...hop],
      setDefaultHeaders: false,
      agent: isHttps ? this.#tls : this.#plain,
      ...(isHttps ? { servername: forwarding.serverName } : {}),
    })
    const connecting = clock.schedule(connectMs, () => {
      const error = Object.assign(new Error(`no connection within ${connectMs} ms`), { code: 'UND_ERR_CONNECT_TIMEOUT' })
      if (asked.socket === null || asked.socket?.connecting === true) asked.destroy(error)
    })
    cancels.push(connecting)
    const awaitHead = () => {
      if (responseHeaderMs === 0 || hasHead) return
      const error = Object.assign(new Error(`no answer within ${responseHeaderMs} ms`), { code: 'UND_ERR_HEADERS_TIMEOUT' })
      cancels.push(clock.schedule(responseHeaderMs, () => void (hasHead || asked.destroy(error))))
    }
    let isBodySent = false
    const sendBody = () => {
      if (isBodySent || state !== 'open') return
      isBodySent = true
      if (body === undefined) {
        asked.end()
        return
      }
      body.on('data', (chunk: Uint8Array) => {
        moved()
        if (asked.write(chunk)) return
        body.pause()
        asked.once('drain', () => body.resume())
      })
      body.on('end', () => {
        const trailers = caller.requestTrailers()
        if (trailers.length > 0) asked.addTrailers(pairs(trailers))
        asked.end()
      })
      body.on('error', error => asked.destroy(error))
    }
    asked.on('finish', awaitHead)
    if (expectsContinue) {
      asked.flushHeaders()
      asked.on('continue', () => {
        caller.sendContinue()
        sendBody()
      })
      cancels.push(
        clock.schedule(continueMs, () => {
          if (hasHead || isBodySent) return
          caller.sendContinue()
          sendBody()
        }),
      )
    } else sendBody()
    asked.on('information', info => {
      if (info.statusCode !== 100) caller.information(info.statusCode, passedAnswer(info.rawHeaders))
    })
    asked.on('response', (response: IncomingMessage) => {
      hasHead = true
      moved()
      answering.head(response.statusCode ?? 502, response.statusMessage ?? '', passedAnswer(response.rawHeaders))
      response.on('data', (chunk: Buffer) => {
        moved()
        if (answering.write(chunk) || caller.isClosed) return
        response.pause()
        caller.onDrain(() => response.resume())
      })
      response.on('end', () => {
        answering.end(passedAnswer(response.rawTrailers))
        end({ kind: 'answered' })
        // A body that nobody wants any more.
        if (!asked.writableFinished) asked.destroy()
      })
      response.on('error', error => {
        if (state === 'aborted') end({ kind: 'left' })
        else if (state === 'open') {
          answering.broken(messageOf(error))
          end({ kind: 'broken', why: messageOf(error) })
        }
      })
    })
    asked.on('upgrade', (response: IncomingMessage, socket: Duplex, first: Buffer) => {
      if (onUpgrade === undefined || head.upgrade === undefined) {
        socket.destroy()
        end({ kind: 'failed', why: 'the target went to another protocol, for which nobody had asked', isLate: false })
        return
      }
      hasHead = true
      for (const cancel of cancels) cancel()
      onUpgrade({
        status: response.statusCode ?? 101,
        reason: response.statusMessage ?? '',
        headers: passedAnswer(response.rawHeaders),
        protocol: response.headers.upgrade ?? head.upgrade,
        socket,
        first,
      })
    })
    asked.on('error', error => {
      const why = messageOf(error)
      if (state === 'aborted') end({ kind: 'left' })
      else if (hasHead) {
        if (state === 'open') answering.broken(why)
        end({ kind: 'broken', why })
      } else {
        const again = isBodyTaken(body) ? undefined : unreached(error, caller)
        end(again ?? { kind: 'failed', why, isLate: isLate(error) })
      }
    })
    return () => {
      if (state !== 'open') return
      state = 'aborted'
      asked.destroy()
      end({ kind: 'left' })
    }
  }

  [Symbol.dispose](): void {
    this.#plain.destroy()
    this.#tls.destroy()
  }
}

/** Connects to where `dial` says. */
class DialledAgent extends Agent {
  readonly #dial: Dial

  constructor(options: ConstructorParameters<typeof Agent>[0], dial: Dial) {
    super(options)
    this.#dial = dial
  }

  override createConnection(
    { host, port }: { readonly host?: string | null; readonly port?: string | number | null },
    done: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.#dial(host ?? '', Number(port))
      .then(at => done(null, connect(at.port, at.host)))
      // Node takes no socket beside an error.
      .catch((error: unknown) => Reflect.apply(done, undefined, [error]))
    return undefined
  }
}

function isBodyTaken(body: { readonly readableDidRead?: boolean } | undefined): boolean {
  return body?.readableDidRead === true
}

function pairs(raw: readonly string[]): [string, string][] {
  const all: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) all.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return all
}
