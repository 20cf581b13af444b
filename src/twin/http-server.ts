// The twin's HTTPS face: HTTP/2 and HTTP/1.1 on one port, client certificates asked for, requests handed to the one handler.
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { internalError } from '#kube/objects/status.ts'
import type { Credentials, Handler, TwinRequest } from './api/request.ts'
import { clientCertificate } from './client-certificate.ts'
import { InjectedReset } from './faults/injected-reset.ts'
import { writeAnswer } from './http-answers.ts'
import { receiveBody, refuseBytes, requestFault } from './http-requests.ts'
import { HttpUpgrades, isForUpgrades } from './http-upgrades.ts'
import type { TellTrouble } from './trouble.ts'
import { BrokenAnswer } from './unbroken-stream.ts'

/**
 * How HTTP/1.1 is served, as upstream does: what the lines before a body may weigh, how long headers and whole requests may take to
 * come, how long connections stay open between requests. A Host that is missing has an answer of its own.
 */
const http1Options = {
  maxHeaderSize: 1024 * 1024,
  maxHeadersCount: 0,
  requireHostHeader: false,
  headersTimeout: 32_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 90_000,
}
/** What one connection may hold of requests under way: clients keep hundreds of watches on one. In MiB. */
const connectionMemory = 1000
const streamsOfConnection = 4000
/** A client that goes drops all its watches at once: that is no attack. Streams, and streams a second. */
const droppedStreams = 100_000
/** A connection that says nothing is asked whether anybody is there; without an answer it is closed, and its watches with it. */
const askAfterMs = 30_000
const answerWithinMs = 15_000

export interface ServerCertificates {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export interface HttpServer {
  /** The port that is listened on. */
  readonly port: number
  close(): Promise<void>
}

/** Starts to listen. Port 0 takes a free one. @throws when the port is taken. */
export async function startHttpServer(
  handler: Handler,
  certificates: ServerCertificates,
  listen: { readonly port: number; readonly bind: string; readonly clock: Clock; readonly onTrouble: TellTrouble },
): Promise<HttpServer> {
  const server = createSecureServer({
    allowHTTP1: true,
    key: certificates.key,
    cert: certificates.certificate,
    ca: certificates.authority,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    maxHeaderListPairs: 200,
    maxSessionMemory: connectionMemory,
    streamResetBurst: droppedStreams,
    streamResetRate: droppedStreams,
    settings: { maxConcurrentStreams: streamsOfConnection, initialWindowSize: 1024 * 1024 },
  })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', session => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
    keepAsking(session, listen.clock)
  })
  server.on('secureConnection', socket => {
    sessions.add(socket)
    socket.once('close', () => sessions.delete(socket))
    // A client that goes away mid-handshake or mid-answer is no fault of the server.
    socket.on('error', () => socket.destroy())
    socket.setNoDelay(true)
    socket.setKeepAlive(true, askAfterMs)
  })
  server.on('request', (incoming, outgoing) => void serve(handler, listen, incoming, outgoing))
  const upgrades = new HttpUpgrades({ handler, clock: listen.clock, onTrouble: listen.onTrouble })
  server.on('upgrade', (incoming: Http2ServerRequest, wire: Duplex, head: Buffer) => {
    const { body: _body, signal: _signal, ...request } = requestOf(incoming, head, new AbortController().signal)
    void upgrades.serve(request, wire, head)
  })
  server.on('clientError', (error, socket) => refuseBytes(error, socket, listen.clock))
  Object.assign(server, http1Options, { shouldUpgradeCallback: isForUpgrades })
  await listening(server, listen)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : listen.port
  return {
    port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
      }),
  }
}

/** Closes an HTTP/2 connection whose client does not answer any more: its watches would stay open for good. */
function keepAsking(session: ServerHttp2Session, clock: Clock): void {
  let cancel = clock.schedule(askAfterMs, ask)
  session.once('close', () => cancel())
  function ask(): void {
    if (session.destroyed || session.closed) return
    cancel = clock.schedule(answerWithinMs, () => session.destroy())
    session.ping(error => {
      if (error !== null) return
      cancel()
      cancel = clock.schedule(askAfterMs, ask)
    })
  }
}

