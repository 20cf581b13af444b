// Requests as a client library would never send them, to a real API server and to the twin alike.
import { Agent, request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'

/** Where a server is, and an administrator's certificate for it. */
export interface Endpoint {
  readonly port: number
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export interface WireRequest {
  readonly verb: string
  /** As it is sent, with its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Sent in pieces without a length. */
  readonly isChunked?: boolean
}

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as it came over the wire; a server in the process gives none. */
  readonly bytes?: Uint8Array
}

/** A server that has not answered by then hangs: the slowest answer seen takes a second. */
const answerTimeoutMs = 60_000

/** The server did not answer in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Sends requests over kept connections, one at a time. */
export class WireClient {
  readonly #endpoint: Endpoint
  readonly #agent: Agent

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
    this.#agent = new Agent({ ...tlsOf(endpoint), keepAlive: true, maxSockets: 1 })
  }

  /** The answer to a request, whatever its status is. @throws Error where the server hangs or hangs up. */
  send(wire: WireRequest): Promise<WireAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>()
    const body = wire.body === undefined ? undefined : Buffer.from(wire.body)
    const outgoing = request({
      agent: this.#agent,
      host: '127.0.0.1',
      port: this.#endpoint.port,
      method: wire.verb,
      path: wire.path,
      headers: {
        accept: 'application/json',
        'user-agent': 'tester/1',
        ...(body === undefined || wire.isChunked === true ? {} : { 'content-length': String(body.byteLength) }),
        ...wire.headers,
      },
      timeout: answerTimeoutMs,
    })
    let isAnswered = false
    outgoing.once('timeout', () => outgoing.destroy(new NoAnswer(`no answer within ${answerTimeoutMs / 1000} s`)))
    outgoing.on('error', cause => {
      // A server that refuses a body early closes while it is still being sent.
      if (!isAnswered) reject(cause)
    })
    outgoing.once('response', response => {
      isAnswered = true
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      const finish = () => {
        const bytes = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: bytes.toString(), bytes })
      }
      response.once('end', finish)
      response.once('error', finish)
    })
    outgoing.end(body)
    return promise
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Sends bytes over a connection of their own and yields the status and text of what comes back until the server hangs up. */
export async function exchangeBytes(endpoint: Endpoint, bytes: Uint8Array): Promise<WireAnswer> {
  const socket = await openConnection(endpoint)
  const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>()
  const chunks: Buffer[] = []
  const finish = () => {
    const text = Buffer.concat(chunks).toString()
    const [head = '', ...rest] = text.split('\r\n\r\n')
    resolve({
      status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0),
      headers: headersIn(head),
      text: rest.join('\r\n\r\n'),
    })
  }
  socket.on('data', chunk => chunks.push(chunk))
  socket.once('close', finish)
  socket.on('error', finish)
  socket.setTimeout(answerTimeoutMs, () => {
    reject(new NoAnswer(`the connection was still open after ${answerTimeoutMs / 1000} s`))
    socket.destroy()
  })
  socket.write(bytes)
  return promise
}

/** A connection that speaks HTTP/1.1, after its handshake. */
export function openConnection(endpoint: Endpoint): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connect({ ...tlsOf(endpoint), host: '127.0.0.1', port: endpoint.port, ALPNProtocols: ['http/1.1'] }, () =>
    resolve(socket),
  )
  socket.once('error', reject)
  return promise
}

function tlsOf({ authority, certificate, key }: Endpoint) {
  return { ca: authority, cert: certificate, key }
}

function headersIn(head: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return headers
}
