// What a capability asks of the arbiter: one voluntary disruption, as data. Nothing is decided here.
import type { WorkloadReference } from '#cluster/cluster-state.ts'

/** Everything that can take something away from somebody, or give it. The same words in code, events, metrics and docs. */
export const verbs = ['evict', 'restart', 'resize', 'scale', 'drain', 'taint', 'launch', 'terminate'] as const
export type Verb = (typeof verbs)[number]

/** Urgency, most urgent first; the index is the class number of the policy. */
export const disruptionClasses = ['safety', 'correctness', 'availability', 'capacity', 'cost', 'balance'] as const
export type DisruptionClass = (typeof disruptionClasses)[number]

/** 0 (safety) to 5 (balance). */
export function classNumber(name: DisruptionClass): number {
  return disruptionClasses.indexOf(name)
}

/** What a disruption is for: the column of the owner matrix. `steer` takes nothing from anybody (a taint that only says "rather not"). */
export const purposes = ['reload', 'resize', 'move', 'isolate', 'scale-to-zero', 'drain', 'steer', 'provide'] as const
export type Purpose = (typeof purposes)[number]

/** One object that a permit speaks of. `uid` pins the incarnation; only what has none yet (a node to be launched) goes without. */
export interface Target {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly uid?: string
}

/** Why, in words for people and in data for programs. */
export interface Reason {
  readonly code: string
  readonly message: string
  readonly data?: Readonly<Record<string, string>>
}

/** Proof by the scheduler model that what is taken away fits somewhere else, made on the state of this very moment. */
export interface FitProof {
  readonly snapshotHash: string
  /** Nodes on which a replacement may land; not empty. */
  readonly nodes: readonly string[]
}

export interface Intent {
  /** Name of the capability that asks. */
  readonly requester: string
  readonly verb: Verb
  readonly purpose: Purpose
  readonly class: DisruptionClass
  /** What the effect works on: pods for `evict`, one workload for `restart` and `scale`, nodes for `taint` and `drain`. 1 to 500. */
  readonly targets: readonly Target[]
  /** The workload whose pods go away; `undefined` for what disrupts no workload (a taint that only steers). */
  readonly workload: WorkloadReference | undefined
  /** Pods that go away by it, named with UID. */
  readonly disrupts: readonly Target[]
  readonly reasons: readonly Reason[]
  /** The same wish asked twice has the same key, across restarts. */
  readonly idempotencyKey: string
  /** Steps of one plan carry its id: cool-downs count the batch once. */
  readonly batch?: string
  /** Milliseconds since 1970: before this nothing is wanted. */
  readonly notBeforeMs?: number
  /** Milliseconds since 1970: from then on the wish is void. */
  readonly deadlineMs: number
  /** How long the effect may take, in milliseconds: the permit's time to live. */
  readonly timeToLiveMs: number
  /** For `evict` and `drain`; without one they are denied in mode `enforce`. */
  readonly proof?: FitProof
  /** The policy behind it asks that a workload without any owner label be treated as `descheduler`'s (`descheduler`) or left alone (`none`). */
  readonly unlabelled?: 'none' | 'descheduler'
  /** A disruption budget is demanded of each workload that is moved (rebalancing only). */
  readonly requireBudget?: boolean
}

/** `namespace/name`, or `name` for what has no namespace. */
export function targetKey(target: { readonly namespace?: string | undefined; readonly name: string }): string {
  return target.namespace === undefined ? target.name : `${target.namespace}/${target.name}`
}

/** `Deployment shop/cart`: how people are told about it. */
export function describeTarget(target: {
  readonly kind: string
  readonly namespace?: string | undefined
  readonly name: string
}): string {
  return `${target.kind} ${targetKey(target)}`
}