function listening(server: Http2SecureServer, listen: { readonly port: number; readonly bind: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.bind, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function serve(
  handler: Handler,
  { clock, onTrouble }: { readonly clock: Clock; readonly onTrouble: TellTrouble },
  incoming: Http2ServerRequest,
  outgoing: Http2ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  incoming.on('error', () => gone.abort())
  outgoing.on('error', () => gone.abort())
  outgoing.on('close', () => gone.abort())
  try {
    const fault = requestFault(incoming)
    if (fault !== undefined) {
      const head = { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(fault.length), connection: 'close' }
      outgoing.writeHead(400, head).end(fault)
      return
    }
    const body = await receiveBody(incoming, clock)
    if (body.kind === 'cut') return
    if (body.kind === 'too-long') {
      const isFirst = incoming.httpVersionMajor === 1
      outgoing.writeHead(413, { 'content-type': 'application/json', ...(isFirst ? { connection: 'close' } : {}) })
      outgoing.end(JSON.stringify(tooLong))
      return
    }
    const answer = await handler(requestOf(incoming, body.bytes, gone.signal))
    await writeAnswer(answer, incoming, outgoing, gone.signal)
  } catch (error) {
    if (error instanceof InjectedReset) breakConnection(incoming, outgoing)
    else if (!gone.signal.aborted) {
      if (!(error instanceof BrokenAnswer))
        onTrouble({ kind: 'stream', where: `${incoming.method} ${incoming.url.split('?')[0]}`, error, count: 1 })
      giveUp(error, incoming, outgoing)
    }
  }
}

/** The last word where no answer could be written: a Status while that can still be one, else the end of this stream alone. */
function giveUp(error: unknown, incoming: Http2ServerRequest, outgoing: Http2ServerResponse): void {
  if (!outgoing.headersSent) {
    outgoing.writeHead(500, { 'content-type': 'application/json' })
    outgoing.end(JSON.stringify(internalError(messageOf(error)).status))
  } else if ('stream' in incoming && incoming.stream !== undefined) incoming.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else incoming.socket.destroy()
}

/** Destroys the socket, with all that is under way on it, once the bytes that were to come before have left. */
function breakConnection(incoming: Http2ServerRequest, outgoing: Http2ServerResponse): void {
  const stream = 'stream' in incoming ? incoming.stream : undefined
  const session = stream?.session
  const destroy = () => (session === undefined ? incoming.socket.destroy() : session.destroy())
  if (!outgoing.headersSent) destroy()
  else if (session === undefined) incoming.socket.write('', destroy)
  else stream?.write('', destroy)
}

function requestOf(incoming: Http2ServerRequest, body: Uint8Array, signal: AbortSignal): TwinRequest {
  const question = incoming.url.indexOf('?')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (!name.startsWith(':') && value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value
  }
  return {
    method: incoming.method,
    path: question < 0 ? incoming.url : incoming.url.slice(0, question),
    query: queryOf(question < 0 ? '' : incoming.url.slice(question + 1)),
    headers,
    body,
    credentials: credentialsOf(incoming),
    signal,
  }
}

/** Parameters that are not well encoded are left out, as Go leaves them out. */
function queryOf(text: string): URLSearchParams {
  if (!/%(?![0-9a-fA-F]{2})|;/.test(text)) return new URLSearchParams(text)
  const good = text.split('&').filter(pair => !/%(?![0-9a-fA-F]{2})|;/.test(pair))
  return new URLSearchParams(good.join('&'))
}

const credentials = new WeakMap<TLSSocket, Credentials>()

/** Who is at the other end of the connection: looked at once. */
function credentialsOf(incoming: Http2ServerRequest): Credentials {
  const socket: unknown = incoming.socket
  const stream: unknown = 'stream' in incoming ? incoming.stream?.session?.socket : undefined
  const tls = stream instanceof TLSSocket ? stream : socket instanceof TLSSocket ? socket : undefined
  if (tls === undefined) return { kind: 'none' }
  let found = credentials.get(tls)
  if (found === undefined) {
    found = clientCertificate(tls)
    credentials.set(tls, found)
  }
  return found
}

const tooLong = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'Request entity too large: limit is 3145728',
  reason: 'RequestEntityTooLarge',
  code: 413,
}
