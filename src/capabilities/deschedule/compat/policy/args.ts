// The arguments of every plugin as the strategies and the evictor use them: checked, with defaults, selectors parsed.
import type { Selector } from '#kube/objects/selector.ts'

/** At most one of the lists has entries. Both empty: all namespaces. */
export interface NamespaceChoice {
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** Which pods a strategy looks at, before any evictor. */
export interface PodChoice {
  readonly namespaces: NamespaceChoice
  /** Absent: any labels. */
  readonly labelSelector?: Selector
}

/** Percent by resource name, 0 to 100, in order of the names. Never empty. */
export type Thresholds = ReadonlyMap<string, number>

/** Where LowNodeUtilization has its figures from. */
export type UsageSource =
  | { readonly kind: 'requests' }
  | { readonly kind: 'KubernetesMetrics' }
  | { readonly kind: 'Prometheus'; readonly query: string }

export interface LowNodeUtilizationArgs {
  readonly plugin: 'LowNodeUtilization'
  /** The same resources as `targetThresholds`. */
  readonly thresholds: Thresholds
  readonly targetThresholds: Thresholds
  readonly useDeviationThresholds: boolean
  /** It acts where more nodes than this are underused. */
  readonly numberOfNodes: number
  /** These count as usage and are not evicted. */
  readonly excludedNamespaces: readonly string[]
  /** Evictions per source node and run; absent: no limit. */
  readonly nodeEvictionLimit?: number
  readonly usage: UsageSource
}

export interface HighNodeUtilizationArgs {
  readonly plugin: 'HighNodeUtilization'
  readonly thresholds: Thresholds
  readonly numberOfNodes: number
  /** Eviction mode `OnlyThresholdingResources`. */
  readonly onlyThresholdingResources: boolean
  readonly excludedNamespaces: readonly string[]
}

export interface RemoveDuplicatesArgs {
  readonly plugin: 'RemoveDuplicates'
  readonly excludeOwnerKinds: readonly string[]
  readonly namespaces: NamespaceChoice
}

export interface TopologySpreadArgs extends PodChoice {
  readonly plugin: 'RemovePodsViolatingTopologySpreadConstraint'
  readonly constraints: readonly ('DoNotSchedule' | 'ScheduleAnyway')[]
  readonly topologyBalanceNodeFit: boolean
}

export interface InterPodAntiAffinityArgs extends PodChoice {
  readonly plugin: 'RemovePodsViolatingInterPodAntiAffinity'
}

export interface NodeAffinityArgs extends PodChoice {
  readonly plugin: 'RemovePodsViolatingNodeAffinity'
  /** In the order of the policy; an unknown type is logged and passed over when it runs. */
  readonly nodeAffinityType: readonly string[]
}

export interface NodeTaintsArgs extends PodChoice {
  readonly plugin: 'RemovePodsViolatingNodeTaints'
  readonly includePreferNoSchedule: boolean
  /** Each `key` or `key=value`. */
  readonly excludedTaints: readonly string[]
  /** Present and empty includes no taint; absent includes all. */
  readonly includedTaints?: readonly string[]
}

export interface TooManyRestartsArgs extends PodChoice {
  readonly plugin: 'RemovePodsHavingTooManyRestarts'
  /** At least 1. */
  readonly podRestartThreshold: number
  readonly includingInitContainers: boolean
  /** Empty: any. */
  readonly states: readonly string[]
}

/** Set fields must be equal; at least one is set. */
export interface PodConditionFilter {
  readonly type?: string
  readonly status?: string
  readonly reason?: string
  readonly minTimeSinceLastTransitionSeconds?: number
}

export interface PodLifeTimeArgs extends PodChoice {
  readonly plugin: 'PodLifeTime'
  readonly maxPodLifeTimeSeconds?: number
  readonly states: readonly string[]
  readonly conditions: readonly PodConditionFilter[]
  readonly exitCodes: readonly number[]
  /** At most one has entries. */
  readonly ownerKinds: NamespaceChoice
  readonly includingInitContainers: boolean
  readonly includingEphemeralContainers: boolean
}

export interface FailedPodsArgs extends PodChoice {
  readonly plugin: 'RemoveFailedPods'
  readonly minPodLifetimeSeconds: number
  readonly excludeOwnerKinds: readonly string[]
  readonly reasons: readonly string[]
  readonly exitCodes: readonly number[]
  readonly includingInitContainers: boolean
}

/** The arguments of a strategy, told apart by `plugin`. */
export type StrategyArgs =
  | LowNodeUtilizationArgs
  | HighNodeUtilizationArgs
  | RemoveDuplicatesArgs
  | TopologySpreadArgs
  | InterPodAntiAffinityArgs
  | NodeAffinityArgs
  | NodeTaintsArgs
  | TooManyRestartsArgs
  | PodLifeTimeArgs
  | FailedPodsArgs

export type StrategyName = StrategyArgs['plugin']

export type PodProtection =
  | 'PodsWithLocalStorage'
  | 'DaemonSetPods'
  | 'SystemCriticalPods'
  | 'FailedBarePods'
  | 'PodsWithPVC'
  | 'PodsWithoutPDB'
  | 'PodsWithResourceClaims'

export interface DefaultEvictorArgs {
  readonly plugin: 'DefaultEvictor'
  readonly nodeFit: boolean
  /** Which nodes `nodeFit` looks at; everything where the policy says nothing. */
  readonly nodeSelector: Selector
  readonly minReplicas: number
  readonly minPodAge?: {
    readonly ms: number
    /** As Go prints it: `5m0s`. */
    readonly text: string
  }
  readonly labelSelector?: Selector
  readonly namespaceLabelSelector?: Selector
  /** Pods of this priority and above stay. */
  readonly priorityThreshold: number
  readonly isPreferNoEvictionMandatory: boolean
  /** What is protected in the end: defaults, deprecated fields and lists weighed up. */
  readonly protections: ReadonlySet<PodProtection>
  /** PodsWithPVC: only these classes; empty: all. */
  readonly protectedStorageClasses: readonly string[]
}

export type PluginArgs = StrategyArgs | DefaultEvictorArgs

export interface PolicyProfile {
  readonly name: string
  /** In the order in which they run. */
  readonly deschedule: readonly StrategyArgs[]
  readonly balance: readonly StrategyArgs[]
  readonly evictor: DefaultEvictorArgs
}

export interface PrometheusProvider {
  readonly url: string
  /** Absent: the service account's own token, read anew each cycle. */
  readonly tokenSecret?: { readonly namespace: string; readonly name: string }
}

export interface EvictionLimits {
  readonly total?: number
  readonly node?: number
  readonly namespace?: number
}

/** A DeschedulerPolicy v1alpha2, checked. */
export interface DeschedulerPolicy {
  readonly nodeSelector: Selector
  readonly limits: EvictionLimits
  readonly gracePeriodSeconds?: number
  readonly evictionFailureEventNotification: boolean
  /** Whether metrics.k8s.io is asked (provider or the deprecated collector). */
  readonly kubernetesMetrics: boolean
  readonly prometheus?: PrometheusProvider
  readonly profiles: readonly PolicyProfile[]
}
