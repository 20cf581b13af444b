// The faces between the rooms of the drop-in descheduler: what a strategy sees, what it asks for, what it is told.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import type { Requests } from '#cluster/requests.ts'
import type { Breath, Pace } from './pace.ts'
import type { ByShape, GroupedPods } from './pod-shapes.ts'
import type { StrategyArgs } from './policy/args.ts'

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

/**
 * A strategy's run: it yields wishes, one at a time, and goes on with what became of each; between them a breath after so much work. Pure:
 * time and figures come in. What it throws (`StrategyError` with upstream's text) ends this plugin alone.
 */
export type StrategyRun = Generator<EvictionWish | Breath, void, EvictionAnswer>

/** Makes the run of any strategy; it works nothing before the first `next`. */
export type StrategyMaker = (args: StrategyArgs, view: StrategyView) => StrategyRun

/** Why a pod is not evicted: upstream's text of each rule that refuses, in upstream's order. Empty: it may be. */
export type Refusals = readonly string[]

/** The evictor plugins of one profile, ANDed. */
export interface Evictor {
  filter(pod: PodState): Refusals
  preEvictionFilter(pod: PodState): Refusals
}

/** Upstream's own idea of whether a pod fits a node, far less than the scheduler's. Sees what the cycle took away. */
export interface NodeFit {
  /** Upstream's text of the first rule that refuses; `undefined`: it fits. On the pod's own node its requests are not compared. */
  refusal(pod: PodState, node: NodeState): string | undefined
  /** Whether it fits one of `nodes`, its own included. */
  fitsAny(pod: PodState, nodes: readonly NodeState[]): boolean
  /** Whether it fits one of `nodes` that is not its own. */
  fitsAnyOther(pod: PodState, nodes: readonly NodeState[]): boolean
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
  readonly fit: NodeFit
  /** Counts what is done in one go: where it is due a strategy yields a breath. */
  readonly pace: Pace
  /** Pods on a node whose phase is neither Succeeded nor Failed, terminating ones included, without those that this cycle took away. By key. */
  activePods(node: string): readonly PodState[]
  /** All pods on a node, finished ones too. By key. */
  allPods(node: string): readonly PodState[]
  /** What a pod asks for by its spec alone, without in-place resizes: upstream's arithmetic. Never `pods`. Looked up, not computed, a second time. */
  requests(pod: PodState): Requests
  /** The sum of the requests of a node's active pods; beyond 2^53 it is not exact. */
  requestsOn(node: string): Requests
  /** As `PodShapes.memo`: what of a pod hangs on its template alone is worked out once for all pods of it. */
  byShape<Value extends NonNullable<unknown>>(make: (sample: PodState) => Value): ByShape<Value>
  /** As `PodShapes.groupedByAndBy`. */
  grouped(pods: Iterable<PodState>): Generator<Breath, GroupedPods, unknown>
  /** Whether what is told at this level is heard: texts for nobody need not be made. */
  isTold(level: number): boolean
  /** Says at log level `level` (klog's) what is of use to somebody who asks why. */
  tell(level: number, message: string, fields: Readonly<Record<string, string | number>>): void
}
