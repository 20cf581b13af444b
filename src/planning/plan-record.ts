// A plan as data: what it says about each pod, what it promises about each move, and what it would bring. It survives JSON unchanged.

import type { WorkloadReference } from '#cluster/cluster-state.ts'
import type { Problem } from '#kube/problem.ts'
import type { EnergyOutcome } from './energy/record.ts'
import type { FleetGoal, GoalMember, GoalResource, LeftOut, NodeRate, UseMeasure } from './goals/policy.ts'

/** Amounts by resource: cpu in millicores, memory in bytes, `pods` as a count, others whole. */
export type Amounts = Readonly<Record<string, number>>

interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export type MoveAction = 'evict' | 'surge'

export interface Move {
  /** `m01`, `m02`, … in the order in which they are carried out. */
  readonly id: string
  /** From 1. Moves of one wave do not wait for each other. */
  readonly wave: number
  /** The pod that the cluster has when the plan is made. */
  readonly pod: PodIdentity
  /** The earlier move that brought the pod to `from`, where this one takes it on: then it is that move's replacement that goes. */
  readonly follows?: string
  readonly workload: WorkloadReference
  readonly from: string
  readonly to: string
  /** Nodes on which the replacement may land without harm; holds `to`. */
  readonly acceptable: readonly string[]
  /** In a large cluster: every other node is acceptable too, but its source and the first so many of the plan's `closedNodes`. */
  readonly closed?: number
  readonly action: MoveAction
  readonly certificate: Certificate
}

/** Why a move is safe, in numbers that can be recomputed from the snapshot and the moves before it. */
export interface Certificate {
  readonly snapshotHash: string
  readonly podUid: string
  readonly requests: Amounts
  readonly from: string
  readonly to: string
  /**
   * Free on `to` (allocatable less requested, `pods` included) right before and after the replacement is bound. What left `to`
   * earlier in the same wave still counts as there.
   */
  readonly freeBefore: Amounts
  readonly freeAfter: Amounts
  /** Each filter of the scheduler with its verdict for the replacement on `to`. */
  readonly filters: Readonly<Record<string, 'passed'>>
  /** The nodes the scheduler may choose, and the total score of each node that it could run on. */
  readonly landing: {
    readonly mode: 'observe' | 'prefer' | 'hold'
    readonly nodes: readonly string[]
    readonly totals: Amounts
    /** How probable it is that it lands where it may; absent: nothing else can be. */
    readonly likely?: number
    /**
     * Stands for many nodes in place of `nodes` and `totals`, which are empty then: how many it may choose, on how many it could run, and the
     * SHA-256 of a line `<node> <total>` for each of the latter, in order, and one with the former, in order, between spaces.
     */
    readonly many?: { readonly count: number; readonly feasible: number; readonly digest: string }
  }
  /** The budget that covers the pod, before and after it is gone; absent where none does, or where nothing is evicted. */
  readonly budget?: BudgetRecord
}

interface BudgetRecord {
  readonly name: string
  readonly expected: number
  readonly desired: number
  readonly healthyBefore: number
  readonly healthyAfter: number
  readonly allowedBefore: number
  readonly allowedAfter: number
}

/** Why a pod is left alone. One code each; `data` has the facts that its sentence needs. */
export const stayCodes = [
  'Core',
  'Excepted',
  'KedaNotAtZero',
  'NamespaceExcluded',
  'OutOfScope',
  'NodeOutOfScope',
  'Unlabelled',
  'KedaManaged',
  'OwnerNone',
  'DaemonSet',
  'Mirror',
  'Static',
  'Critical',
  'Terminating',
  'NoOwner',
  'LocalStorage',
  'ResourceClaims',
  'DoNotDisrupt',
  'NotSafeToEvict',
  'JobOwned',
  'Frozen',
  'SourceLeaving',
  'NoPDB',
  'PDBNeverAllows',
  'PDBExhausted',
  'SingleReplica',
  'Quarantined',
  'CoolingDown',
  'JustScaled',
  'UnderWay',
  'Waking',
  'WindowClosed',
  'CapReached',
  'ArbiterDenies',
  'VolumePinned',
  'NodeAffinityPinned',
  'RecentlyMoved',
  'UsageUnknown',
  'NoFeasibleNode',
  'NoSafeOrder',
  'LandsElsewhere',
] as const
export type StayCode = (typeof stayCodes)[number]

export interface StayReason {
  readonly code: StayCode
  /** Facts of the reason: `pv` of VolumePinned, `budget` of PDBNeverAllows, `until` of what time alone changes … */
  readonly data: Readonly<Record<string, string>>
}

