// A pod that may move, and where to.
import type { PodState, WorkloadReference } from '#cluster/cluster-state.ts'

export interface Candidate {
  readonly pod: PodState
  readonly workload: WorkloadReference
  readonly from: string
  /** Nodes it could run on as far as no other pod matters, in order of name; its own may be among them. Pods that are alike share the list. */
  readonly destinations: readonly string[]
  /** How many times as dear it is for having to wait for its turn; default 1. */
  readonly dearer?: number
}
