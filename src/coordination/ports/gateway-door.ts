// Where the gateway of this process answers, and how its routes stand: for whoever shows it to people.
import { port } from '../capability.ts'

/** A route at this moment, in one replica. */
export interface RouteStanding {
  readonly namespace: string
  readonly name: string
  readonly hosts: readonly string[]
  /** Requests and connections, those that wait among them. */
  readonly requests: number
  readonly waiting: number
  readonly readyEndpoints: number
  /** Milliseconds since a request came or a byte moved; undefined: never. */
  readonly quietMs: number | undefined
}

interface GatewayDoor {
  /** `http://127.0.0.1:43113` */
  readonly url: string
  /** The scaler's port on the same host. */
  readonly scalerPort: number
  routes(): readonly RouteStanding[]
}

export const gatewayDoorPort = port<GatewayDoor>('gateway-door')
