// How long a wish waited for its permit. The ledger holds when it was granted; when it was asked, only what came before the grant tells: its own
// object where another process asked for it, else the arbiter's event of its first deferral.

import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import type { Permit } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { type LedgerEntry, rowOf } from './permits-entry.ts'
import type { Wish } from './permits-wish.ts'

interface Asked {
  /** First time that each wish was deferred. */
  readonly firstMs: ReadonlyMap<string, number>
  /** Events from before this moment may be gone. */
  readonly fromMs: number
}

const askedOf = new WeakMap<readonly ClusterEvent[], Asked>()
const waitedRows = new WeakMap<Permit, Permit>()

/** The row of `entry` with how long its wish waited, as far as the books tell. The same object while that is the same. */
export function shownRow({ book }: Pick<Picture, 'book'>, entry: LedgerEntry): Permit {
  const row = rowOf(entry)
  if (entry.wish === undefined) return row
  const waitedMs = waitedMsOf(entry.wish, askedIn(book.events))
  if (row.waitedMs === waitedMs) return row
  const known = waitedRows.get(row)
  if (known?.waitedMs === waitedMs) return known
  const shown = { ...row, waitedMs }
  waitedRows.set(row, shown)
  return shown
}

/** API servers write whole seconds: a permit that was made when it was granted may look a second older. */
const roundingMs = 1_000

function waitedMsOf({ key, createdMs, grantedMs }: Wish, { firstMs, fromMs }: Asked): number | null {
  const deferredMs = firstMs.get(key)
  if (deferredMs !== undefined && deferredMs <= grantedMs) return grantedMs - deferredMs
  if (createdMs !== undefined && createdMs > 0 && grantedMs - createdMs > roundingMs) return grantedMs - createdMs
  // Nothing deferred it, and events reach back to where that would be told.
  return fromMs < grantedMs ? 0 : null
}

function askedIn(events: readonly ClusterEvent[]): Asked {
  const known = askedOf.get(events)
  if (known !== undefined) return known
  const firstMs = new Map<string, number>()
  let fromMs = Number.POSITIVE_INFINITY
  for (const { atMs, verdict } of events) {
    fromMs = Math.min(fromMs, atMs)
    const key = verdict?.key
    if (key !== undefined && !firstMs.has(key)) firstMs.set(key, atMs)
  }
  const asked = { firstMs, fromMs }
  askedOf.set(events, asked)
  return asked
}
