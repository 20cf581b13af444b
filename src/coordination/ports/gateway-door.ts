// Where the gateway of this process answers, and how its routes stand: for pages that show it to people.
import { port } from '../capability.ts'

/** What all gateways together say, as it was when they were asked last. */
export interface GatewaysStanding {
  /** Those that answered, and those that did not. */
  readonly answered: number
  readonly silent: number
  /** By `namespace/name`. */
  readonly routes: ReadonlyMap<string, RouteStanding>
}

export interface RouteStanding {
  /** Requests and connections at this moment; those that wait for the target are among them. */
  readonly requests: number
  readonly held: number
  /** Absent: none is under way. */
  readonly start?:
    | {
        readonly stage: string
        readonly sentence: string
        readonly trouble?: string | undefined
        readonly totalMs: number
        readonly etaMs?: number | undefined
      }
    | undefined
}

interface GatewayDoor {
  /** `http://127.0.0.1:43113` */
  readonly url: string
  /** The scaler's port on the same host. */
  readonly scalerPort: number
  standing(): GatewaysStanding
}

export const gatewayDoorPort = port<GatewayDoor>('gateway-door')
