// The HTTPS port of the descheduler: /metrics and /healthz, as upstream serves them.
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Registry } from 'prom-client'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'
import { answerInstruments, type InstrumentAnswer } from './instrument-answers.ts'
import { servingPair } from './serving-pair.ts'
import { tlsSettings } from './tls-settings.ts'

/** `--secure-port` and what belongs to it. */
export interface ServingSettings {
  readonly address: string
  /** 0 takes a free one: only tests have it. `--secure-port=0` is no server at all. */
  readonly port: number
  /** A pair `apiserver.crt` and `apiserver.key` in it is served; nothing is written there. */
  readonly certificateDirectory: string
  readonly certificateFile: string
  readonly keyFile: string
  /** `VersionTLS12`; empty: that. */
  readonly minVersion: string
  /** Go's names; empty: the defaults. */
  readonly cipherSuites: readonly string[]
  readonly http2: boolean
  /** Whether /metrics is served. */
  readonly metrics: boolean
}

interface SecureServerOptions {
  readonly serving: ServingSettings
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  readonly clock: Clock
  readonly log: Log
}

/** A server that listens until disposed of. */
interface SecureServer extends AsyncDisposable {
  readonly port: number
}

const mostConnections = 200
const headersMs = 10_000
const idleMs = 90_000
const largestHead = 16_384
const mostStreams = 100

/**
 * Listens. Bodies of requests are not read; who asks is not asked who he is, as with upstream.
 * @throws InputError for a certificate, version or cipher that cannot be served; Error where the address is taken
 */
export async function startSecureServer({ serving, metrics, clock, log }: SecureServerOptions): Promise<SecureServer> {
  const { unavailable, ...tls } = tlsSettings(serving)
  if (unavailable.length > 0)
    log.warn({ cipherSuites: unavailable }, 'cipher suites that no TLS library has any more are left out')
  await using opening = new AsyncDisposableStack()
  const pair = opening.use(await servingPair(serving, { clock, log }))
  const server = makeServer(serving.http2, { ...tls, ...contextOf(pair.current), maxHeaderSize: largestHead })
  const answers = answerInstruments({ metrics: serving.metrics ? metrics : undefined, log })
  server.on('request', (request: Request, response: Response) => {
    request.resume()
    answers(request.method ?? '', request.url ?? '/').then(
      answer => send(response, answer, request.method === 'HEAD'),
      (error: unknown) => {
        log.error({ why: messageOf(error) }, 'a request to the secure port could not be answered')
        response.destroy()
      },
    )
  })
  server.on('tlsClientError', error => log.debug({ why: messageOf(error) }, 'TLS handshake error'))
  server.maxConnections = mostConnections
  server.setTimeout(idleMs)
  const open = new OpenConnections(server)
  const { address: host } = serving
  const port = await listening(server, { port: serving.port, ...(host !== '' && host !== '0.0.0.0' && { host }) })
  pair.onChange(changed => server.setSecureContext({ ...tls, ...contextOf(changed) }))
  log.info({ address: host, port, isSelfSigned: pair.isOwn }, 'Serving securely')
  const opened = opening.move()
  return {
    port,
    async [Symbol.asyncDispose]() {
      await opened.disposeAsync()
      await open.end()
    },
  }
}

/** What both versions of HTTP have. */
interface Request {
  readonly method?: string | undefined
  readonly url?: string | undefined
  resume(): unknown
}

interface Response {
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): unknown
  end(body?: string): unknown
  destroy(error?: Error): unknown
}

function send(response: Response, { status, contentType, body }: InstrumentAnswer, isHead: boolean): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache, private',
  })
  response.end(isHead ? undefined : body)
}

type AnyServer = Server | Http2SecureServer

function makeServer(http2: boolean, tls: ReturnType<typeof contextOf> & { readonly maxHeaderSize: number }): AnyServer {
  // HTTP/1.1 is served there too, to whoever does not ask for 2.
  if (http2)
    return createSecureServer({
      ...tls,
      handshakeTimeout: headersMs,
      allowHTTP1: true,
      settings: { maxConcurrentStreams: mostStreams },
    })
  return createServer({
    ...tls,
    handshakeTimeout: headersMs,
    headersTimeout: headersMs,
    requestTimeout: headersMs,
    keepAliveTimeout: idleMs,
  })
}

function contextOf({ certificate, key }: KeyPair) {
  return { cert: certificate, key }
}

/** Connections, so that none keeps the process from its end. */
class OpenConnections {
  readonly #server: AnyServer
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(server: AnyServer) {
    this.#server = server
    server.on('connection', (socket: Socket) => keep(this.#sockets, socket))
    server.on('session', (session: ServerHttp2Session) => keep(this.#sessions, session))
  }

  /** At once, as upstream's: a probe or a scrape is not worth a wait. */
  end(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    return promise
  }
}

function keep<T extends { once(event: 'close', listener: () => void): unknown }>(all: Set<T>, one: T): void {
  all.add(one)
  one.once('close', () => all.delete(one))
}
