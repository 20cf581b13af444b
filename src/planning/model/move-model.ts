// The choice a plan makes, as plain numbers: classes of identical pods, nodes with room, and rules between them.
// Nothing here knows Kubernetes objects or a solver; both the greedy search and the integer program work on this.

import type { Measure } from '../goals/measures.ts'
import type { GoalResource } from '../goals/policy.ts'
import type { Amounts } from '../plan-record.ts'

/** Pods that nothing tells apart: same workload, source node, requests, rules and cost. */
export interface MoveClass {
  /** Readable and unique: `shop/Deployment/cart@node-a`, with `#2` and so on for further shapes. */
  readonly name: string
  readonly workload: string
  readonly namespace: string
  /** Index into `nodes`. */
  readonly from: number
  readonly size: number
  /** Without `pods`. */
  readonly requests: Amounts
  /** Measured use, where known. */
  readonly usage: Amounts
  /** Whole and positive; 1 where the objective is `moves`, else thousandths. */
  readonly cost: number
  /** Indexes of the nodes it may go to, ascending, without `from`. */
  readonly destinations: readonly number[]
  /** Indexes of the nodes its preferences name; `undefined` without preference. */
  readonly preferred: ReadonlySet<number> | undefined
}

export interface ModelNode {
  readonly name: string
  readonly allocatable: Amounts
  /** Requested by all pods of the node now, `pods` included. */
  readonly used: Amounts
  /** Up to where arrivals may fill it, by resource; never below `used` for lack of will: a node above it may not grow. */
  readonly ceiling: Amounts
}

/** One amount of a row: what its nodes use together, of all pods or of some. */
export interface GoalPart {
  /** Indexes into `nodes`. */
  readonly nodes: readonly number[]
  /** The part's value for each unit of its amount: 1 where amounts are added up, 100 / allocatable where shares are compared. */
  readonly factor: number
  /** The amount now. */
  readonly used: number
  /** Classes whose pods count; absent: all. */
  readonly only?: ReadonlySet<number>
  /** The amount is a number of pods, and its value is the factor where there are any and 0 where there are none. */
  readonly isStep?: true
}

/** What a part with so large an amount adds to its row. */
export function valueOfPart({ factor, isStep }: GoalPart, used: number): number {
  return isStep === true ? (used > 0 ? factor : 0) : used * factor
}

/** A bound on what one node uses, in integers; with `parts` on the amounts of several. */
export interface GoalRow {
  readonly goal: string
  /** The first of its nodes, where it has `parts`. */
  readonly node: number
  readonly parts?: readonly GoalPart[]
  /** How the values of the parts become one: their sum (default), the largest less the smallest, their mean distance from their mean, or the sum of what nodes in use take (`use`). */
  readonly measure?: Measure
  /** What it is about, for people: `zone eu-a`. Absent: the node. */
  readonly subject?: string
  readonly resource: GoalResource
  readonly stat: 'requests' | 'usage'
  readonly bound: 'max' | 'min'
  /** Inclusive, margin and strictness already in it. */
  readonly limit: number
  /** What the node uses now, by the goal's `stat`. */
  readonly used: number
  /** What 100 points are. */
  readonly allocatable: number
  readonly hard: boolean
  /** What a missing point counts. Default: 1. */
  readonly weight?: number
}

/** The parts of a row: those it has, or its node as the only one. */
export function partsOf(row: GoalRow): readonly GoalPart[] {
  return row.parts ?? [{ nodes: [row.node], factor: 1, used: row.used }]
}

/** Nodes that a row speaks of. */
export function nodesOf(row: GoalRow): readonly number[] {
  return row.parts === undefined ? [row.node] : row.parts.flatMap(({ nodes }) => nodes)
}

/** Nodes that may have to give pods away for the row (`from`), and those that may have to take them (`to`). */
export function endsOf(row: GoalRow): { readonly from: readonly number[]; readonly to: readonly number[] } {
  const nodes = nodesOf(row)
  if (row.measure === 'range' || row.measure === 'deviation') return { from: nodes, to: nodes }
  return row.bound === 'max' ? { from: nodes, to: [] } : { from: [], to: nodes }
}

/** Nodes that share a value of a topology key, and how many unmovable pods there count. */
export interface Domain {
  readonly value: string
  readonly nodes: readonly number[]
  readonly fixed: number
}

/** A rule on how many pods of `members` (indexes of classes) each domain holds in the end. */
export type DomainRule =
  | {
      readonly kind: 'at-most'
      readonly name: string
      readonly members: readonly number[]
      readonly domains: readonly Domain[]
      readonly limit: number
    }
  | {
      readonly kind: 'skew'
      readonly name: string
      readonly members: readonly number[]
      readonly domains: readonly Domain[]
      readonly limit: number
    }
  | {
      /** No domain holds both pods of `members` and pods of `others`. */
      readonly kind: 'apart'
      readonly name: string
      readonly members: readonly number[]
      readonly others: readonly number[]
      readonly domains: readonly Domain[]
    }

export interface WorkloadSpread {
  readonly workload: string
  /** Pods of it that cannot move, by index of their node. */
  readonly fixed: ReadonlyMap<number, number>
  readonly classes: readonly number[]
}

export interface MoveModel {
  readonly nodes: readonly ModelNode[]
  readonly classes: readonly MoveClass[]
  readonly goals: readonly GoalRow[]
  readonly rules: readonly DomainRule[]
  /** Workloads with two or more pods: those that co-location can hurt. */
  readonly replicated: readonly WorkloadSpread[]
  readonly limits: { readonly perPlan: number; readonly perNode: number | undefined; readonly perNamespace: number | undefined }
}

/** `count` pods of one class go to one node. */
export interface Flow {
  readonly class: number
  readonly to: number
  readonly count: number
}

/** The flows in order of class and node; those of count 0 left out. */
export type Assignment = readonly Flow[]

/** Number of integer unknowns: pairs of class and destination. */
export function modelSize(model: MoveModel): number {
  return model.classes.reduce((sum, each) => sum + each.destinations.length, 0)
}

export function movedPods(assignment: Assignment): number {
  return assignment.reduce((sum, flow) => sum + flow.count, 0)
}

export function costOf(model: MoveModel, assignment: Assignment): number {
  return assignment.reduce((sum, flow) => sum + flow.count * (model.classes[flow.class]?.cost ?? 0), 0)
}
