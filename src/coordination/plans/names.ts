// The names that users and other programs see: annotations, taint, gate, event reasons; and in whose name a plan is carried out.
import type { RebalancePlan } from '../api.ts'
import type { DisruptionClass, Purpose } from '../intent.ts'

/** In whose name a plan's steps are asked for, and how urgent they are. */
export interface Asking {
  readonly requester: 'deschedule' | 'isolate'
  readonly purpose: Extract<Purpose, 'move' | 'isolate'>
  readonly class: DisruptionClass
}

/** By what a plan is for. */
export const asking: Readonly<Record<Asking['purpose'], Asking>> = {
  move: { requester: 'deschedule', purpose: 'move', class: 'balance' },
  isolate: { requester: 'isolate', purpose: 'isolate', class: 'correctness' },
}

/** Who asks for the steps of `plan`. */
export function askingOf(plan: { readonly spec: Pick<RebalancePlan['spec'], 'purpose'> }): Asking {
  return asking[plan.spec.purpose]
}

/** Whether what steers for `plan` is the business of another than `requester`. A plan that is gone is everybody's. */
export function isOfOthers(plan: RebalancePlan | undefined, requester: Asking['requester']): boolean {
  return plan !== undefined && askingOf(plan).requester !== requester
}

/** On a RebalancePolicy: a new value asks for a plan at once. */
export const planNowAnnotation = 'ballast.dev/plan-now'
/** On a RebalancePlan: pause after this move. */
export const runUntilAnnotation = 'ballast.dev/run-until'
/** Beside `ballast.dev/freeze` and on an approved plan: who did that by the dashboard. */
export const frozenByAnnotation = 'ballast.dev/frozen-by'
export const approvedByAnnotation = 'ballast.dev/approved-by'
/** On a workload: when it may be moved, `CRON;DURATION;ZONE`. */
export const windowAnnotation = 'ballast.dev/rebalance-window'
/** On a workload: `<from>→<to>@<RFC 3339>` of its last move. */
export const lastMoveAnnotation = 'ballast.dev/last-move'
/** Key of the PreferNoSchedule taint on nodes outside the acceptable set of the running wave; the value is the plan's name. */
export const rebalanceTaint = 'ballast.dev/rebalance'

/** On a RebalancePolicy: its isolation is to end, whatever the spec says; any value but `false`. */
export const abortIsolationAnnotation = 'ballast.dev/abort-isolation'
/** On a node: the policy whose isolation set the taint. */
export const isolatedByAnnotation = 'ballast.dev/isolated-by'

export const eventReasons = {
  planned: 'RebalancePlanned',
  skipped: 'RebalanceSkipped',
  mismatch: 'LandingMismatch',
  unheld: 'LandingNotHeld',
  invalid: 'InvalidSpec',
  paused: 'PlanPaused',
} as const
