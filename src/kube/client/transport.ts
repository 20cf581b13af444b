// How requests reach an API server. Two implementations: `http-transport.ts` (undici, real HTTPS) and the twin's in-memory one.

export type HttpVerb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface TransportRequest {
  readonly verb: HttpVerb
  /** Path without query, each segment already percent-encoded: `/api/v1/namespaces/shop/pods/cart-a`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Header names in lower case. Credentials are added by the transport. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** For the whole exchange, real time; a stream: until its headers. */
  readonly timeoutMs?: number
  /** Which pool and which place in the client's bucket: leases and watches are never throttled. */
  readonly priority?: 'lease' | 'watch' | 'effect' | 'status' | 'event'
  /** The answer may hold secrets: of a stream nothing keeps a copy, and whoever reads it overwrites the chunks. */
  readonly isSecret?: boolean
  /**
   * Asked at the last moment, synchronously before the first byte is handed to the socket, and again where the request is sent again. What it
   * throws (a NotSentError) ends the request, of which nothing was sent then.
   */
  readonly guard?: () => void
  readonly signal: AbortSignal
}

export interface TransportResponse {
  readonly status: number
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface TransportStream {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Ends when the server closes; throws on a broken connection. Returning from the loop closes the connection. */
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface Transport {
  /** One request, one answer of any status. @throws on a broken connection, time-out, `signal.reason`, or what the guard throws. */
  request(request: TransportRequest): Promise<TransportResponse>
  /** The same for an answer that is read while it comes (watches, big lists). */
  stream(request: TransportRequest): Promise<TransportStream>
  close(): Promise<void>
}
