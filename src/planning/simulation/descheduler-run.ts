// What a simulation needs of a descheduler: its cycles, one at a time. Whoever knows DeschedulerPolicies brings them.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { DeschedulerPlugin, LimitedWish } from './report.ts'

/** A pod that a policy wants to go. */
export interface EvictionWished {
  readonly pod: PodState
  readonly profile: string
  readonly strategy: string
  /** Upstream's reason; empty where it gives none. */
  readonly reason: string
}

/** How one cycle went, but for its evictions. */
export interface CycleSaid {
  /** Why nothing was done. */
  readonly skipped?: string
  /** In the order in which they ran. */
  readonly plugins: readonly DeschedulerPlugin[]
  readonly limited: readonly LimitedWish[]
}

export interface CycleWorld {
  readonly state: ClusterState
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** The answer to a wish: why the server would refuse the eviction; `undefined`: the pod is gone. */
  readonly evict: (wish: EvictionWished) => { readonly code: number; readonly message: string } | undefined
}

export interface DeschedulerRun {
  /** Where the policy was found. */
  readonly policy: string
  /** Parts of the policy that have no effect, or probably not the meant one. */
  readonly notes: readonly string[]
  /** One cycle. @throws the reason of an abort */
  cycle(world: CycleWorld): Promise<CycleSaid>
  /** A pod stands in the place of another one: usage that was measured goes with it. Keys are `namespace/name`. */
  replaced(previous: string, next: string): void
}
