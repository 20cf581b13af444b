// The ledger as the rules ask it: by wish, by workload, by what is out, by time. Reading it costs what is found, not what is kept.
import { isActive, type PermitRecord } from './permit-record.ts'

export interface LedgerView {
  /** Every permit known, in order of namespace and name. */
  all(): readonly PermitRecord[]
  /** Permits for one wish, granted for it or joined by it. */
  byKey(requester: string, idempotencyKey: string): readonly PermitRecord[]
  /** Permits on a workload (`namespace/Kind/name`). */
  ofWorkload(workload: string): readonly PermitRecord[]
  /** Permits that are out. */
  active(): readonly PermitRecord[]
  /** Permits granted at or after `ms`. */
  grantedSince(ms: number): readonly PermitRecord[]
}

/** The view of a plain list. */
export function viewOf(records: readonly PermitRecord[]): LedgerView {
  return {
    all: () => records,
    byKey: (requester, key) =>
      records.filter(
        record =>
          (record.requester === requester && record.idempotencyKey === key) ||
          record.joined.some(one => one.requester === requester && one.idempotencyKey === key),
      ),
    ofWorkload: workload => records.filter(record => record.workload === workload),
    active: () => records.filter(isActive),
    grantedSince: ms => records.filter(record => (record.grant?.atMs ?? Number.NEGATIVE_INFINITY) >= ms),
  }
}
