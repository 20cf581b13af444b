// The names that users and other programs see: annotations, taint, gate, event reasons; and in whose name a plan is carried out.
import type { RebalancePlan } from '../api.ts'
import { type DisruptionClass, type PlanPurpose, plansFor } from '../intent.ts'

/** In whose name a plan's steps are asked for, and how urgent they are. */
export interface Asking {
  readonly requester: string
  readonly purpose: PlanPurpose
  readonly class: DisruptionClass
}

/** Who asks for the steps of `plan`. */
export function askingOf({ spec: { purpose } }: { readonly spec: Pick<RebalancePlan['spec'], 'purpose'> }): Asking {
  const { requester, class: urgency } = plansFor(purpose)
  return { requester, purpose, class: urgency }
}

/** Whether what steers for `plan` is the business of another than `requester`. A plan that is gone is everybody's. */
export function isOfOthers(plan: RebalancePlan | undefined, requester: string): boolean {
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
  stuck: 'NoProgress',
} as const
