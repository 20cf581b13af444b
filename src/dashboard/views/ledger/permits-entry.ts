// A line of the ledger as far as filters, counts and order go; the row itself is made when it is shown.
import type { Decision, Permit } from '../../contract.ts'
import type { Wish } from './permits-wish.ts'

export interface LedgerEntry {
  readonly atMs: number
  readonly id: string
  readonly decision: Decision
  /** CamelCase, as on events: of what was refused or waits, and of what would have been. */
  readonly rule: string | null
  readonly capability: string
  /** `namespace/Kind/name`. */
  readonly workload: string | undefined
  readonly namespace: string | undefined
  /** Wish that was granted. */
  readonly wish?: Wish | undefined
  make(): Permit
}

/** Newest first; of one moment in order of ids. */
export function byTime(a: LedgerEntry, b: LedgerEntry): number {
  return b.atMs - a.atMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

const made = new WeakMap<LedgerEntry, Permit>()

/** The row of `entry`, made once. */
export function rowOf(entry: LedgerEntry): Permit {
  const known = made.get(entry)
  if (known !== undefined) return known
  const row = entry.make()
  made.set(entry, row)
  return row
}

/** Two lists in order as one. */
export function merged(a: readonly LedgerEntry[], b: readonly LedgerEntry[]): readonly LedgerEntry[] {
  if (b.length === 0) return a
  if (a.length === 0) return b
  const all: LedgerEntry[] = []
  let at = 0
  for (const entry of a) {
    for (let next = b[at]; next !== undefined && byTime(next, entry) < 0; next = b[at]) {
      all.push(next)
      at++
    }
    all.push(entry)
  }
  for (; at < b.length; at++) {
    const rest = b[at]
    if (rest !== undefined) all.push(rest)
  }
  return all
}
