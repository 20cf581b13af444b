// One API server as seen by the typed requests: headers, bodies, limits, and refusals as StatusErrors.

import { wrongShape } from '../objects/object-shape.ts'
import { statusErrorOf } from '../objects/status.ts'
import { AnswerError } from '../outside-error.ts'
import type { RequestOptions } from './request-options.ts'
import type { HttpVerb, Transport, TransportRequest, TransportResponse, TransportStream } from './transport.ts'

/** How long an answer may take where the caller does not say. */
export const requestTimeoutMs = 30_000
/** What an API server takes at most. */
const bodyLimitBytes = 3 * 1024 * 1024

/** What goes with a request beside its path. */
interface Sent {
  readonly accept?: string
  readonly contentType?: string
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string>>
  /** As `TransportRequest.isSecret`. */
  readonly isSecret?: boolean
}

/** Sends requests over a transport. */
export class Connection {
  readonly #transport: Transport
  readonly #userAgent: string
  readonly #guard: (() => void) | undefined

  /** `guard` is asked before each write goes out, before the write's own. */
  constructor(transport: Transport, options: { readonly userAgent: string; readonly guard?: (() => void) | undefined }) {
    this.#transport = transport
    this.#userAgent = options.userAgent
    this.#guard = options.guard
  }

  /** The same server, its writes under one more guard. */
  under(guard: () => void): Connection {
    return new Connection(this.#transport, { userAgent: this.#userAgent, guard: both(this.#guard, guard) })
  }

  /** @throws StatusError for an answer of 400 and up. */
  async request(verb: HttpVerb, path: string, options: RequestOptions, sent: Sent = {}): Promise<TransportResponse> {
    const answer = await this.#transport.request(this.#message(verb, path, { timeoutMs: requestTimeoutMs, ...options }, sent))
    if (answer.status >= 400) throw statusErrorOf(answer.status, answer.headers, answer.body)
    return answer
  }

  async stream(path: string, options: RequestOptions, sent: Sent): Promise<TransportStream> {
    const answer = await this.#transport.stream(this.#message('GET', path, options, sent))
    if (answer.status >= 400) throw statusErrorOf(answer.status, answer.headers, await wholeBody(answer.chunks))
    return answer
  }

  close(): Promise<void> {
    return this.#transport.close()
  }

  #message(verb: HttpVerb, path: string, options: RequestOptions, sent: Sent): TransportRequest {
    const body = sent.body === undefined ? undefined : JSON.stringify(sent.body)
    if (body !== undefined && Buffer.byteLength(body) > bodyLimitBytes) {
      throw new RangeError(
        `${verb} ${path}: the body is larger than ${bodyLimitBytes} bytes, which is what an API server takes at most`,
      )
    }
    const guard = verb === 'GET' ? undefined : both(this.#guard, options.guard)
    return {
      verb,
      path,
      query: { ...sent.query, ...options.query },
      headers: {
        accept: sent.accept ?? 'application/json',
        'user-agent': this.#userAgent,
        ...(body === undefined ? {} : { 'content-type': sent.contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.priority === undefined ? {} : { priority: options.priority }),
      ...(sent.isSecret === true ? { isSecret: true } : {}),
      ...(guard === undefined ? {} : { guard }),
      signal: options.signal,
    }
  }
}

function both(first: (() => void) | undefined, second: (() => void) | undefined): (() => void) | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return () => {
    first()
    second()
  }
}

async function wholeBody(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    pieces.push(chunk)
    bytes += chunk.length
    if (bytes > bodyLimitBytes) break
  }
  return Buffer.concat(pieces)
}

/** The JSON of an answer; `{}` for none. @throws AnswerError for anything else. */
export function parseJson(answer: TransportResponse): unknown {
  const text = new TextDecoder().decode(answer.body)
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch (error) {
    throw new AnswerError(`the server answered ${answer.status} with a body that is not JSON`, { cause: error })
  }
}

/**
 * The JSON edge: what a resource's path answers is taken for that resource's type; who acts on a field below `metadata` checks it. `named`:
 * an object with a name; `any`: what a deletion or a sub-resource says, of which nobody reads more than its own fields.
 * @throws AnswerError for anything that is no object of an API
 */
export function parsed<T>(answer: TransportResponse, expected: 'named' | 'object' | 'any'): T {
  const value = parseJson(answer)
  const isAny = typeof value === 'object' && value !== null && !Array.isArray(value)
  const wrong = expected === 'any' && isAny ? undefined : wrongShape(value, expected === 'named')
  if (wrong === undefined) return value as T
  throw new AnswerError(`the server answered ${answer.status} with something else than was asked for: ${wrong}`)
}