export interface Unmovable extends StayReason {
  readonly pod: PodIdentity
  readonly node: string
  readonly workload: WorkloadReference | undefined
  /** What else would hold it if this reason were gone, in order of precedence. */
  readonly also: readonly StayReason[]
}

export interface NodeShare {
  readonly node: string
  readonly resource: GoalResource
  readonly used: number
  readonly allocatable: number
  /** 100 * used / allocatable, not rounded to what `kubectl describe node` prints; 0 where nothing is allocatable. */
  readonly percent: number
}

/** The loss after which most pods stay Pending. */
export interface Loss {
  /** What is lost; of a loss that is survived the last that was played. */
  readonly lost: string
  /** Pods without a place: `namespace/name`. */
  readonly pending: readonly string[]
  /** Why the first of them has none, in words of the scheduler or of the headroom. */
  readonly because: string
  /** Set where the first of them wants for room alone. */
  readonly lack?: RoomLack
}

/** What is missing for a pod on the node that comes nearest to it, when all that go before it are placed. */
export interface RoomLack {
  readonly node: string
  readonly resource: string
  /** What the pod requests, what may still be filled on that node, and on all nodes together that could run the pod. */
  readonly needed: number
  readonly room: number
  readonly together: number
}

export interface GoalOutcome {
  readonly goal: string
  /** The node, or with `measure` what is spoken of: a zone, a pool, how many nodes. */
  readonly node: string
  /** Set for a goal over several nodes: what `wanted`, `before` and `after` are. Percent of all together; points; with `survives` pods; watts; a price an hour. */
  readonly measure?: FleetGoal['measure']
  readonly members?: readonly GoalMember[]
  /** Set where a loss is not survived: the loss after which most pods have no place. */
  readonly loss?: Loss
  /** With `watts` and `cost`: by what the nodes count, and those on which nothing is left that would have to go elsewhere. */
  readonly rates?: readonly NodeRate[]
  readonly unused?: readonly string[]
  /** What a missing point counts. Default: 1. */
  readonly weight?: number
  readonly resource: GoalResource
  readonly stat: 'requests' | 'usage'
  readonly bound: 'max' | 'min'
  /** Percent asked for, without the margin. */
  readonly wanted: number
  readonly hard: boolean
  readonly before: number
  readonly after: number
  /** `unknown`: a usage goal without measurements. */
  readonly state: 'met' | 'missed' | 'unknown'
  /** Percentage points that are missing after the plan; 0 where met. */
  readonly shortBy: number
}

/** A preference and a pod that is not where it says. */
export interface OpenWish {
  readonly pod: PodIdentity
  readonly node: string
  readonly wished: readonly string[]
  readonly because: StayCode | 'NotWorthAMove' | 'MovedElsewhere'
}

/** What stands in the way of the goals. All but the last five are such that without them alone every goal could be met. */
export type Blocker =
  /** `moves`: so many meet all goals without the limit. */
  | {
      readonly kind: 'limit'
      readonly limit: 'perPlan' | 'perHour' | 'perDay' | 'perNode' | 'perNamespace' | 'size'
      readonly moves?: number
    }
  | { readonly kind: 'headroom'; readonly resource: GoalResource; readonly percent: number }
  | { readonly kind: 'goal'; readonly goal: string; readonly hard: boolean }
  | {
      readonly kind: 'excluded'
      readonly code: StayCode
      readonly namespaces: readonly string[]
      readonly workloads: readonly string[]
    }
  | {
      readonly kind: 'supply'
      readonly goal: string
      readonly node: string
      readonly bound: 'max' | 'min'
      readonly resource: GoalResource
      /** How much has to leave (`max`) or arrive (`min`), and how much could at most. */
      readonly needed: number
      readonly available: number
    }
  | {
      /** Isolation: what must leave asks for more of a resource than the other nodes may still be filled with. */
      readonly kind: 'room'
      readonly resource: string
      readonly needed: number
      /** What is left on each node that may receive it. */
      readonly rooms: readonly { readonly node: string; readonly room: number }[]
      /** Set where one pod is too big for each node by itself. */
      readonly of?: string
    }
  | {
      /** After this loss these pods find no place, as the scheduler was played. */
      readonly kind: 'loss'
      readonly goal: string
      readonly lost: string
      readonly pods: readonly string[]
      readonly because: string
      readonly lack?: RoomLack
    }
  /** A goal that compares nodes or adds up what they take: by itself, other goals aside, it comes no closer than `atBest`. `isProven`: nothing comes closer. */
  | {
      readonly kind: 'best'
      readonly goal: string
      readonly subject: string
      readonly measure: 'spread' | 'deviation' | UseMeasure
      readonly wanted: number
      readonly atBest: number
      readonly isProven: boolean
    }
  /** `isProven`: no order has room for them, other moves and stops on the way included; otherwise none was found. */
  | { readonly kind: 'order'; readonly pods: readonly string[]; readonly isProven: boolean }
  | { readonly kind: 'landing'; readonly pods: readonly string[] }

