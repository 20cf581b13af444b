// Real connections to an API server: HTTP/1.1 over undici, one set of pools per state of the certificates. HTTP/2 is off: one
// stalled stream would stall every other.

import { createGunzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { type Clock, systemClock } from '../clock.ts'
import type { ClusterConfig } from '../credentials/cluster-config.ts'
import { Credentials, type TlsMaterial } from '../credentials/credentials.ts'
import { type Log, messageOf, silentLog } from '../log.ts'
import type { Random } from '../random.ts'
import { ConnectionError, RequestTimeoutError } from './connection-error.ts'
import { openDispatcher } from './dispatcher.ts'
import { proxyFor } from './proxy.ts'
import { type SecretAnswer, SecretPool } from './secret-exchange.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from './transport.ts'

interface HttpTransportOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  /** For exec plugins and proxies. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Whether an exec plugin may ask a person. */
  readonly isTerminal?: boolean
}

const connectMs = 10_000
const headersMs = 30_000
const listIdleMs = 60_000
const keepAliveMs = 90_000
const probeMs = 30_000
const answerLimitBytes = 64 * 1024 * 1024
/** Over which time running watches move to new certificates. */
const moveMs = 10_000

/** A transport to the cluster of `config`. Requests, leases and watches have sockets of their own. */
export function openHttpTransport(config: ClusterConfig, options: HttpTransportOptions): Transport {
  return new HttpTransport(config, options)
}

interface Exchange {
  readonly signal: AbortSignal
  /** Big answers that are read while they come; not from this machine, where packing costs more than it saves. */
  readonly takesGzip: boolean
}

class HttpTransport implements Transport {
  readonly #config: ClusterConfig
  readonly #options: Required<HttpTransportOptions>
  readonly #credentials: Credentials
  #pools: Pools | undefined

