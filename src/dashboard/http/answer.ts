// What a request is answered with, as a value: nothing here touches a socket.
import type { ApiError } from '../contract.ts'

type Headers = Readonly<Record<string, string | readonly string[]>>

export interface WholeAnswer {
  readonly kind: 'whole'
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array
  readonly headers: Headers
  /** The body as it is stored compressed; others are compressed on the way out where that is worth it. */
  readonly encoding?: 'br' | 'gzip'
  /** Code of a refusal, for metrics and logs. */
  readonly code?: string
}

/** An answer that goes on until somebody ends it. */
interface FlowAnswer {
  readonly kind: 'flow'
  readonly status: 200
  readonly headers: Headers
  readonly begin: (target: FlowTarget) => void
}

/** Where the bytes of a flow go. */
export interface FlowTarget {
  write(bytes: Uint8Array): boolean
  drained(): Promise<void>
  end(): void
  /** Aborted when the reader is gone. */
  readonly ended: AbortSignal
}

export type Answer = WholeAnswer | FlowAnswer

const jsonType = 'application/json; charset=utf-8'
export const htmlType = 'text/html; charset=utf-8'
export const textType = 'text/plain; charset=utf-8'
export const csvType = 'text/csv; charset=utf-8; header=present'

/** A body of any type. */
export function answerOf(type: string, body: string | Uint8Array, more: Partial<Omit<WholeAnswer, 'kind'>> = {}): WholeAnswer {
  return { kind: 'whole', status: 200, type, body, headers: {}, ...more }
}

export function json(value: unknown, more: Partial<Omit<WholeAnswer, 'kind'>> = {}): WholeAnswer {
  return answerOf(jsonType, JSON.stringify(value), more)
}

/** Nothing to say. */
export function empty(status: number, headers: Headers = {}): WholeAnswer {
  return { kind: 'whole', status, type: textType, body: '', headers }
}

/** To another address of ours. */
export function redirect(status: 302 | 303 | 308, to: string, headers: Headers = {}): WholeAnswer {
  return empty(status, { location: to, ...headers })
}

interface Refused {
  readonly status: number
  readonly message: string
  /** What whoever asked can do. */
  readonly remedy?: string | null
  readonly headers?: Headers
  /** More of what the page needs. */
  readonly more?: Partial<ApiError['error']>
}

/** An error in the form of the API: `{"error":{"code","message","remedy"}}`. */
export function refusal(code: string, { status, message, remedy = null, headers = {}, more = {} }: Refused): WholeAnswer {
  const body: ApiError = { error: { code, message, remedy, ...more } }
  return { ...json(body, { status, headers }), code }
}
