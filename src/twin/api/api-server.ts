// What all parts of the API server share: the store, the resources served, time and chance.
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import type { Store } from '../store.ts'
import type { TellTrouble } from '../trouble.ts'
import type { CallWebhook } from './admission/webhook-call.ts'
import type { ResourceRegistry } from './resource-registry.ts'
import type { Uids } from './uids.ts'
import type { WatchHub } from './watches/watch-hub.ts'

export interface ApiServer {
  readonly store: Store
  /** Who is told of what is committed. */
  readonly watches: WatchHub
  readonly resources: ResourceRegistry
  /** The cluster's time: what is written into objects. */
  readonly clock: Clock
  /** Real time: how long watches and waits of clients take. */
  readonly wire: Clock
  readonly random: Random
  /** Calls webhooks of admission and of conversion. */
  readonly callWebhook: CallWebhook
  /** The minor version of Kubernetes that is simulated: 36 for 1.36. */
  readonly minor: number
  /** Told of faults of the twin itself; none of them ends it. */
  readonly onTrouble: TellTrouble
  /** UIDs of loaded objects whose dump does not say who wrote them: the first write to each begins their records. */
  readonly unsigned: Set<string>
  readonly uids: Uids
}

/** Who makes a request. */
export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

let lastSecond = { second: Number.NaN, text: '' }

/** The time as it is written into objects: whole seconds, UTC. */
export function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000)
  // It is asked for many times in a second.
  if (second !== lastSecond.second) lastSecond = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` }
  return lastSecond.text
}
