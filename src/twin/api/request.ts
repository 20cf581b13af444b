// A request as the handler sees it, whichever way it came, and what it means to the API server: verb, resource, name.
import type { PathRequest as PathOfNone, ResourceRequest as PathOfResource } from '#kube/server/request-info.ts'

/** How the caller proved who it is. */
export type Credentials =
  | { readonly kind: 'certificate'; readonly name: string; readonly groups: readonly string[] }
  | { readonly kind: 'none' }

export interface TwinRequest {
  readonly method: string
  /** Still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly credentials: Credentials
  /** Aborted when the client went away. */
  readonly signal: AbortSignal
}

export type TwinResponse =
  | {
      readonly kind: 'whole'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string | Uint8Array
    }
  | {
      readonly kind: 'stream'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      /** A chunk may hold several lines or part of one. Bytes are shared by all who get them: never written to. */
      readonly chunks: AsyncIterable<string | Uint8Array>
      /** It has an end and no hurry: it may be packed where the client can read that. */
      readonly isList?: true
      /** Aborted when the reader is given up as too slow: the connection is to be broken, whatever is on its way. */
      readonly cutOff?: AbortSignal
    }

export type Handler = (request: TwinRequest) => Promise<TwinResponse>

export type ResourceRequest = PathOfResource
export type PathRequest = PathOfNone
