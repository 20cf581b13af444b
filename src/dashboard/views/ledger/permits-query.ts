// Which lines of the ledger are asked for.
import type { Decision } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import type { LedgerEntry } from './permits-entry.ts'
import { ledgerOf, ledgerSums } from './permits-index.ts'

export interface PermitQuery {
  /** From then on, and before then. */
  readonly sinceMs?: number
  readonly untilMs?: number
  readonly decision?: Decision
  /** CamelCase: of what was denied or waits. */
  readonly rule?: string
  readonly capability?: string
  /** `NAMESPACE/KIND/NAME`. */
  readonly workload?: string
  readonly namespace?: string
  /** Cursor from an earlier page's `next`; one that cannot be read is as none: `isPermitCursor` says so. */
  readonly cursor?: string
  /** 1 to 500; default 100. */
  readonly limit?: number
}

/** Whose namespaces a viewer may see; `undefined` is what lies in none. */
export interface Sees {
  sees(namespace: string | undefined): boolean
}

/** The lines that the filters let through, newest first. */
export function entriesFor(picture: Picture, query: PermitQuery, viewing: Sees | undefined): readonly LedgerEntry[] {
  const all = ledgerOf(picture)
  const { sinceMs, untilMs, decision, rule, capability, workload, namespace } = query
  const seen = new Map<string | undefined, boolean>()
  const sees = (place: string | undefined) => {
    const known = seen.get(place) ?? viewing?.sees(place) ?? true
    seen.set(place, known)
    return known
  }
  const isWhole = viewing === undefined || ledgerSums(picture).namespaces.keys().every(sees)
  if (isWhole && !isFiltered(query)) return all
  const recent = sinceMs === undefined ? all : all.slice(0, firstBefore(all, sinceMs))
  if (isWhole && !isFiltered({ ...query, sinceMs: undefined })) return recent.length === all.length ? all : recent
  return recent.filter(
    entry =>
      (untilMs === undefined || entry.atMs < untilMs) &&
      (decision === undefined || entry.decision === decision) &&
      (rule === undefined || entry.rule === rule) &&
      (capability === undefined || entry.capability === capability) &&
      (workload === undefined || entry.workload === workload) &&
      (namespace === undefined || entry.namespace === namespace) &&
      sees(entry.namespace),
  )
}

/** Where lines from before `ms` begin. */
function firstBefore(entries: readonly LedgerEntry[], ms: number): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.atMs ?? ms) >= ms) low = middle + 1
    else high = middle
  }
  return low
}

type Filters = { readonly [Key in keyof PermitQuery]?: PermitQuery[Key] | undefined }

export function isFiltered({ sinceMs, untilMs, decision, rule, capability, workload, namespace }: Filters): boolean {
  return [sinceMs, untilMs, decision, rule, capability, workload, namespace].some(filter => filter !== undefined)
}
