// To targets that speak HTTP/2 without TLS, as gRPC does: one connection an endpoint, many requests.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { Cancel, Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { objectOf } from './caller.ts'
import { type Abort, codeOf, type Forwarding, isLate, type Outcome, plainAnswering, unreached } from './forward.ts'
import { passedAnswer } from './request-head.ts'

const mostSessions = 2_000
/** Bytes of one answer that are taken before the client takes them, and of one connection. */
const streamWindow = 1024 * 1024
const sessionWindow = 16 * 1024 * 1024

/** An idle connection ends after so long. */
const idleMs = 60_000

export class Http2Forwarder implements Disposable {
  readonly #clock: Clock
  /** Read for each connection: settings may change. */
  readonly #options: { readonly connectMs: number }
  readonly #sessions = new Map<string, ClientHttp2Session>()

  constructor(options: { readonly clock: Clock; readonly connectMs: number }) {
    this.#clock = options.clock
    this.#options = options
  }

  /** @returns what ends it; `done` is called once */
  forward(forwarding: Forwarding, done: (outcome: Outcome) => void): Abort {
    const { caller, endpoint, headers, target, responseHeaderMs, moved } = forwarding
    const { body } = forwarding
    const { head } = caller
    const answering = forwarding.answers ?? plainAnswering(caller, forwarding.extraHeaders)
    let state: 'open' | 'aborted' | 'over' = 'open'
    let hasHead = false
    let isBodyTaken = false
    let trailers: readonly string[] = []
    const cancels: Cancel[] = []
    const end = (outcome: Outcome) => {
      if (state === 'over') return
      state = 'over'
      for (const cancel of cancels) cancel()
      done(outcome)
    }
    const fields = objectOf(headers.slice(2))
    if (head.takesTrailers) fields['te'] = 'trailers'
    if (head.contentLength !== undefined) fields['content-length'] = String(head.contentLength)
    let stream: ClientHttp2Stream
    let isFresh = false
    try {
      const session = this.#session(endpoint.authority)
      isFresh = session.connecting
      stream = session.request(
        { ':method': head.method, ':path': target, ':scheme': 'http', ':authority': head.authority, ...fields },
        { endStream: body === undefined, waitForTrailers: body !== undefined },
      )
    } catch (error) {
      queueMicrotask(() => end({ kind: 'unreached', why: messageOf(error), isStale: true }))
      return () => undefined
    }
    caller.sendContinue()
    if (body !== undefined) {
      body.on('data', (chunk: Uint8Array) => {
        isBodyTaken = true
        moved()
        if (stream.write(chunk)) return
        body.pause()
        stream.once('drain', () => body.resume())
      })
      body.on('end', () => stream.end())
      body.on('error', error => stream.destroy(error))
      stream.on('wantTrailers', () => stream.sendTrailers(objectOf(caller.requestTrailers())))
    }
    if (responseHeaderMs > 0) {
      const error = Object.assign(new Error(`no answer within ${responseHeaderMs} ms`), { code: 'ETIMEDOUT' })
      const awaitHead = () => {
        if (!hasHead && state === 'open')
          cancels.push(this.#clock.schedule(responseHeaderMs, () => void (hasHead || stream.destroy(error))))
      }
      if (body === undefined) awaitHead()
      else stream.on('finish', awaitHead)
    }
    stream.on('headers', (info, _flags, raw: string[] | undefined) => {
      const status = Number(info[':status'] ?? 0)
      if (status > 100) caller.information(status, passedAnswer(fieldsOf(raw ?? [])))
    })
    stream.on('response', (answer, _flags, raw: string[] | undefined) => {
      hasHead = true
      moved()
      answering.head(Number(answer[':status'] ?? 502), '', passedAnswer(fieldsOf(raw ?? [])))
    })
    stream.on('trailers', (_fields, _flags, raw: string[] | undefined) => {
      trailers = fieldsOf(raw ?? [])
    })
    stream.on('data', (chunk: Buffer) => {
      moved()
      if (answering.write(chunk) || caller.isClosed) return
      stream.pause()
      caller.onDrain(() => stream.resume())
    })
    stream.on('end', () => {
      // A stream that is reset ends as well.
      if (!hasHead || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR) return
      answering.end(trailers)
      end({ kind: 'answered' })
    })
    stream.on('error', error => {
      const why = messageOf(error)
      if (state === 'aborted') end({ kind: 'left' })
      else if (hasHead) {
        if (state === 'open') answering.broken(why)
        end({ kind: 'broken', why })
      } else if (isRefused(stream)) end({ kind: 'unreached', why, isStale: false })
      // It never left: its connection was not made.
      else if (codeOf(error) === 'ERR_HTTP2_STREAM_CANCEL') end({ kind: 'unreached', why, isStale: false })
      else
        end((isBodyTaken ? undefined : unreached(error, { caller, isFresh })) ?? { kind: 'failed', why, isLate: isLate(error) })
    })
    stream.on('close', () => {
      const code = stream.rstCode
      if (state === 'aborted') end({ kind: 'left' })
      else if (state === 'open' && !hasHead && isRefused(stream))
        end({ kind: 'unreached', why: 'the target refused the stream', isStale: false })
      else if (state === 'open' && hasHead) {
        answering.broken(`the target ended the stream with code ${code}`)
        end({ kind: 'broken', why: `code ${code}` })
      } else if (state === 'open') end({ kind: 'failed', why: `the target ended the stream with code ${code}`, isLate: false })
    })
    return () => {
      if (state !== 'open') return
      state = 'aborted'
      stream.close(constants.NGHTTP2_CANCEL)
      end({ kind: 'left' })
    }
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session.destroy()
    this.#sessions.clear()
  }

  #session(authority: string): ClientHttp2Session {
    const known = this.#sessions.get(authority)
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const session = connect(`http://${authority}`, { settings: { enablePush: false, initialWindowSize: streamWindow } })
    this.#sessions.set(authority, session)
    const forget = () => {
      if (this.#sessions.get(authority) === session) this.#sessions.delete(authority)
    }
    const { connectMs } = this.#options
    const late = this.#clock.schedule(connectMs, () => {
      if (!session.connecting) return
      session.destroy(Object.assign(new Error(`no connection within ${connectMs} ms`), { code: 'ERR_CONNECT_TIMEOUT' }))
    })
    session.on('connect', () => {
      late()
      session.setLocalWindowSize(sessionWindow)
    })
    // Requests under way are told by themselves.
    session.on('error', forget)
    session.on('goaway', forget)
    session.on('close', () => {
      late()
      forget()
    })
    session.setTimeout(idleMs, () => session.close())
    if (this.#sessions.size > mostSessions) {
      const [oldest] = this.#sessions
      oldest?.[1].close()
      if (oldest !== undefined) this.#sessions.delete(oldest[0])
    }
    return session
  }
}

/** The target says that it did nothing with it. */
function isRefused(stream: ClientHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM
}

/** Without what begins with a colon. */
function fieldsOf(raw: readonly string[]): string[] {
  const fields: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    if (!name.startsWith(':')) fields.push(name, raw[at + 1] ?? '')
  }
  return fields
}
