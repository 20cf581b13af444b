// The names that users and other programs see: annotations, taint, gate, field manager, event reasons.
export const capabilityName = 'deschedule'
export const fieldManager = 'ballast-deschedule'

/** On a RebalancePolicy: a new value asks for a plan at once. */
export const planNowAnnotation = 'ballast.dev/plan-now'
/** On a RebalancePlan: pause after this move. */
export const runUntilAnnotation = 'ballast.dev/run-until'
/** On a workload: when it may be moved, `CRON;DURATION;ZONE`. */
export const windowAnnotation = 'ballast.dev/rebalance-window'
/** On a workload: `<from>→<to>@<RFC 3339>` of its last move. */
export const lastMoveAnnotation = 'ballast.dev/last-move'
/** Key of the PreferNoSchedule taint on nodes outside the acceptable set of the running wave; the value is the plan's name. */
export const rebalanceTaint = 'ballast.dev/rebalance'

export const eventReasons = {
  planned: 'RebalancePlanned',
  skipped: 'RebalanceSkipped',
  mismatch: 'LandingMismatch',
  invalid: 'InvalidSpec',
  paused: 'PlanPaused',
} as const
