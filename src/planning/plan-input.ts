// Everything a plan is made from. Two equal inputs give the same plan, byte for byte.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Measurements } from './goals/goals.ts'
import type { PlanPolicy } from './goals/policy.ts'
import type { Amounts, StayCode, StayReason } from './plan-record.ts'

interface RecentMove {
  /** `namespace/kind/name`. */
  readonly workload: string
  readonly from: string
  readonly to: string
  readonly atMs: number
}

/** What whoever lets moves through says of them beforehand. */
export interface Restraints {
  /** Pods that stay for this plan, by `namespace/name`. */
  readonly held: ReadonlyMap<string, StayReason>
  /** Nodes that the pods of a workload may not go to, and until when, by `namespace/kind/name` and `>` and the node they are on. */
  readonly barred: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** How many times as dear a move of a workload is that has to wait for its turn, by `namespace/kind/name`. */
  readonly dearer: ReadonlyMap<string, number>
}

export interface PlanInput {
  readonly state: ClusterState
  readonly policy: PlanPolicy
  readonly settings: SchedulerSettings
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Until when a workload is left alone after it landed elsewhere, by `namespace/kind/name`. */
  readonly quarantined?: ReadonlyMap<string, number>
  /** Moves that annotations do not tell yet; a move back is not planned for a day. */
  readonly recentMoves?: readonly RecentMove[]
  /** Nodes that pods may go back to although they left them within the day, by `namespace/name` of the pod: of a plan that undoes moves. */
  readonly waysBack?: ReadonlyMap<string, string>
  /** When each workload, by `namespace/kind/name`, was moved by plans that are kept: it costs more to move it again. Milliseconds since 1970. */
  readonly history?: ReadonlyMap<string, readonly number[]>
  /** Reasons to stay that do not count, to see what a cluster without them would allow. */
  readonly waived?: ReadonlySet<StayCode>
  /** Left out: nobody was asked. */
  readonly restraints?: Restraints
  /** Called now and then in long work, which otherwise goes on without a break: of thousands of nodes for a minute and more. */
  readonly pause?: () => Promise<void> | undefined
  /** What was requested at other hours of the last day: nodes that are off have to carry that too. */
  readonly demandBefore?: readonly Amounts[]
  /** Measured use, for goals of stat `usage`. */
  readonly measured?: Measurements
}
