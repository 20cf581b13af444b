// What a user wishes of a plan: goals for nodes, what may be moved, and what it may cost. Whether it can be had is not decided here.

import type { WorkloadReference } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel, type OwnerLabel, type UnlabelledOwner } from '#cluster/ownership.ts'
import type { LabelSelector } from '#kube/objects/objects.ts'

export const localStorageRules = ['refuse', 'allow'] as const
/**
 * Workloads of one replica. `surge`: by a surge where that can be, else by an eviction; `surgeOnly`: what cannot surge stays; `evict`: by an
 * eviction; `skip`: they stay.
 */
export const singleReplicaRules = ['surge', 'surgeOnly', 'evict', 'skip'] as const

/** Name of a resource as nodes say it: `cpu`, `memory`, `pods`, `nvidia.com/gpu`. */
export type GoalResource = string

/** Holds where the nodes' requests (or measured use) lie strictly below `max` and strictly above `min` percent of allocatable. */
export interface Goal {
  readonly name: string
  /** Names of nodes; each of them has to reach it. */
  readonly nodes: readonly string[]
  readonly resource: GoalResource
  readonly stat: 'requests' | 'usage'
  readonly max?: number
  readonly min?: number
  /** Percentage points by which a plan has to do better, so that a small change does not break the goal again. */
  readonly margin: number
  /** True: a plan that misses it is no plan. False: it is reached as far as possible. */
  readonly hard: boolean
  /** How much a point that is missing counts beside those of other soft goals. Default: 1. */
  readonly weight?: number
}

/** Nodes that a goal speaks of as one: a single node, or all of a zone or pool. */
export interface GoalMember {
  readonly name: string
  /** Names of nodes. */
  readonly nodes: readonly string[]
}

/** What nodes draw or cost together. */
export type UseMeasure = 'watts' | 'cost'

/**
 * What a node draws (watts) or costs (an hour) without anything that would have to go elsewhere (`unused`), and with it: `idle` and a part of
 * what is between `idle` and `full` as large as the part of its CPU that is requested.
 */
export interface NodeRate {
  readonly node: string
  readonly unused: number
  readonly idle: number
  readonly full: number
}

/**
 * A goal over several nodes. `share`: each set by its sum over its allocatable, strictly within `max` and `min`. `spread`: the fullest
 * member of each set at most `max` points above the emptiest. `deviation`: the members at most `max` points from their mean, on average
 * (the mean absolute deviation, not the square). `survives`: whichever member is lost, its pods find a place on what is left. `watts`, `cost`:
 * what the nodes draw or cost together, by `rates`, is at most `max`.
 */
export interface FleetGoal {
  readonly name: string
  readonly measure: 'share' | 'spread' | 'deviation' | 'survives' | UseMeasure
  /** Without meaning where nodes count whole. */
  readonly resource: GoalResource
  readonly sets: readonly { readonly name: string; readonly members: readonly GoalMember[] }[]
  /** One for each node of the set, with `watts` and `cost`. */
  readonly rates?: readonly NodeRate[]
  readonly max?: number
  readonly min?: number
  readonly margin: number
  readonly hard: boolean
  readonly weight?: number
}

/** A node that a pool does not count, and why. */
export interface LeftOut {
  readonly goal: string
  readonly node: string
  /** `cordoned`, `not ready`, or what is missing. */
  readonly because: string
}

/** Where pods should land if they move at all. */
interface Preference {
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[]
  readonly labelSelector?: LabelSelector
  readonly nodes: readonly string[]
}

/** Nodes that are kept for the core: every other pod leaves them, and none comes to them. */
export interface IsolationRules {
  /** Names of nodes. */
  readonly nodes: readonly string[]
  /** Key of the NoSchedule taint that keeps the nodes for who tolerates it. */
  readonly taint: string
  /** Pods of these stay, whatever they are. */
  readonly coreNamespaces: readonly string[]
  /** Pods that may stay all the same: `namespace/name` of a pod or workload, or `namespace/Kind/name`. */
  readonly exceptions: readonly string[]
  /** `waitForZero`: what KEDA scales leaves when it has no pods; `evict`: as everything else. */
  readonly keda: 'waitForZero' | 'evict'
  /** Also what is labelled `none` or has no owner label. */
  readonly includeUnmanaged: boolean
  /** From where pods of the core have their toleration: their template (default), or a webhook that adds it while they are created. */
  readonly tolerationsFrom?: 'template' | 'webhook'
}

/** What a node draws, as its owner measured it, and whether it may be switched off at all. */
export interface EnergyNode {
  readonly name: string
  readonly idleWatts: number
  readonly maxWatts: number
  readonly standbyWatts: number
  readonly bootSeconds: number
  readonly powerDown: 'allowed' | 'never'
}

