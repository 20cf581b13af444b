// What the rules are asked, and what they can say. Data only: every part of a question is passed in, every part of an answer can be
// printed, stored and compared.
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { FitProof, Intent, Purpose, Target } from '../intent.ts'
import type { Observation, Observations } from '../observed/observation.ts'
import type { UnderWay } from '../observed/under-way.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { ArbiterPolicy, ArbitrationMode, GateName } from './arbiter-policy.ts'

export type TargetPresence = 'present' | 'terminating' | 'replaced' | 'gone'
export type Owner = keyof OwnerLabel['values']

/** A label that says other than what holds: a scaler targets the workload, or the value stands for nobody. */
export interface OwnerContradiction {
  /** The workload, or the pod that has none. */
  readonly subject: Target
  /** The label's value. */
  readonly said: string
  /** The label's key. */
  readonly key: string
  readonly isScaled: boolean
}

/** Why nothing may be touched: where it is written, why, and until when (`undefined`: until it is taken away). */
export interface Freeze {
  readonly where: string
  readonly reason: string
  readonly untilMs: number | undefined
}

/** What the API server would answer to the eviction of one pod now, counting what is granted but not yet seen. */
export type BudgetAnswer =
  | { readonly kind: 'no-budget' }
  | { readonly kind: 'allowed'; readonly budget: string }
  | { readonly kind: 'exhausted'; readonly budget: string; readonly message: string }
  | { readonly kind: 'never-allows'; readonly budget: string }
  | { readonly kind: 'several'; readonly budgets: readonly string[] }

/** A gate that is red, as far as it concerns the intent. */
export interface RedGate {
  readonly gate: GateName
  /** What is wrong, with names. */
  readonly message: string
  readonly sinceMs: number
}

/** What the cluster says about an intent's targets at this moment. */
export interface TargetFacts {
  readonly presence: readonly { readonly target: Target; readonly presence: TargetPresence }[]
  /** Desired replicas of the workload; `undefined` for a kind without that number. */
  readonly replicas: number | undefined
  readonly owner: {
    readonly value: Owner | undefined
    readonly source: string
    /** What the label says where a ScaledObject says otherwise, or a value that means nothing. */
    readonly contradicting?: string
    /** The key of the label that was found. */
    readonly key?: string
    /** `namespace/Kind/name` of whose owner this is: of several that lose pods the most restrictive one's. */
    readonly workload?: string
  }
  /** The label that was read. */
  readonly ownerLabel: OwnerLabel
  /** Once a workload, of those that lose pods. */
  readonly contradictions: readonly OwnerContradiction[]
  readonly freeze: Freeze | undefined
  /** The first annotation on a target that asks not to be disturbed. */
  readonly protection: { readonly target: Target; readonly annotation: string } | undefined
  readonly budgets: readonly { readonly pod: Target; readonly answer: BudgetAnswer }[]
  /** Nodes that lose pods by it. */
  readonly nodes: readonly string[]
  /**
   * Zones (`topology.kubernetes.io/zone`) by node, of the nodes of this intent and of those that are being drained; of all nodes where
   * the intent is a drain itself. `''` without one.
   */
  readonly zones: Readonly<Record<string, string>>
  /** All nodes of the cluster. */
  readonly nodeCount: number
  /** Red gates that concern this intent: the pending gate only where the disruption could worsen it. */
  readonly gates: readonly RedGate[]
  /** For who brings none, where the arbiter made one: where its pods fit, by the model. */
  readonly proof?: FitProof
  /** The workload was woken from 0 and is not Ready for 2 minutes yet. */
  readonly waking: { readonly sinceMs: number; readonly untilMs: number | undefined } | undefined
  /** What others have begun on the workload and not finished. */
  readonly underWay: UnderWay | undefined
}

/** A wish that was asked for and neither granted nor denied yet. */
export interface Pending {
  readonly intent: Intent
  readonly firstAskedMs: number
  readonly lastAskedMs: number
  /** The rule it waits for. */
  readonly waitsFor: Objection['rule']
}

export type CapName = 'concurrent' | 'per-hour' | 'per-namespace' | 'per-node' | 'per-destination'

/** What caused a cool-down: one of our permits, or somebody else. */
export type Cause =
  | { readonly kind: 'permit'; readonly permit: string; readonly requester: string }
  | { readonly kind: 'observed'; readonly observation: Observation }