export interface PlanExplanation {
  /** `proven`: no choice of moves reaches the goals. `unproven`: the search found none within its limits. */
  readonly certainty: 'proven' | 'unproven'
  readonly blockers: readonly Blocker[]
}

/** A bound that the search met. What is not proven could be better then. */
export type LimitMet =
  /** The integer program looks at so many branches at most. */
  | { readonly limit: 'branches'; readonly most: number }
  /** Only a part of the pairs of pods and nodes was looked at, and the others may be in a better plan. */
  | { readonly limit: 'pairs' }
  /** Orders of moves: the search ended before it had seen all. */
  | { readonly limit: 'orders' }
  /** The solver's process ended without its answer: its safety time, its memory, a fault. */
  | { readonly limit: 'solver'; readonly detail: string }

export interface Stage {
  readonly name: string
  readonly value: number
  readonly proven: boolean
}

/** How far a plan of isolation comes. */
export interface IsolationOutcome {
  readonly nodes: readonly string[]
  /** How many pods are to leave that can. */
  readonly toMove: number
  /** Those of them that the plan does not move: `namespace/name`. Empty: nothing stands in the way. */
  readonly left: readonly string[]
}

export const riskCodes = ['ShortOutage', 'LocalStorage', 'NoPDB', 'OneReplica'] as const
export const riskGrades = ['high', 'medium', 'low'] as const

export interface Risk {
  /** `ShortOutage`: the only replica is evicted; `OneReplica`: it surges; `LocalStorage`, `NoPDB`: as the reasons of pods that stay. */
  readonly code: (typeof riskCodes)[number]
  readonly grade: (typeof riskGrades)[number]
  /** How many moves have it. */
  readonly moves: number
  /** `namespace/Kind/name`, in order. */
  readonly workloads: readonly string[]
}

export interface Plan {
  readonly policyName: string
  readonly snapshotHash: string
  readonly landing: 'observe' | 'prefer' | 'hold'
  readonly moves: readonly Move[]
  /** Nodes on which replacements must not land, in the order in which they are closed; absent where each move names its own. */
  readonly closedNodes?: readonly string[]
  readonly unmovable: readonly Unmovable[]
  readonly objective: {
    readonly moves: number
    /** Sum of the costs of the moved pods; as many as moves where the objective is `moves`. */
    readonly cost: number
    /** No plan that reaches what this one reaches has fewer moves than this (relaxation, not rounded). */
    readonly lowerBound: number
    /** The bound is of plans that exceed the goals by their margins; fewer moves may do without these. */
    readonly withMargins?: true
    /** (moves - ceil(lowerBound)) / moves; 0 without moves. */
    readonly gap: number
  }
  readonly before: readonly NodeShare[]
  readonly after: readonly NodeShare[]
  readonly goals: readonly GoalOutcome[]
  readonly wishes: readonly OpenWish[]
  /** Nodes that pools do not count. */
  readonly leftOut?: readonly LeftOut[]
  /** `infeasible`: no plan can meet the goals; `not-met`: this one does not. Of isolation: nor move all that is to leave. */
  readonly outcome: 'met' | 'not-met' | 'infeasible'
  /** `none`: there was nothing to choose. */
  readonly method: 'milp' | 'greedy' | 'none'
  /** The objectives in their order, with what was reached and whether better is proven impossible. */
  readonly stages: readonly Stage[]
  /** Bounds of the search that were met, in the order in which they are met; absent where none was. */
  readonly limits?: readonly LimitMet[]
  /** Percentage points over all goals where some are missed: what the plan leaves, and what every plan under these limits leaves at least. */
  readonly shortfall?: { readonly left: number; readonly atLeast: number }
  /** The model in CPLEX LP format, empty where none was made. */
  readonly lp: string
  /** What is wrong with the policy on this cluster; with any of them nothing is moved. */
  readonly problems: readonly Problem[]
  readonly explanation?: PlanExplanation
  /** Outcome of a plan that empties nodes. */
  readonly isolation?: IsolationOutcome
  /** What may go wrong for the users of what is moved, the gravest first; absent where nothing may. */
  readonly risks?: readonly Risk[]
  /** Nodes that could be off after the plan, where its policy asks for that. */
  readonly energy?: EnergyOutcome
}

/** The part of a plan that a verifier judges; a `Plan` is one. */
export type PlanRecord = Pick<
  Plan,
  'policyName' | 'snapshotHash' | 'landing' | 'moves' | 'closedNodes' | 'objective' | 'before' | 'after'
> & {
  readonly goals?: readonly GoalOutcome[]
}