  constructor(config: ClusterConfig, options: HttpTransportOptions) {
    this.#config = config
    this.#options = { log: silentLog, environment: {}, isTerminal: false, ...options }
    this.#credentials = new Credentials(config, this.#options)
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    using deadline = new Deadline(request)
    // What a server does is nothing a virtual clock can see.
    using _ = this.#options.clock.hold()
    try {
      const answer = await this.#send(request, { signal: deadline.signal, takesGzip: false })
      const pieces: Uint8Array[] = []
      let bytes = 0
      for await (const piece of answer.body) {
        const chunk: Uint8Array = piece
        pieces.push(chunk)
        bytes += chunk.length
        if (bytes > answerLimitBytes)
          throw new ConnectionError(`${request.verb} ${request.path}: the answer is larger than ${answerLimitBytes} bytes`)
      }
      return { status: answer.statusCode, headers: singleHeaders(answer.headers), body: Buffer.concat(pieces) }
    } catch (error) {
      throw this.#explain(error, request, deadline)
    }
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    const deadline = new Deadline(request)
    using _ = this.#options.clock.hold()
    try {
      if (request.isSecret === true && (await this.#currentPools()).secrets !== undefined) {
        const { status, headers, chunks } = await this.#secretAnswer(request, deadline.signal)
        deadline.met()
        return { status, headers, chunks: this.#secretChunks(chunks, request, deadline) }
      }
      const takesGzip = request.priority !== 'watch' && !this.#config.disableCompression && !isLoopback(this.#config.server)
      const answer = await this.#send(request, { signal: deadline.signal, takesGzip })
      deadline.met()
      return {
        status: answer.statusCode,
        headers: singleHeaders(answer.headers),
        chunks: this.#chunks(answer, request, deadline),
      }
    } catch (error) {
      deadline[Symbol.dispose]()
      throw this.#explain(error, request, deadline)
    }
  }

  async close(): Promise<void> {
    await this.#pools?.destroy()
    this.#pools = undefined
  }

  async *#chunks(answer: Dispatcher.ResponseData, request: TransportRequest, deadline: Deadline): AsyncGenerator<Uint8Array> {
    const { body } = answer
    const isZipped = answer.headers['content-encoding'] === 'gzip'
    const source: AsyncIterable<Uint8Array> = isZipped ? unzipped(body) : body
    try {
      for await (const chunk of source) yield chunk
    } catch (error) {
      throw this.#explain(error, request, deadline)
    } finally {
      body.on('error', () => undefined)
      body.destroy()
      deadline[Symbol.dispose]()
    }
  }

  /** As `#send`, for answers that may hold secrets. */
  async #secretAnswer(request: TransportRequest, signal: AbortSignal): Promise<SecretAnswer> {
    const startedMs = this.#options.clock.elapsed()
    const send = async () => {
      const { secrets } = await this.#currentPools()
      if (secrets === undefined) throw new Error('a proxy stands between')
      return secrets.send(request, await this.#credentials.headers(), signal)
    }
    const answer = await send()
    if (answer.status !== 401 || !this.#credentials.invalidate(startedMs)) return answer
    for await (const chunk of answer.chunks) chunk.fill(0)
    return send()
  }

  async *#secretChunks(
    chunks: AsyncIterable<Uint8Array>,
    request: TransportRequest,
    deadline: Deadline,
  ): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks
    } catch (error) {
      throw this.#explain(error, request, deadline)
    } finally {
      deadline[Symbol.dispose]()
    }
  }

  /** One exchange; after a 401 with a credential that can be renewed, a second. */
  async #send(request: TransportRequest, how: Exchange): Promise<Dispatcher.ResponseData> {
    const startedMs = this.#options.clock.elapsed()
    const answer = await this.#exchange(request, how)
    if (answer.statusCode !== 401 || !this.#credentials.invalidate(startedMs)) return answer
    await answer.body.dump()
    return this.#exchange(request, how)
  }

  async #exchange(request: TransportRequest, { signal, takesGzip }: Exchange): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted()
    const pools = await this.#currentPools()
    const isWatch = request.priority === 'watch'
    const query = new URLSearchParams(request.query).toString()
    const pool = isWatch ? pools.watches : request.priority === 'lease' ? pools.lease : pools.requests
    const { guard } = request
    return (guard === undefined ? pool : pool.compose(guardedBy(guard))).request({
      origin: new URL(this.#config.server).origin,
      path: `${new URL(this.#config.server).pathname.replace(/\/$/, '')}${request.path}${query === '' ? '' : `?${query}`}`,
      method: request.verb,
      headers: {
        ...request.headers,
        ...(takesGzip ? { 'accept-encoding': 'gzip' } : {}),
        ...(await this.#credentials.headers()),
      },
      body: request.body ?? null,
      headersTimeout: headersMs,
      bodyTimeout: isWatch ? 0 : listIdleMs,
      // A watch has a socket of its own, which a balancer may send elsewhere the next time.
      reset: isWatch,
      signal,
    })
  }

  async #currentPools(): Promise<Pools> {
    const material = await this.#credentials.tls()
    if (this.#pools?.material === material) return this.#pools
    const old = this.#pools
    this.#pools = new Pools(this.#config, material, this.#options.environment)
    if (old !== undefined) {
      this.#options.log.info({ server: this.#config.server }, 'certificates changed, connections are made anew')
      systemClock.schedule(moveMs * this.#options.random(), () => {
        old.destroy().catch(error => this.#options.log.debug({ why: messageOf(error) }, 'old connections'))
      })
    }
    return this.#pools
  }

  #explain(error: unknown, request: TransportRequest, deadline: Deadline): unknown {
    if (request.signal.aborted) return request.signal.reason
    const what = `${request.verb} ${this.#config.server}${request.path}`
    if (deadline.signal.aborted) return new RequestTimeoutError(`${what}: no answer within ${request.timeoutMs} ms`)
    if (!(error instanceof Error) || error instanceof ConnectionError) return error
    const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
    const isOfTheWire =
      (code !== '' && code !== 'UND_ERR_INVALID_ARG') || error instanceof AggregateError || error.name === 'HTTPParserError'
    // What a credential could not do is said as it is.
    if (!isOfTheWire) return error
    if (/CERT|TLS|SSL|ISSUER|SIGNATURE/.test(code)) this.#credentials.doubtTls()
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
      return new RequestTimeoutError(`${what}: ${error.message}`, { cause: error })
    const [first] = error instanceof AggregateError ? error.errors : [error]
    return new ConnectionError(`${what}: ${messageOf(first)}`, { code, cause: undefined })
  }
}

