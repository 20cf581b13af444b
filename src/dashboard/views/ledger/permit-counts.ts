// Sums over the ledger, and the sentence that says them.
import type { PermitCounts } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-permits.ts'
import { sourceNamed } from '../sources.ts'
import { sumsWith } from './permit-sums.ts'
import type { LedgerEntry } from './permits-entry.ts'
import { ledgerOf, ledgerSums } from './permits-index.ts'
import { entriesFor, isFiltered, type PermitQuery, type Sees } from './permits-query.ts'

/** Counts of all that the query's filters let through. */
export function permitCountsOf(picture: Picture, query: PermitQuery, viewing?: Sees): PermitCounts {
  return countsOfEntries(picture, entriesFor(picture, query, viewing), { filtered: isFiltered(query) })
}

/** By decision, by rule of what was denied or waits, by who asked. Those of the whole ledger are kept up with it. */
export function countsOfEntries(
  picture: Picture,
  entries: readonly LedgerEntry[],
  { filtered }: { readonly filtered: boolean },
): PermitCounts {
  const sums = entries === ledgerOf(picture) ? ledgerSums(picture) : sumsWith(entries)
  const { decisions, rules, denials, capabilities } = sums
  const [most] = largestFirst(denials)
  const byDecision = Object.fromEntries(decisions)
  const unread = ledgerUnread(picture)
  return {
    byDecision,
    byRule: Object.fromEntries(largestFirst(rules)),
    byCapability: Object.fromEntries(largestFirst(capabilities)),
    sentence:
      entries.length === 0 && unread !== null
        ? words.permitsNotKnown({ because: unread })
        : words.permitSums(byDecision, { rule: most?.[0], times: most?.[1] ?? 0, filtered }),
  }
}

/** Why the ledger is not known; null where it is. */
function ledgerUnread(picture: Picture): string | null {
  const { state = 'live', because = null } = sourceNamed(picture, 'ledger') ?? {}
  return state === 'down' || state === 'off' ? because : null
}

function largestFirst(sums: ReadonlyMap<string, number>): readonly (readonly [string, number])[] {
  return [...sums].toSorted(([a, many], [b, other]) => other - many || (a < b ? -1 : 1))
}
