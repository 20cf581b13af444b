// The socket of the dashboard: node:http with limits on everything that a client can be slow or long with.
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { FairConnections } from '#kube/server/front/fair-connections.ts'
import { handshakeMs } from '#kube/server/listening.ts'
import type { ListenAddress } from '../configuration.ts'
import type { Picture, PictureSource } from '../picture.ts'
import { type Answer, refusal } from './answer.ts'
import { readTarget } from './asked.ts'
import type { Gate, Gated } from './gate.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { send } from './send.ts'

/** A request's lines before its body. */
const headBytes = 16_384
const headersLimitMs = 10_000
const requestLimitMs = 20_000
/** How often it is looked who is too slow. */
const slownessCheckMs = 2_000
const keepAliveMs = 65_000
/** A connection on which nothing moves, neither way. */
const idleLimitMs = 120_000
const connectionsLimit = 1_000
const answerTimeoutMs = 30_000
/** Calls under way may end for so long when the dashboard ends. */
const closingMs = 3_000
/** Ports after the one that is taken which are tried. */
const portTries = 10

interface ServerOptions {
  readonly gate: Gate
  readonly source: PictureSource
  readonly basePath: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics: RequestMetrics | undefined
  /** Undefined: plain HTTP. */
  readonly tls: (KeyPair & { readonly clientAuthority: string | undefined }) | undefined
}

interface DashboardServer extends AsyncDisposable {
  readonly port: number
  /** Used from the next connection on. */
  setCertificate(tls: KeyPair): void
}

/** Listens on `at`, or on one of the next ports where that is taken. @throws Error where none of ten is free */
export async function startServer(options: ServerOptions, at: ListenAddress): Promise<DashboardServer> {
  const { tls } = options
  const limits = {
    maxHeaderSize: headBytes,
    headersTimeout: headersLimitMs,
    requestTimeout: requestLimitMs,
    connectionsCheckingInterval: slownessCheckMs,
    keepAliveTimeout: keepAliveMs,
  }
  const answering: RequestListener = (message, response) => void serve(message, response, options)
  const server: Server | TlsServer =
    tls === undefined
      ? createPlainServer(limits, answering)
      : createTlsServer(
          {
            ...limits,
            ...secureContext(tls),
            handshakeTimeout: handshakeMs,
            ALPNProtocols: ['http/1.1'],
            ...clientCertificates(tls),
          },
          answering,
        )
  server.timeout = idleLimitMs
  const connections = new FairConnections(server, { most: connectionsLimit, inPieces: true }, options)
  server.on('clientError', (error, socket) => connections.refuseUnreadable(error, socket))
  const port = await listeningNear(connections, at)
  return {
    port,
    setCertificate: renewed => {
      if ('setSecureContext' in server) server.setSecureContext({ ...secureContext(renewed), ...authorityOf(tls) })
    },
    [Symbol.asyncDispose]: () => connections.close(closingMs),
  }
}

function secureContext({ certificate, key }: KeyPair) {
  return { cert: certificate, key, minVersion: 'TLSv1.2' } as const
}

function authorityOf(tls: ServerOptions['tls']): { readonly ca?: string } {
  return tls?.clientAuthority === undefined ? {} : { ca: tls.clientAuthority }
}

/** Asked for, and judged by the door: a browser without one is told so in words. */
function clientCertificates(tls: NonNullable<ServerOptions['tls']>) {
  return tls.clientAuthority === undefined ? {} : { ca: tls.clientAuthority, requestCert: true, rejectUnauthorized: false }
}

async function listeningNear(connections: FairConnections, { host, port }: ListenAddress): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connections.listen({ port: port === 0 ? 0 : port + attempt, ...(host === undefined ? {} : { host }) })
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!isTaken || port === 0 || attempt + 1 >= portTries || port + attempt + 1 > 65_535) throw error
    }
  }
}

async function serve(message: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const { clock, log, metrics } = options
  const sinceMs = clock.elapsed()
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.on('error', error => log.debug({ err: messageOf(error) }, 'an answer broke off'))
  let route = 'refused'
  try {
    const gated = await inTime(answered(message, gone.signal, options), clock)
    route = gated.route
    await send(quietForPage(gated.answer, message.headers), { message, response, picture: pictureOf(options), gone: gone.signal })
  } catch (error) {
    log.error({ route, err: messageOf(error) }, 'a request failed')
    if (response.headersSent) response.destroy()
    else await send(internalError, { message, response, picture: undefined, gone: gone.signal })
  } finally {
    metrics?.request(route, clock.elapsed() - sinceMs)
    // What was sent and nobody wanted.
    message.resume()
  }
}

/**
 * Our page asks for things that may be gone, and a browser writes an error to its console for each 404: asked with `Ballast-Page: 1`, what is
 * not there is answered by 200 with the same body and the header `Ballast-Missing: 1`.
 */
function quietForPage(answer: Answer, headers: IncomingMessage['headers']): Answer {
  if (headers['ballast-page'] !== '1' || answer.kind !== 'whole' || answer.code !== 'not-there') return answer
  return { ...answer, status: 200, headers: { ...answer.headers, 'ballast-missing': '1' } }
}

function answered(message: IncomingMessage, gone: AbortSignal, { gate, basePath }: ServerOptions): Promise<Gated> {
  const asked = {
    method: message.method ?? 'GET',
    headers: message.headers,
    peer: message.socket.remoteAddress ?? '',
    message,
    gone,
  }
  return gate.answer(asked, readTarget(message.url ?? '', basePath))
}

/** The answer, or after half a minute that there is none: nobody waits for ever. */
async function inTime(gated: Promise<Gated>, clock: Clock): Promise<Gated> {
  const { promise, resolve } = Promise.withResolvers<Gated>()
  const cancel = clock.schedule(answerTimeoutMs, () => resolve({ route: 'late', answer: tooLate }))
  try {
    return await Promise.race([gated, promise])
  } finally {
    cancel()
  }
}

const tooLate = refusal('answer-late', {
  status: 503,
  message: 'The answer took longer than half a minute.',
  remedy: 'Look whether the API server answers, then ask again.',
  headers: { 'retry-after': '5' },
})

const internalError = refusal('internal-error', {
  status: 500,
  message: 'This is a fault of the dashboard; its log says more.',
  remedy: 'Ask again; if it stays, report it with the log.',
})

/** Undefined where there is none: an answer is given all the same. */
function pictureOf({ source, log }: ServerOptions): Picture | undefined {
  try {
    return source.current()
  } catch (error) {
    log.error({ err: messageOf(error) }, 'there is no picture of the cluster')
    return undefined
  }
}
