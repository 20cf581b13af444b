// The twin's HTTPS face: HTTP/2 and HTTP/1.1 on one port, client certificates asked for, requests handed to the one handler.
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import type { Credentials, Handler, TwinRequest, TwinResponse } from './api/request.ts'

/** What a request body may weigh; upstream's limit. */
const bodyLimitBytes = 3 * 1024 * 1024
const urlLimit = 16 * 1024
/** Answers from this size on are compressed for clients that can read it. */
const gzipFromBytes = 128 * 1024

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
  listen: { readonly port: number; readonly bind: string },
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
    settings: { maxConcurrentStreams: 4000, initialWindowSize: 1024 * 1024 },
  })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', session => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('secureConnection', socket => {
    sessions.add(socket)
    socket.once('close', () => sessions.delete(socket))
    // A client that goes away mid-handshake or mid-answer is no fault of the server.
    socket.on('error', () => socket.destroy())
  })
  server.on('request', (incoming, outgoing) => void serve(handler, incoming, outgoing))
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

function listening(server: Http2SecureServer, listen: { readonly port: number; readonly bind: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.bind, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function serve(handler: Handler, incoming: Http2ServerRequest, outgoing: Http2ServerResponse): Promise<void> {
  const gone = new AbortController()
  incoming.on('error', () => gone.abort())
  outgoing.on('error', () => gone.abort())
  outgoing.on('close', () => gone.abort())
  try {
    if (incoming.url.length > urlLimit) return refuse(outgoing, 414, 'request URI is too long')
    const body = await readBody(incoming)
    if (body === undefined) return refuse(outgoing, 413, `Request entity too large: limit is ${bodyLimitBytes}`)
    const answer = await handler(requestOf(incoming, body, gone.signal))
    await write(answer, incoming, outgoing, gone.signal)
  } catch (error) {
    if (!gone.signal.aborted) throw error
  }
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
    query: new URLSearchParams(question < 0 ? '' : incoming.url.slice(question + 1)),
    headers,
    body,
    credentials: credentialsOf(incoming),
    signal,
  }
}

/** The client certificate's CN and O, when it is one of the twin's authority. */
function credentialsOf(incoming: Http2ServerRequest): Credentials {
  const socket: unknown = incoming.socket
  const stream: unknown = 'stream' in incoming ? incoming.stream?.session?.socket : undefined
  const tls = stream instanceof TLSSocket ? stream : socket instanceof TLSSocket ? socket : undefined
  if (tls === undefined || !tls.authorized) return { kind: 'none' }
  const { subject } = tls.getPeerCertificate()
  if (subject === undefined || typeof subject.CN !== 'string') return { kind: 'none' }
  const organizations: unknown = subject.O
  const groups = Array.isArray(organizations)
    ? organizations.map(String)
    : organizations === undefined
      ? []
      : [String(organizations)]
  return { kind: 'certificate', name: subject.CN, groups }
}

async function readBody(incoming: Http2ServerRequest): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    if (!(chunk instanceof Uint8Array)) continue
    bytes += chunk.byteLength
    if (bytes > bodyLimitBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function refuse(outgoing: Http2ServerResponse, status: number, message: string): void {
  const reason = status === 413 ? 'RequestEntityTooLarge' : 'RequestURITooLong'
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status }),
  )
}

async function write(
  answer: TwinResponse,
  incoming: Http2ServerRequest,
  outgoing: Http2ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  if (answer.kind === 'whole') {
    const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
    const isCompressed = body.byteLength > gzipFromBytes && /\bgzip\b/.test(String(incoming.headers['accept-encoding'] ?? ''))
    const bytes = isCompressed ? gzipSync(body, { level: 1 }) : body
    outgoing.writeHead(answer.status, {
      ...answer.headers,
      ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
      'content-length': String(bytes.byteLength),
    })
    if (incoming.method === 'HEAD') outgoing.end()
    else outgoing.end(bytes)
    return
  }
  outgoing.writeHead(answer.status, { ...answer.headers })
  if ('flushHeaders' in outgoing && typeof outgoing.flushHeaders === 'function') outgoing.flushHeaders()
  for await (const chunk of answer.chunks) {
    if (!outgoing.write(chunk, 'utf8')) await drained(outgoing, signal)
    if (signal.aborted) return
  }
  outgoing.end()
}

/** Resolves when more can be written or the client is gone. */
function drained(outgoing: Http2ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      outgoing.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    outgoing.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}
