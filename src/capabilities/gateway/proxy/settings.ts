// What the data path is told, from flags, variables or the section of the configuration.
import type { HoldBounds } from '../holding/waiting-room.ts'

export interface ProxySettings {
  /** Milliseconds; 0: none. What a route says counts more. */
  readonly requestMs: number
  readonly responseHeaderMs: number
  readonly readinessMs: number
  readonly connectMs: number
  readonly coldStartHeader: boolean
  readonly accessLog: boolean
  /** Requests of a route that may wait, where it says nothing; 0: what `bounds` say. */
  readonly mostPending: number
  readonly bounds: HoldBounds
  /** What arrives by TLS goes on by TLS. */
  readonly tlsToTargets: boolean
}
