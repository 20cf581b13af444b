// Whether the agent serves: it can be found by others, containerd answers it, and what is here was announced.
import type { RouterState, StoreHealth } from '../contract.ts'

export interface Readiness {
  readonly isReady: boolean
  /** Why not, in a line; empty where it is. */
  readonly reason: string
}

interface Standing {
  /** `undefined`: it has not started. */
  readonly router: Pick<RouterState, 'isReady' | 'reason'> | undefined
  readonly store: Pick<StoreHealth, 'isUp' | 'problems'> | undefined
  readonly isAnnounced: boolean
  /** The process was asked to end. */
  readonly isEnding: boolean
}

export function readinessOf({ router, store, isAnnounced, isEnding }: Standing): Readiness {
  const reasons = [
    isEnding ? 'shutting down' : undefined,
    store?.isUp === true ? undefined : `containerd: ${store?.problems[0]?.message ?? 'not reached yet'}`,
    router?.isReady === true ? undefined : `peers: ${router?.reason ?? 'not looked for yet'}`,
    isAnnounced ? undefined : 'what is here has not been announced yet',
  ].filter(reason => reason !== undefined)
  return { isReady: reasons.length === 0, reason: reasons.join('; ').replace(/[\r\n]+/g, ' ') }
}
