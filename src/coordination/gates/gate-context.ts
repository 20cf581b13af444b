// What every gate is asked with.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Observations } from '../observed/observation.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { ClusterSignals } from './signals.ts'

export interface GateContext {
  readonly state: ClusterState
  /** Permits that are out. */
  readonly permits: readonly PermitRecord[]
  readonly observed: Observations
  readonly signals: ClusterSignals
  readonly nowMs: number
}
