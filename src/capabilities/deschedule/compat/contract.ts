// The faces between the rooms of the drop-in descheduler: what a strategy sees, what it asks for, what it is told.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'

/** The extension point at which a strategy runs: all `deschedule` plugins of all profiles before the first `balance` plugin. */
export type ExtensionPoint = 'deschedule' | 'balance'

/** What a strategy wants: one pod evicted. */
export interface EvictionWish {
  readonly pod: PodState
  /** The name of the strategy's plugin. */
  readonly strategy: string
  readonly profile: string
  /** Why, as upstream says it in the eviction's `reason`; empty where upstream says nothing. */
  readonly reason: string
}

/** How a wish ended, as the strategy that has it must know it to go on. */
export type EvictionAnswer =
  /** Evicted, or assumed to be by eviction in background. */
  | { readonly kind: 'evicted' }
  | { readonly kind: 'node-limit' }
  | { readonly kind: 'namespace-limit' }
  | { readonly kind: 'total-limit' }
  | { readonly kind: 'failed'; readonly message: string }

/** A strategy's run: it yields wishes, one at a time, and goes on with what became of each. Pure: time and figures come in. */
export type StrategyRun = Generator<EvictionWish, void, EvictionAnswer>

/** Why a pod is not evicted: upstream's text of each rule that refuses, in upstream's order. Empty: it may be. */
export type Refusals = readonly string[]

/** The evictor plugins of one profile, ANDed. */
export interface Evictor {
  filter(pod: PodState): Refusals
  preEvictionFilter(pod: PodState): Refusals
}

/** What one strategy of one profile sees. */
export interface StrategyView {
  readonly profile: string
  readonly state: ClusterState
  /** The nodes of the cycle: those of the policy's selector that are ready, by name. */
  readonly nodes: readonly NodeState[]
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly evictor: Evictor
  /** Pods on a node whose phase is neither Succeeded nor Failed, terminating ones included, without those that this cycle took away. By key. */
  activePods(node: string): readonly PodState[]
  /** All pods on a node, finished ones too. By key. */
  allPods(node: string): readonly PodState[]
  /** Says at log level `level` (klog's) what is of use to somebody who asks why. */
  tell(level: number, message: string, fields: Readonly<Record<string, string | number>>): void
}
