// A rule that says of a pod why it may not move.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StayReason } from '../plan-record.ts'

export type Rule = (pod: PodState) => StayReason | undefined
