// The way of most requests: HTTP/1.1 by undici, raw headers in and out, nothing between but back-pressure.
import { buildConnector, type Dispatcher, Pool } from 'undici'
import type { Dial } from '#kube/client/outgoing-http.ts'
import { messageOf } from '#kube/log.ts'
import { type Abort, type Forwarding, isLate, type Outcome, plainAnswering, unreached } from './forward.ts'
import { passedAnswer } from './request-head.ts'

/** Connections that are kept though nobody uses them end after so long: below what servers keep them. */
const keepAliveMs = 4_000
/** Endpoints whose connections are kept; the one that was used least recently goes first. */
const mostPools = 2_000

interface PlainOptions {
  /** Milliseconds to connect. */
  readonly connectMs: number
  /** For `https`: as `tls.connect` takes them. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined
  /** Where endpoints are in truth. */
  readonly dial?: Dial | undefined
}

export class PlainForwarder implements AsyncDisposable {
  readonly #options: PlainOptions
  readonly #pools = new Map<string, Pool>()

  constructor(options: PlainOptions) {
    this.#options = options
  }

  /** @returns what ends it; `done` is called once */
  forward(forwarding: Forwarding, done: (outcome: Outcome) => void): Abort {
    const handler = new PlainExchange(forwarding, done)
    const { caller, target, headers, responseHeaderMs, endpoint, wire } = forwarding
    try {
      this.#pool(`${wire === 'https' ? 'https' : 'http'}://${endpoint.authority}`).dispatch(
        {
          path: target,
          // The method is the client's own, whichever it is.
          method: caller.head.method as Dispatcher.HttpMethod,
          headers: caller.head.takesTrailers ? [...headers, 'TE', 'trailers'] : (headers as string[]),
          body: forwarding.body ?? null,
          headersTimeout: responseHeaderMs,
          bodyTimeout: 0,
          blocking: false,
          ...(wire === 'https' ? { servername: forwarding.serverName } : {}),
        },
        handler,
      )
    } catch (error) {
      handler.refused(error)
    }
    return () => handler.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.destroy()))
  }

  #pool(origin: string): Pool {
    const known = this.#pools.get(origin)
    if (known !== undefined) return known
    const { connectMs, tls, dial } = this.#options
    const pool = new Pool(origin, {
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: 60_000,
      connect: dial === undefined ? { timeout: connectMs, ...tls } : dialled(dial, connectMs),
    })
    this.#pools.set(origin, pool)
    if (this.#pools.size > mostPools) this.#closeOldest()
    return pool
  }

  #closeOldest(): void {
    for (const [origin, pool] of this.#pools) {
      this.#pools.delete(origin)
      // Those under way end as they would.
      void pool.close()
      return
    }
  }
}

/** Connects to where `dial` says. */
function dialled(dial: Dial, connectMs: number): buildConnector.connector {
  const plain = buildConnector({ timeout: connectMs })
  return (asked, done) => {
    dial(asked.hostname.replace(/^\[|\]$/g, ''), Number(asked.port) || 80)
      .then(({ host, port }) => plain({ protocol: 'http:', hostname: host, host, port: String(port) }, done))
      .catch((error: unknown) => done(unreachedError(error), null))
  }
}

/** Nobody was reached there. */
function unreachedError(error: unknown): Error {
  return Object.assign(new Error(messageOf(error)), { code: 'ECONNREFUSED' })
}

class PlainExchange implements Dispatcher.DispatchHandler {
  readonly #forwarding: Forwarding
  readonly #done: (outcome: Outcome) => void
  readonly #answering
  #controller: Dispatcher.DispatchController | undefined
  #isAborted = false
  #isOver = false
  #hasHead = false

  constructor(forwarding: Forwarding, done: (outcome: Outcome) => void) {
    this.#forwarding = forwarding
    this.#done = done
    this.#answering = forwarding.answers ?? plainAnswering(forwarding.caller, forwarding.extraHeaders)
  }

  abort(): void {
    if (this.#isOver || this.#isAborted) return
    this.#isAborted = true
    this.#controller?.abort(new DOMException('the client left', 'AbortError'))
  }

  /** undici takes no such request. */
  refused(error: unknown): void {
    this.#end({ kind: 'failed', why: messageOf(error), isLate: false })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isAborted) controller.abort(new DOMException('the client left', 'AbortError'))
  }

  onBodySent(): void {
    this.#forwarding.moved()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, reason?: string): void {
    const raw = (controller.rawHeaders ?? []) as readonly (string | Buffer)[]
    if (status < 200) {
      this.#forwarding.caller.information(status, passedAnswer(raw))
      return
    }
    this.#hasHead = true
    this.#forwarding.moved()
    this.#answering.head(status, reason ?? '', passedAnswer(raw))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { caller, moved } = this.#forwarding
    moved()
    if (this.#answering.write(chunk) || caller.isClosed) return
    controller.pause()
    caller.onDrain(() => controller.resume())
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const trailers = (controller.rawTrailers ?? []) as readonly (string | Buffer)[]
    this.#answering.end(trailers.length === 0 ? [] : passedAnswer(trailers))
    this.#end({ kind: 'answered' })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const why = messageOf(error)
    if (this.#isAborted) this.#end({ kind: 'left' })
    else if (this.#hasHead) {
      this.#answering.broken(why)
      this.#end({ kind: 'broken', why })
    } else this.#end(unreached(error, this.#forwarding.caller) ?? { kind: 'failed', why, isLate: isLate(error) })
  }

  #end(outcome: Outcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#done(outcome)
  }
}
