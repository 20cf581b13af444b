// What the main loop and the thread that stands before it say to each other. All of it is plain data.
import type { KeyPair } from '../certificates.ts'
import type { JsonLimits } from './json-shape.ts'

/** TLS of a listener. */
export interface FrontTls extends KeyPair {
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  /** By OpenSSL's names; absent: Node's. */
  readonly ciphers?: string
  /** PEM: only who holds a certificate of it gets through the handshake. */
  readonly clientAuthority?: string
}

/** One public listener. */
export interface FrontSpec {
  /** For the log and metrics: `webhooks`. */
  readonly name: string
  /** 0 takes any free port. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string
  /** Absent: plain HTTP. */
  readonly tls?: FrontTls
  /** HTTP/2 too, for who asks for it. */
  readonly http2?: boolean
  readonly connections: number
  /** A connection without a request is kept for so long. */
  readonly quietMs: number
  /** The lines before a body may take so long; of a connection that was never used, it is the time until it is closed. */
  readonly headMs: number
  /** Bodies are read, as JSON; absent: they are not. */
  readonly body?: { readonly mostBytes: number; readonly json: JsonLimits }
  /** The header `Authorization` is handed on to be judged. */
  readonly isGuarded?: boolean
  /** Paths that the kubelet asks. They go before others, and are answered in time though the main loop is busy. */
  readonly probes?: Readonly<Record<string, 'live' | 'ready'>>
}

export interface FrontCall {
  readonly method: string
  readonly url: string
  readonly contentType: string | undefined
  /** Undefined where nobody says one, or the listener is not guarded. */
  readonly authorization?: string
  readonly body: Uint8Array
}

export interface FrontReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export type ToThread =
  | { readonly kind: 'listen'; readonly listener: number; readonly spec: FrontSpec }
  | { readonly kind: 'certificate'; readonly listener: number; readonly tls: FrontTls }
  | { readonly kind: 'close'; readonly listener: number; readonly isAtOnce: boolean }
  | { readonly kind: 'taken'; readonly costMs: number }
  | { readonly kind: 'reply'; readonly call: number; readonly reply: FrontReply }
  | { readonly kind: 'end' }

export type FromThread =
  | { readonly kind: 'listening'; readonly listener: number; readonly port: number }
  | { readonly kind: 'failed'; readonly listener: number; readonly message: string; readonly code: string | undefined }
  | { readonly kind: 'closed'; readonly listener: number }
  | { readonly kind: 'call'; readonly listener: number; readonly call: number; readonly asked: FrontCall }
  | {
      readonly kind: 'turned-away'
      readonly listener: number
      readonly why: TurnedAway
      readonly peer: string
      readonly times: number
    }

/** Why somebody was not served. */
export type TurnedAway = 'place' | 'pipelining' | 'bytes' | 'body' | 'slow' | 'busy' | 'handshake'