export type Objection =
  | { readonly rule: 'repeat'; readonly permit: string }
  | { readonly rule: 'stale'; readonly target: Target; readonly presence: Exclude<TargetPresence, 'present'> }
  | { readonly rule: 'late'; readonly deadlineMs: number }
  | { readonly rule: 'early'; readonly notBeforeMs: number }
  | { readonly rule: 'nothing-runs'; readonly workload: string }
  | {
      readonly rule: 'owner'
      readonly owner: Owner | undefined
      readonly source: string
      readonly contradicting?: string
      readonly label: OwnerLabel
      readonly purpose: Purpose
      readonly workload: string
    }
  | { readonly rule: 'protected'; readonly target: Target; readonly annotation: string }
  | { readonly rule: 'budget-required'; readonly pod: Target; readonly workload: string }
  | { readonly rule: 'budget-never-allows'; readonly pod: Target; readonly budget: string }
  | { readonly rule: 'least-replicas'; readonly workload: string; readonly replicas: number; readonly least: number }
  | { readonly rule: 'freeze'; readonly freeze: Freeze }
  | { readonly rule: 'window'; readonly requester: string; readonly opensMs: number | undefined }
  | { readonly rule: 'gate'; readonly gate: GateName; readonly message: string }
  | { readonly rule: 'lock'; readonly workload: string; readonly permit: string; readonly requester: string }
  | ({ readonly rule: 'under-way'; readonly workload: string } & UnderWay)
  | { readonly rule: 'waking'; readonly workload: string; readonly sinceMs: number }
  | { readonly rule: 'node-lock'; readonly node: string; readonly permit: string; readonly requester: string }
  | { readonly rule: 'zone-drain'; readonly zone: string; readonly node: string; readonly permit: string }
  | { readonly rule: 'plan-lock'; readonly node: string; readonly batch: string; readonly permit: string }
  | { readonly rule: 'cool-down'; readonly workload: string; readonly cause: Cause }
  | { readonly rule: 'scale-cool-down'; readonly workload: string; readonly cause: Cause }
  | {
      readonly rule: 'reverse-move'
      readonly workload: string
      readonly from: string
      readonly to: string
      readonly permit: string
    }
  | { readonly rule: 'quarantine'; readonly workload: string; readonly failures: number; readonly permit: string }
  | { readonly rule: 'disruption-budget'; readonly pod: Target; readonly budget: string; readonly message: string }
  | { readonly rule: 'budgets-overlap'; readonly pod: Target; readonly budgets: readonly string[] }
  | { readonly rule: 'cap'; readonly cap: CapName; readonly subject: string; readonly used: number; readonly limit: number }
  | { readonly rule: 'overtaken'; readonly by: string; readonly requester: string }
  | { readonly rule: 'fit-proof'; readonly workload: string | undefined }
  | { readonly rule: 'company'; readonly workload: string }

export type Decision = 'Queued' | 'Denied' | 'NoOp'

export type Verdict =
  | {
      readonly kind: 'grant'
      readonly wouldBe: { readonly decision: Decision; readonly objection: Objection } | undefined
    }
  /** The same wish is granted already: this is that permit. */
  | { readonly kind: 'same'; readonly permit: PermitRecord }
  | { readonly kind: 'defer'; readonly objection: Objection; readonly untilMs: number }
  /** `untilMs`: from when on the rule would let it pass; that is after the deadline. */
  | { readonly kind: 'deny'; readonly objection: Objection; readonly untilMs?: number }
  | { readonly kind: 'no-op'; readonly objection: Objection }
  /** It goes along with a permit that is out, or went along with one that is done. */
  | { readonly kind: 'coalesced'; readonly into: PermitRecord }
  /** It will go along with a rollout of the same workload that is asked for and waits itself. */
  | { readonly kind: 'absorbed'; readonly into: Pick<Intent, 'requester' | 'idempotencyKey'> }

export interface Question {
  readonly intent: Intent
  readonly facts: TargetFacts
  readonly ledger: LedgerView
  readonly observed: Observations
  /** Wishes of others that wait, without this one. */
  readonly pending: readonly Pending[]
  /** When this wish was first asked for; now for a new one. */
  readonly firstAskedMs: number
  readonly policy: ArbiterPolicy
  readonly nowMs: number
}

/** What one rule says. */
export type Answer = { readonly kind: 'pass' } | Exclude<Verdict, { readonly kind: 'grant' }>

export interface Rule {
  /** Kebab-case; what it objects with may be named more finely (a budget is exhausted, or there are two). */
  readonly name: string
  /** The mode from which on it holds; below, what it says is only noted. */
  readonly from: ArbitrationMode
  ask(question: Question): Answer
}

export const pass: Answer = { kind: 'pass' }

export function deny(objection: Objection): Answer {
  return { kind: 'deny', objection }
}

/** For what ends at a known time. After the intent's deadline that is a denial. */
export function defer(objection: Objection, untilMs: number): Answer {
  return { kind: 'defer', objection, untilMs }
}

/** How long to wait before something is asked again whose end nobody knows, in milliseconds. */
const recheckMs = 5_000

/** For what ends at a time that nobody knows, `latestMs` at the latest: asked again then, or in 5 s, and at the deadline. */
export function askAgain({ intent, nowMs }: Question, objection: Objection, latestMs = 0): Answer {
  return { kind: 'defer', objection, untilMs: Math.min(intent.deadlineMs, Math.max(nowMs + recheckMs, latestMs)) }
}