/** Nodes that could be off for want of work. */
export interface EnergyRules {
  readonly nodes: readonly EnergyNode[]
  /** So many nodes stay on and ready. */
  readonly minReadyNodes: number
  /** What stays free on one node that is on, in millicores and bytes; where left out the largest pod and a tenth more. */
  readonly reserve: { readonly cpu?: number; readonly memory?: number }
  readonly minOffMinutes: number
  /** When nodes may be off: `CRON;DURATION;ZONE`. Absent: at any time. */
  readonly window?: string
}

/** What a cluster lives by: the namespaces that are core where a policy does not say. */
export const defaultCoreNamespaces: readonly string[] = [
  'kube-system',
  'cert-manager',
  'external-secrets',
  'flux-system',
  'argocd',
  'traefik',
  'liqo',
  'cilium-spire',
  'local-path-storage',
  'node-feature-discovery',
]

export interface PlanPolicy {
  readonly name: string
  readonly goals: readonly Goal[]
  /** Goals over several nodes. */
  readonly fleetGoals: readonly FleetGoal[]
  readonly leftOut?: readonly LeftOut[]
  readonly scope: {
    /** Empty `include`: all namespaces. What is excluded still counts as load. */
    readonly namespaces: { readonly include: readonly string[]; readonly exclude: readonly string[] }
    readonly labelSelector?: LabelSelector
    /** Nodes that are worked on, as sources and as destinations. */
    readonly nodeSelector?: LabelSelector
  }
  /** Percent of allocatable up to which a destination may be filled. */
  readonly headroom: { readonly cpu: number; readonly memory: number; readonly pods: number }
  /** Counts of pods that leave. */
  readonly limits: {
    readonly perPlan: number
    /** Which limit of the policy `perPlan` is what is left of; absent: of its own. */
    readonly perPlanBy?: 'perHour' | 'perDay'
    readonly perNode?: number
    readonly perNamespace?: number
    readonly concurrent: number
  }
  readonly preferences: readonly Preference[]
  readonly coordination: {
    readonly enforce: boolean
    /** What a pod without any owner label counts as. */
    readonly unlabelled: UnlabelledOwner
    readonly requirePDB: boolean
    /** What has an emptyDir or an ephemeral volume: a move loses its content. */
    readonly localStorage: (typeof localStorageRules)[number]
    /** `exclude`: what a ScaledObject or ScaledJob targets belongs to KEDA whatever its label says. */
    readonly kedaPresence: 'exclude' | 'ignore'
    readonly ownerLabel: OwnerLabel
  }
  readonly landing: 'observe' | 'prefer' | 'hold'
  readonly method: 'auto' | 'milp' | 'greedy'
  /** `moves`: each pod costs 1. */
  readonly objective: 'cost' | 'moves'
  readonly singleReplica: (typeof singleReplicaRules)[number]
  /**
   * Makes the plan one that empties nodes: only their pods move, all that may leave at once, none comes to them, and no budget is
   * demanded (those that exist hold). Scope and limits speak of balance and do not count; goals are still aimed for.
   */
  readonly isolation?: IsolationRules
  /** Nodes that could be switched off are named beside the plan; goals come first. */
  readonly energy?: EnergyRules
}

/**
 * A policy with the defaults of RebalancePolicy for what `given` leaves out, of who may be moved the strictest; nested groups are merged
 * field by field.
 */
export function policyWithDefaults(given: PartialPolicy): PlanPolicy {
  return {
    goals: [],
    fleetGoals: [],
    preferences: [],
    landing: 'prefer',
    method: 'auto',
    objective: 'cost',
    singleReplica: 'surge',
    ...given,
    scope: { ...given.scope, namespaces: { include: [], exclude: [], ...given.scope?.namespaces } },
    headroom: { cpu: 85, memory: 85, pods: 95, ...given.headroom },
    limits: { perPlan: 30, concurrent: 1, ...given.limits },
    coordination: {
      enforce: true,
      unlabelled: 'none',
      requirePDB: true,
      localStorage: 'refuse',
      kedaPresence: 'exclude',
      ownerLabel: defaultOwnerLabel,
      ...given.coordination,
    },
  }
}

export interface PartialPolicy extends Partial<Omit<PlanPolicy, 'name' | 'scope' | 'headroom' | 'limits' | 'coordination'>> {
  readonly name: string
  readonly scope?: Partial<Omit<PlanPolicy['scope'], 'namespaces'>> & {
    readonly namespaces?: Partial<PlanPolicy['scope']['namespaces']>
  }
  readonly headroom?: Partial<PlanPolicy['headroom']>
  readonly limits?: Partial<PlanPolicy['limits']>
  readonly coordination?: Partial<PlanPolicy['coordination']>
}

/** The key of a workload in maps: `shop/Deployment/cart`. */
export function workloadKey(workload: Pick<WorkloadReference, 'kind' | 'namespace' | 'name'>): string {
  return `${workload.namespace}/${workload.kind}/${workload.name}`
}
