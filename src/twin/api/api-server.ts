// What all parts of the API server share: the store, the resources served, time and chance.
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import type { Store } from '../store.ts'
import type { ResourceRegistry } from './resource-registry.ts'

export interface ApiServer {
  readonly store: Store
  readonly resources: ResourceRegistry
  /** The cluster's time: what is written into objects. */
  readonly clock: Clock
  /** Real time: how long watches and waits of clients take. */
  readonly wire: Clock
  readonly random: Random
  /** The minor version of Kubernetes that is simulated: 36 for 1.36. */
  readonly minor: number
}

/** Who makes a request. */
export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** The time as it is written into objects: whole seconds, UTC. */
export function timestamp(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`
}
