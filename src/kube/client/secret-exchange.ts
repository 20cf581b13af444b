// Exchanges whose answers may hold secrets, over Node's own HTTP client: what its socket reads is overwritten when it is parsed, so that the
// bytes lie in nothing but the chunks that are handed out, and whoever reads them overwrites them. (undici's parser keeps a copy in
// WebAssembly memory.)
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { TlsMaterial } from '../credentials/credentials.ts'
import type { TransportRequest } from './transport.ts'

/** OpenSSL overwrites plaintext before it gives its buffers back: `SSL_OP_CLEANSE_PLAINTEXT`. */
const cleansePlaintext = 2
const mostSockets = 8
/** Chunks that wait for their reader before the socket is paused. */
const mostWaiting = 4
/** Deeper than anything that reads from a socket: the TLS layer hands plaintext over on the stack. */
const scrubbedCalls = 1500

interface SecretPoolOptions {
  readonly server: string
  readonly material: TlsMaterial
  readonly isInsecure: boolean
  readonly serverName: string | undefined
  /** Silence that ends an exchange, in milliseconds; not of watches. */
  readonly idleMs: number
}

/** An answer whose head is in. */
export interface SecretAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Each is the reader's own: nobody else looks at it, and it is to be overwritten. Leaving the loop closes the connection. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Connections to one server with one state of the certificates. */
export class SecretPool {
  readonly #options: SecretPoolOptions
  readonly #agent: PlainAgent | TlsAgent
  readonly #watches: PlainAgent | TlsAgent
  readonly #isTls: boolean

  constructor(options: SecretPoolOptions) {
    this.#options = options
    this.#isTls = new URL(options.server).protocol === 'https:'
    this.#agent = this.#open(true)
    this.#watches = this.#open(false)
  }

  /** Sends `request` with `headers` and yields the head of the answer. @throws what the socket says, `signal.reason` */
  send(
    request: TransportRequest,
    headers: Readonly<Record<string, string | string[]>>,
    signal: AbortSignal,
  ): Promise<SecretAnswer> {
    const { server, idleMs } = this.#options
    const isWatch = request.priority === 'watch'
    const base = new URL(server)
    const query = new URLSearchParams(request.query).toString()
    const { promise, resolve, reject } = Promise.withResolvers<SecretAnswer>()
    const sent = (this.#isTls ? tlsRequest : plainRequest)({
      host: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port === '' ? (this.#isTls ? 443 : 80) : base.port,
      path: `${base.pathname.replace(/\/$/, '')}${request.path}${query === '' ? '' : `?${query}`}`,
      method: request.verb,
      headers: { ...request.headers, ...headers },
      agent: isWatch ? this.#watches : this.#agent,
      ...(isWatch ? {} : { timeout: idleMs }),
      signal,
    })
    sent.on('socket', socket => {
      // The parser, which listens first, has made a copy of the body by then: the chunk.
      const overwrite = (bytes: Uint8Array) => void bytes.fill(0)
      socket.on('data', overwrite)
      sent.once('close', () => socket.off('data', overwrite))
    })
    sent.on('response', answer => resolve(answerOf(answer)))
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(Object.assign(new Error(`silent for ${idleMs} ms`), { code: 'ETIMEDOUT' })))
    sent.end(request.body)
    return promise
  }

  destroy(): void {
    this.#agent.destroy()
    this.#watches.destroy()
  }

  #open(keepAlive: boolean): PlainAgent | TlsAgent {
    const { material, isInsecure, serverName } = this.#options
    const pool = { keepAlive, ...(keepAlive ? { maxSockets: mostSockets } : {}), timeout: 0 }
    if (!this.#isTls) return new PlainAgent(pool)
    return new TlsAgent({
      ...pool,
      ALPNProtocols: ['http/1.1'],
      secureOptions: cleansePlaintext,
      rejectUnauthorized: !isInsecure,
      ...(material.authority === undefined ? {} : { ca: material.authority }),
      ...(material.certificate === undefined ? {} : { cert: material.certificate }),
      ...(material.key === undefined ? {} : { key: material.key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    })
  }
}

function answerOf(answer: IncomingMessage): SecretAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(answer.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  return { status: answer.statusCode ?? 0, headers, chunks: chunksOf(answer) }
}

/** One by one as they came: a stream that is iterated would join what waits, and the copy would be one more to overwrite. */
async function* chunksOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = []
  let isOver = false
  let failure: unknown
  let wake: () => void = () => undefined
  answer.on('data', (chunk: Uint8Array) => {
    waiting.push(chunk)
    if (waiting.length >= mostWaiting) answer.pause()
    wake()
  })
  answer.on('end', () => {
    isOver = true
    wake()
  })
  answer.on('error', (error: unknown) => {
    failure = error
    wake()
  })
  answer.on('close', () => {
    if (!isOver) failure ??= Object.assign(new Error('the connection was closed before the end'), { code: 'ECONNRESET' })
    wake()
  })
  try {
    for (;;) {
      const chunk = waiting.shift()
      if (chunk !== undefined) yield chunk
      else if (isOver) return
      else if (failure !== undefined) throw failure
      else {
        answer.resume()
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  } finally {
    for (const chunk of waiting) chunk.fill(0)
    if (!isOver) answer.destroy()
    setImmediate(() => scrubStack(scrubbedCalls))
  }
}

/** Writes over what earlier calls left on the stack. */
function scrubStack(calls: number): number {
  return calls === 0 ? 0 : 1 + scrubStack(calls - 1)
}
