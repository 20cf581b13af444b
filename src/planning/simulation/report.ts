// What a simulation answers. It survives JSON unchanged; equal scenarios on equal clusters give equal bytes.

import type { Expectation } from './scenario.ts'

export interface ResourceShare {
  /** In millicores, bytes, pieces. */
  readonly requested: number
  readonly allocatable: number
  /** Percent of allocatable, two digits. */
  readonly percent: number
  /** What `kubectl describe node` prints. */
  readonly printed: number
}

export interface SimulatedNode {
  readonly node: string
  readonly state: 'ready' | 'cordoned' | 'not-ready' | 'off'
  readonly pods: number
  readonly podsAllocatable: number
  readonly cpu: ResourceShare
  readonly memory: ResourceShare
  /** Absent where nobody said what the node takes. */
  readonly watts?: number
}

export interface Landing {
  readonly pod: string
  /** `Kind/name` of its topmost controller; empty for a bare pod. */
  readonly workload: string
  /** The pod that it takes the place of, and where that was. */
  readonly replaces?: string
  readonly from?: string
  readonly node: string
  /** All nodes that it may have landed on; the first ones where they are many. */
  readonly landing: readonly string[]
  /** How many they are. */
  readonly landingSize: number
  /** Why elsewhere than planned, of moves of a plan. */
  readonly wanted?: string
  /** As kube-scheduler-simulator annotates pods; only where asked for. */
  readonly annotations?: Readonly<Record<string, string>>
}

export interface PendingPod {
  readonly pod: string
  readonly workload: string
  /** kube-scheduler's text. */
  readonly message: string
}

export interface Refused {
  readonly pod: string
  readonly code: number
  readonly message: string
  readonly cause?: string
  readonly budget?: string
}

export interface ExpectationOutcome {
  readonly where: string
  readonly expected: Expectation
  readonly found: string
  readonly holds: boolean
}

export interface PlanSummary {
  readonly policy: string
  readonly outcome: string
  readonly moves: number
  readonly lowerBound: number
  readonly landing: string
  /** Moves whose pod landed elsewhere than planned. */
  readonly elsewhere: number
}

/** One plugin of one profile in one cycle. */
export interface DeschedulerPlugin {
  readonly profile: string
  readonly strategy: string
  readonly evicted: number
  /** What it takes nodes for, where it judges them: `underutilized: [talos03]`. Names in their order. */
  readonly nodes?: Readonly<Record<string, readonly string[]>>
  /** Nodes that pods are to leave, in this order. */
  readonly sources?: readonly string[]
  /** Room for pods that move, as it was at the start: cpu in millicores, the others whole. */
  readonly room?: Readonly<Record<string, string | number>>
  /** Why it ended without a look at pods. */
  readonly ended?: string
  readonly error?: string
}

/** A wish that a limit of the policy stopped. */
export interface LimitedWish {
  readonly pod: string
  readonly strategy: string
  /** Upstream's name of the limit. */
  readonly limit: string
}

export interface DeschedulerEviction {
  readonly pod: string
  /** `Kind/name` of its topmost controller; empty for a bare pod. */
  readonly workload: string
  readonly from: string
  readonly profile: string
  readonly strategy: string
  /** Upstream's; empty where it gives none. */
  readonly reason: string
  /** The pod that its controller made in its place. */
  readonly replacedBy?: string
  /** Where that landed at once; absent: it waited, or there is none. */
  readonly to?: string
  /** It had only come in place of one that was evicted in this step. */
  readonly again?: boolean
}

export interface DeschedulerCycle {
  /** From 1. */
  readonly cycle: number
  /** Why nothing was done. */
  readonly skipped?: string
  readonly plugins: readonly DeschedulerPlugin[]
  readonly evicted: readonly DeschedulerEviction[]
  /** How many evictions budgets refused; the step's `refusals` has them. */
  readonly refused: number
  readonly limited: readonly LimitedWish[]
  /** Afterwards, in percent of allocatable; `pods` is a number. */
  readonly nodes: readonly { readonly node: string; readonly cpu: number; readonly memory: number; readonly pods: number }[]
}

/** After cycle `after` the pods stand as after cycle `since` (0: before the first), though `evicted` went in between and more go later. */
export interface DeschedulerLoop {
  readonly since: number
  readonly after: number
  readonly evicted: number
}

export interface DeschedulerSummary {
  /** Where the policy was found. */
  readonly policy: string
  readonly cycles: readonly DeschedulerCycle[]
  readonly evicted: number
  /** The part of them that had come in place of an evicted one. */
  readonly evictedAgain: number
  /** The last cycle evicts none. */
  readonly settled: boolean
  readonly loop?: DeschedulerLoop
}

export interface StepReport {
  /** From 1. */
  readonly step: number
  readonly op: string
  readonly what: string
  readonly say?: string
  /** What the kubelets and controllers took, where the scenario asks for such times. */
  readonly seconds: number
  readonly landings: readonly Landing[]
  /** All pods that wait at the end of the step. */
  readonly pending: readonly PendingPod[]
  readonly refusals: readonly Refused[]
  /** Pods that are gone and that nobody makes anew. */
  readonly lost: readonly string[]
  readonly notes: readonly string[]
  readonly plan?: PlanSummary
  readonly descheduler?: DeschedulerSummary
  readonly nodes: readonly SimulatedNode[]
  /** Watts of all nodes that are known; absent where none is. */
  readonly watts?: number
  readonly expectations: readonly ExpectationOutcome[]
}

export interface SimulationGoal {
  readonly goal: string
  readonly node: string
  readonly resource: string
  readonly bound: 'max' | 'min'
  readonly wanted: number
  readonly before: number
  readonly after: number
  readonly holds: boolean
}

export interface SimulationReport {
  readonly scenario: string
  readonly server: string
  readonly seed: number
  readonly start: { readonly nodes: readonly SimulatedNode[]; readonly watts?: number; readonly pending: number }
  readonly steps: readonly StepReport[]
  readonly goals: readonly SimulationGoal[]
  readonly expectations: readonly ExpectationOutcome[]
  /** Every goal and every expectation. */
  readonly holds: boolean
}