/** Ends an exchange at its time, by the host's clock: what answers is a real server. */
class Deadline implements Disposable {
  readonly #limit = new AbortController()
  readonly #cancel: () => void
  readonly signal: AbortSignal

  constructor(request: TransportRequest) {
    const { timeoutMs } = request
    this.#cancel = timeoutMs === undefined ? () => undefined : systemClock.schedule(timeoutMs, () => this.#limit.abort())
    this.signal = AbortSignal.any([request.signal, this.#limit.signal])
  }

  /** The headers are in: what follows may take its time. */
  met(): void {
    this.#cancel()
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }
}

class Pools {
  readonly material: TlsMaterial
  readonly requests: Dispatcher
  readonly lease: Dispatcher
  readonly watches: Dispatcher
  /** Absent behind a proxy, where answers with secrets go the way of all others. */
  readonly secrets: SecretPool | undefined

  constructor(config: ClusterConfig, material: TlsMaterial, environment: HttpTransportOptions['environment'] = {}) {
    this.material = material
    const proxy = proxyFor({ server: config.server, proxyUrl: config.proxyUrl, environment })
    const open = (connections: number | null) => dispatcher(config, material, { proxy, connections })
    this.requests = open(8)
    this.lease = open(1)
    this.watches = open(null)
    const { server, tls } = config
    const { isInsecure, serverName } = tls
    this.secrets =
      proxy === undefined ? new SecretPool({ server, material, isInsecure, serverName, idleMs: listIdleMs }) : undefined
  }

  async destroy(): Promise<void> {
    this.secrets?.destroy()
    await Promise.all([this.requests.destroy(), this.lease.destroy(), this.watches.destroy()])
  }
}

function dispatcher(
  config: ClusterConfig,
  material: TlsMaterial,
  { proxy, connections }: { readonly proxy: string | undefined; readonly connections: number | null },
): Dispatcher {
  return openDispatcher({
    connectMs,
    proxy,
    tls: { ...material, isInsecure: config.tls.isInsecure, serverName: config.tls.serverName },
    pool: { connections, pipelining: 1, allowH2: false, keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs },
    socket: { keepAlive: true, keepAliveInitialDelay: probeMs },
  })
}

/** Asks `guard` when a connection is about to write the request: HTTP/1.1 then hands head and body to its socket in the same turn. */
function guardedBy(guard: () => void): Dispatcher.DispatcherComposeInterceptor {
  return dispatch => (options, handler) => dispatch(options, new GuardedHandler(handler, guard))
}

class GuardedHandler implements Dispatcher.DispatchHandler {
  readonly #inner: Dispatcher.DispatchHandler
  readonly #guard: () => void

  constructor(inner: Dispatcher.DispatchHandler, guard: () => void) {
    this.#inner = inner
    this.#guard = guard
  }

  onRequestStart(...start: Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestStart']>>): void {
    this.#guard()
    this.#inner.onRequestStart?.(...start)
  }

  onRequestUpgrade(...upgrade: Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>): void {
    this.#inner.onRequestUpgrade?.(...upgrade)
  }

  onResponseStart(...start: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#inner.onResponseStart?.(...start)
  }

  onResponseData(...data: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseData']>>): void {
    this.#inner.onResponseData?.(...data)
  }

  onResponseEnd(...end: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#inner.onResponseEnd?.(...end)
  }

  onResponseError(...error: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseError']>>): void {
    this.#inner.onResponseError?.(...error)
  }
}

function isLoopback(server: string): boolean {
  const { hostname } = new URL(server)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

function unzipped(body: Dispatcher.ResponseData['body']): AsyncIterable<Uint8Array> {
  const unzip = createGunzip()
  body.on('error', error => unzip.destroy(error))
  return body.pipe(unzip)
}

function singleHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const single: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) single[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return single
}
