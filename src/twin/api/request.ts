// A request as the handler sees it, whichever way it came, and what it means to the API server: verb, resource, name.
import type { PathRequest as PathOfNone, ResourceRequest as PathOfResource } from '#kube/server/request-info.ts'

/** How the caller proved who it is. */
export type Credentials =
  | {
      readonly kind: 'certificate'
      readonly name: string
      readonly groups: readonly string[]
      /** SHA-256 of the certificate, in hex; absent where there was none on the way. */
      readonly digest?: string
    }
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
  /** The client wants to go on over a WebSocket. Who answers with status 101 has given `accept` what goes on there. */
  readonly upgrade?: UpgradeOffer
}

interface UpgradeOffer {
  /** Subprotocols that the client speaks, the dearest first. */
  readonly protocols: readonly string[]
  readonly accept: (protocol: string, session: UpgradedSession) => void
}

/** Speaks on an upgraded connection until it is done. */
export type UpgradedSession = (socket: MessageSocket, signal: AbortSignal) => Promise<void>

/** Whole messages, both ways. */
export interface MessageSocket {
  /** Until the client closes or is gone; read no faster than they are taken. */
  readonly messages: AsyncIterable<Uint8Array>
  /** Resolves when the client can take more, or is gone. */
  readonly send: (message: Uint8Array) => Promise<void>
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
      /** It leaves as frames of protobuf; until then it is lines of JSON. */
      readonly isFramed?: true
      /** Aborted when the reader is given up as too slow: the connection is to be broken, whatever is on its way. */
      readonly cutOff?: AbortSignal
    }

export type Handler = (request: TwinRequest) => Promise<TwinResponse>

export type ResourceRequest = PathOfResource
export type PathRequest = PathOfNone
