// Where the gateway of this process answers, and how routes stand at it, or at those of the cluster: for pages that show it to people.
import { port } from '../capability.ts'

/** What all gateways together say, as it was when they were asked last. */
export interface GatewaysStanding {
  /** How many answered. */
  readonly answered: number
  /** Pods that did not, and of which is told what they said before. */
  readonly late: readonly { readonly name: string; readonly agoMs: number }[]
  /** Pods of which nothing is known. */
  readonly silent: readonly { readonly name: string; readonly why: string }[]
  /** Why it is not known which gateways there are now; absent: it is. */
  readonly unlisted?: string | undefined
  /** Sums of those that answered or are late, by `namespace/name`. */
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
        /** Empty: the gateway tells it nobody. */
        readonly sentence: string
        readonly trouble?: string | undefined
        readonly totalMs: number
        readonly etaMs?: number | undefined
      }
    | undefined
}

/** All gateways of a cluster. */
export interface Gateways {
  /** As far as they said when they were asked last; undefined: nobody asked. */
  standing(): GatewaysStanding | undefined
  /** Asks each once more, in bounded time, whoever is under way; never rejects. Absent: what is told is always of now. */
  ask?(signal: AbortSignal): Promise<void>
}

interface GatewayDoor {
  /** `http://127.0.0.1:43113` */
  readonly url: string
  /** The scaler's port on the same host. */
  readonly scalerPort: number
  standing(): GatewaysStanding
}

/** Those that another process runs. */
export const gatewaysPort = port<Gateways>('gateways')

export const gatewayDoorPort = port<GatewayDoor>('gateway-door')
