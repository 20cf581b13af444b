// What a capability asks of the arbiter: one voluntary disruption, as data. Nothing is decided here.

import type { WorkloadReference } from '#cluster/cluster-state.ts'
import type { OwnerLabel, UnlabelledOwner } from '#cluster/ownership.ts'

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

/** Plans that are made for a purpose: in whose name and how urgently their steps are asked for. */
interface PurposeOfPlans {
  readonly requester: string
  readonly class: DisruptionClass
  /** What such a plan is called among others. */
  readonly word: string
  /** What it is made for. */
  readonly aim: string
  /** Nodes are emptied by it: those that `spec.isolation` of its policy names. */
  readonly emptiesNodes: boolean
}

/** What is decided by a purpose alone, beside its column of the owner matrix. */
interface PurposeRow {
  readonly plans?: PurposeOfPlans
  /** Its evictions move pods: a rollout of their workload does that as well, and its new pods can be steered. */
  readonly movesPods?: boolean
  /** A wish says all that its workload is to have: of two that one requester wants the later one holds. */
  readonly saysAll?: boolean
  /** It waits for a rollout that is under way, even where it is none itself. */
  readonly awaitsRollouts?: boolean
  /** The way out where an owner does not allow it, if that is another than for the others. */
  readonly ownerWaysOut?: Readonly<Partial<Record<keyof OwnerLabel['values'] | 'unlabelled', string>>>
}

const drainByHand = 'drain the node by hand, or take this workload to 0 replicas before'
const isolateUnmanaged = 'set isolation.includeUnmanaged: true in the policy'

const rows = {
  reload: { saysAll: true, awaitsRollouts: true },
  resize: {},
  move: {
    movesPods: true,
    plans: { requester: 'deschedule', class: 'balance', word: 'balance', aim: 'for the goals', emptiesNodes: false },
  },
  isolate: {
    movesPods: true,
    plans: { requester: 'isolate', class: 'correctness', word: 'isolation', aim: 'for the control plane', emptiesNodes: true },
    ownerWaysOut: {
      keda: 'wait for its next 0 replicas, or set isolation.keda: evict in the policy',
      descheduler: isolateUnmanaged,
      none: isolateUnmanaged,
      unlabelled: isolateUnmanaged,
    },
  },
  'scale-to-zero': {},
  drain: { ownerWaysOut: { keda: drainByHand, descheduler: drainByHand, none: drainByHand } },
  // It takes nothing from anybody: a taint that only says "rather not".
  steer: {},
  provide: {},
} as const satisfies Readonly<Record<string, PurposeRow>>

/** What a disruption is for. A further purpose is a row of this table, and a column of the owner matrix. */
export type Purpose = keyof typeof rows
export const purposeRows: Readonly<Record<Purpose, PurposeRow>> = rows
export const purposes = Object.keys(rows) as readonly Purpose[]

/** The purposes that plans are made for. */
export type PlanPurpose = { [Name in Purpose]: (typeof rows)[Name] extends { readonly plans: object } ? Name : never }[Purpose]
export const planPurposes = purposes.filter((name): name is PlanPurpose => 'plans' in rows[name])

export function plansFor(purpose: PlanPurpose): PurposeOfPlans {
  return rows[purpose].plans
}

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

/**
 * What a rollout changes in its workload's pod template beside being one. The changes of several intents for one workload combine into
 * one rollout.
 */
export interface TemplateChange {
  readonly annotations?: Readonly<Record<string, string>>
  /** Environment variables of containers, by name of both. */
  readonly env?: readonly { readonly container: string; readonly name: string; readonly value: string }[]
  /** Environment variables that go, by name of container and variable; what is not there is left so. */
  readonly removeEnv?: readonly { readonly container: string; readonly name: string }[]
  /** Quantities by resource, of containers by name. */
  readonly resources?: readonly {
    readonly container: string
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }[]
}

export const rolloutMarks = ['time', 'none'] as const
export type RolloutMark = (typeof rolloutMarks)[number]

/** Destinations that a relocation names. */
export const mostDestinations = 64

/** From where a pod is to go, and where its replacement is to land. */
export interface Relocation {
  readonly from: string
  /** Not empty, and of many the first; the very first is the one meant. */
  readonly to: readonly string[]
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
  /** For `restart` and `resize`: rides along with whatever rollout of the workload comes first. */
  readonly change?: TemplateChange
  /**
   * Mark of a rollout: its template is marked with the time of the grant (`time`, the default), or not (`none`), because its change makes new pods by
   * itself. Where something goes along that asks for the mark it is written all the same.
   */
  readonly mark?: RolloutMark
  /** In whose name the effect is written; default `ballast-<requester>`. */
  readonly fieldManager?: string
  /** Relocation of a move: as a passenger of a rollout it steers the new pods. */
  readonly relocation?: Relocation
  /** For `scale`: how many replicas are wanted. */
  readonly replicas?: number
  /** The workload must keep at least so many replicas to be disturbed for this; default 0. */
  readonly leastReplicas?: number
  /** For `evict` and `drain`; without one they are denied in mode `enforce`. */
  readonly proof?: FitProof
  /** The policy behind it asks that a workload without any owner label be treated as `descheduler`'s (`descheduler`) or left alone (`none`). */
  readonly unlabelled?: UnlabelledOwner
  /** A disruption budget is demanded of each workload that is moved (rebalancing only). */
  readonly requireBudget?: boolean
  /** What a ScaledObject or ScaledJob targets belongs to whom its label says, not to KEDA (`coordination.kedaPresence: ignore`). */
  readonly ignoreScalers?: boolean
  /** For `isolate`: KEDA's running workloads are moved too, instead of waiting for their next 0 (`isolation.keda: evict`). */
  readonly evictScaled?: boolean
  /** For `isolate`: what carries no owner label, or `none`, is left alone (`isolation.includeUnmanaged: false`). */
  readonly spareUnmanaged?: boolean
}

/** The same for the same wish, across restarts: whose, and which. */
export function wishKey({ requester, idempotencyKey }: Pick<Intent, 'requester' | 'idempotencyKey'>): string {
  return `${requester}\n${idempotencyKey}`
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
