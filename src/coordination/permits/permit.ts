// A grant that was written down: what every effect asks for before it acts.

import type { LedgerView } from './ledger-view.ts'
import type { DroppedWish, PermitRecord } from './permit-record.ts'

declare const written: unique symbol

export type GrantedRecord = PermitRecord & { readonly grant: NonNullable<PermitRecord['grant']> }

/** Leave to disrupt, written down before it was handed out. Only the ledger makes one. */
export interface Permit {
  readonly record: GrantedRecord
  /** Epoch of the leader that handed it out. */
  readonly epoch: number
  /** When it ends, by our monotonic clock. */
  readonly expiresElapsedMs: number
  /** The book it stands in. */
  readonly ledger: LedgerView
  /**
   * Writes that these go along no more, because the server refused their changes: they are judged anew when they are asked again.
   * @throws what the Lease or the server says; then nobody may act as if it were written.
   */
  readonly drop: (dropped: readonly DroppedWish[], signal: AbortSignal) => Promise<void>
  readonly [written]: true
}
