// The ledger, newest first, filtered and in pages.
import { permitsKeptMs } from '#coordination/account/rewind.ts'
import type { Permit, PermitPage } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { rfc3339 } from '../../words/time.ts'
import { countsOfEntries } from './permit-counts.ts'
import { byTime, type LedgerEntry } from './permits-entry.ts'
import { ledgerOf } from './permits-index.ts'
import { entriesFor, isFiltered, type PermitQuery, type Sees } from './permits-query.ts'
import { shownRow } from './permits-waited.ts'

export type { PermitQuery } from './permits-query.ts'

const defaultRows = 100
const mostRows = 500
/** What is kept is told by whole hours: told exactly it would be another page at every moment, to everybody who listens. */
const hourMs = 3_600_000

/** Every row of the ledger, newest first. */
export function permitRows(picture: Picture): readonly Permit[] {
  return ledgerOf(picture).map(entry => shownRow(picture, entry))
}

/** One page of the ledger with the counts of all that the query's filters let through. A page follows on its cursor whatever has come since. */
export function permitPage(picture: Picture, query: PermitQuery, viewing?: Sees): PermitPage {
  const matching = entriesFor(picture, query, viewing)
  const limit = Math.min(mostRows, Math.max(1, Math.trunc(query.limit ?? defaultRows)))
  const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor)
  const from = cursor === undefined ? 0 : firstAfter(matching, cursor)
  const shown = matching.slice(from, from + limit)
  const end = shown.at(-1)
  return {
    permits: shown.map(entry => shownRow(picture, entry)),
    counts: countsOfEntries(picture, matching, { filtered: isFiltered(query) }),
    next: end === undefined || from + limit >= matching.length ? null : writeCursor(end),
    keptFrom: rfc3339(Math.ceil((picture.nowMs - permitsKeptMs) / hourMs) * hourMs),
  }
}

type Cursor = Pick<LedgerEntry, 'atMs' | 'id'>

export function isPermitCursor(text: string): boolean {
  return readCursor(text) !== undefined
}

function writeCursor({ atMs, id }: Cursor): string {
  return Buffer.from(`${atMs} ${id}`).toString('base64url')
}

function readCursor(text: string): Cursor | undefined {
  if (!/^[\w-]{1,2000}$/.test(text)) return undefined
  const [, atMs, id] = /^(-?\d{1,16}) (.+)$/s.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? []
  return atMs === undefined || id === undefined ? undefined : { atMs: Number(atMs), id }
}

/** Where what comes after `cursor` begins; the line itself need not be there any more. */
function firstAfter(entries: readonly LedgerEntry[], cursor: Cursor): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && byTime(entry, { ...entry, ...cursor }) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
