// Whether the agent serves: it can be found by others, and containerd answers it. Announcing what is here goes on after it: with thousands of
// digests and many nodes it takes longer than a node should be held for.
import type { RouterState, StoreHealth } from '../contract.ts'

export interface Readiness {
  readonly isReady: boolean
  /** Why not, in a line; empty where it is. Each reason begins with the word that a node's condition says. */
  readonly reason: string
}

interface Standing {
  /** `undefined`: it has not started. */
  readonly router: Pick<RouterState, 'isReady' | 'reason'> | undefined
  readonly store: Pick<StoreHealth, 'isUp' | 'problems'> | undefined
  /** Whether the data plane has its ports; `undefined`: there is none beside us. */
  readonly isServed?: boolean | undefined
  /** The process was asked to end. */
  readonly isEnding: boolean
}

export function readinessOf({ router, store, isServed, isEnding }: Standing): Readiness {
  const reasons = [
    isEnding ? 'Ending: shutting down' : undefined,
    isServed === false ? 'DataPlaneDown: nginx does not run' : undefined,
    store?.isUp === true ? undefined : `ContainerdUnreachable: ${store?.problems[0]?.message ?? 'not reached yet'}`,
    router?.isReady === true ? undefined : `NoPeers: ${router?.reason ?? 'not looked for yet'}`,
  ].filter(reason => reason !== undefined)
  return { isReady: reasons.length === 0, reason: reasons.join('; ').replace(/[\r\n]+/g, ' ') }
}
