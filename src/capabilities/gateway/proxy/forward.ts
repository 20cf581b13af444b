// How a request goes to one endpoint and its answer comes back.
import type { Readable } from 'node:stream'
import { messageOf } from '#kube/log.ts'
import type { Endpoint, Wire } from '../endpoints/targets.ts'
import type { Caller } from './caller.ts'

/** What became of it. */
export type Outcome =
  | { readonly kind: 'answered' }
  /** The client went away, and its request with it. */
  | { readonly kind: 'left' }
  /** Nothing of it was done, and nothing of the body was taken: it may be tried again. `stale`: a kept connection was gone. */
  | { readonly kind: 'unreached'; readonly why: string; readonly isStale: boolean }
  /** It broke before an answer began. */
  | { readonly kind: 'failed'; readonly why: string; readonly isLate: boolean }
  /** It broke within an answer: the client was cut off. */
  | { readonly kind: 'broken'; readonly why: string }

export interface Forwarding {
  readonly caller: Caller
  /** The caller's, or what takes its place. */
  readonly body: Readable | undefined
  /** The caller has no leave to send yet. */
  readonly expectsContinue: boolean
  readonly endpoint: Endpoint
  readonly wire: Wire
  /** The name that a certificate of the target is to bear: `service.namespace`. */
  readonly serverName: string
  /** Names and values by turns. */
  readonly headers: readonly string[]
  /** The path and query. */
  readonly target: string
  /** Milliseconds until the answer's head, from when the request was sent; 0: any. */
  readonly responseHeaderMs: number
  /** Goes before the headers of the answer. */
  readonly extraHeaders: readonly string[]
  /** A byte moved. */
  readonly moved: () => void
  /** How the answer reaches the client; default: as it is. */
  readonly answers?: Answering
}

/** Takes the answer's head, pieces and end in the caller's place. */
export interface Answering {
  head(status: number, reason: string, headers: readonly string[]): void
  write(chunk: Uint8Array): boolean
  end(trailers: readonly string[]): void
  /** It broke after its head. */
  broken(why: string): void
}

/** Ends what is under way; a second call does nothing. */
export type Abort = () => void

/** The answer goes to the client as it is. */
export function plainAnswering(caller: Caller, extraHeaders: readonly string[]): Answering {
  return {
    head: (status, reason, headers) =>
      caller.answer(status, reason, extraHeaders.length === 0 ? headers : [...extraHeaders, ...headers]),
    write: chunk => caller.write(chunk),
    end: trailers => caller.end(trailers),
    broken: () => caller.destroy(),
  }
}

/** Errors of connections that were never made: nothing was sent. */
const unreachedCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_CONNECT_TIMEOUT',
])

/** A connection that was kept and is closed at the moment when it is used again. */
const staleCodes = new Set(['ECONNRESET', 'EPIPE'])

export function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/**
 * Where another try can do no harm: nobody was reached, or a harmless request without a body was lost with its connection. `isFresh`: that was
 * made for this request, and whoever ended it had read the request: it may be what ended them.
 */
export function unreached(
  error: unknown,
  { caller, isFresh }: { readonly caller: Caller; readonly isFresh: boolean },
): Extract<Outcome, { kind: 'unreached' }> | undefined {
  const code = codeOf(error)
  const why = messageOf(error)
  if (unreachedCodes.has(code) || (code === 'ETIMEDOUT' && (error as { syscall?: string }).syscall === 'connect'))
    return { kind: 'unreached', why, isStale: false }
  const isHarmless = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(caller.head.method) && caller.body === undefined
  return isHarmless && !isFresh && staleCodes.has(code) ? { kind: 'unreached', why, isStale: true } : undefined
}

export function isLate(error: unknown): boolean {
  return codeOf(error) === 'ETIMEDOUT'
}
