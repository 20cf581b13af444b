// Permits as a watch brings them, without a server: what is put into the store is what was heard.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { wholeProjection } from '#kube/informers/projection.ts'
import { type Change, Store } from '#kube/informers/store.ts'
import { type DisruptionPermit, disruptionPermits } from '../api.ts'

export interface PermitWatch {
  readonly informer: Informer<DisruptionPermit>
  readonly store: Store<DisruptionPermit>
}

/** An informer that is synced from the start, with its store. */
export function permitWatch(clock: Clock): PermitWatch {
  const handlers = new Set<(change: Change<DisruptionPermit>) => void>()
  const store = new Store<DisruptionPermit>({
    clock,
    projection: wholeProjection(),
    onChange: change => {
      for (const handler of handlers) handler(change)
    },
  })
  const informer: Informer<DisruptionPermit> = {
    resource: disruptionPermits,
    store,
    synced: Promise.resolve(),
    isSynced: true,
    state: 'synced',
    problem: undefined,
    lastEventElapsed: 0,
    counts: { events: 0, applyMs: 0, skipped: 0, relists: {}, watchRestarts: {} },
    estimatedBytes: 0,
    onChange: handler => {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
    observe: object => store.observe(object),
    retryNow: () => undefined,
    isPolled: false,
    freshen: async () => undefined,
  }
  return { informer, store }
}
