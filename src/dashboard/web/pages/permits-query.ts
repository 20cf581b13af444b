// Filters of the permits' page, and what the API is asked for them.
import type { Permit } from '../../contract.ts'
import { apiPath } from '../../words/links.ts'
import type { Filter, FilterDefinition } from '../widgets/filters.ts'

/** How far back; the API takes an age as it is. */
export const ranges: readonly { readonly value: string; readonly text: string; readonly ms: number }[] = [
  { value: '1h', text: 'last hour', ms: 3_600_000 },
  { value: '24h', text: 'last 24 hours', ms: 86_400_000 },
  { value: '168h', text: 'last 7 days', ms: 604_800_000 },
  { value: '720h', text: 'last 30 days', ms: 2_592_000_000 },
]

const standardRange = '24h'

export const filterDefinitions: readonly FilterDefinition[] = [
  { name: 'decision', label: 'decision', values: ['granted', 'queued', 'denied', 'no-op', 'coalesced', 'observed', 'dropped'] },
  { name: 'rule', label: 'rule', problem: nameProblem },
  { name: 'capability', label: 'asked by', problem: nameProblem },
  { name: 'namespace', label: 'namespace', problem: nameProblem },
  {
    name: 'workload',
    label: 'workload',
    problem: value => (/^[^/]*\/[^/]+\/[^/]+$/.test(value) ? undefined : 'it is not NAMESPACE/KIND/NAME'),
  },
]

function nameProblem(value: string): string | undefined {
  return /^[\w.-]+$/.test(value) ? undefined : 'it is no name'
}

/** The range of the address, the standard one where it names none or none that there is. */
export function rangeOf(query: URLSearchParams): (typeof ranges)[number] {
  const asked = query.get('since') ?? standardRange
  const [first] = ranges
  const found = ranges.find(({ value }) => value === asked) ?? ranges.find(({ value }) => value === standardRange) ?? first
  if (found === undefined) throw new Error('there are ranges')
  return found
}

/** What the API is asked: `/api/v1/permits?since=24h&rule=KedaManaged`. */
export function permitsQuery(path: readonly string[], since: string, filters: readonly Filter[], cursor?: string): string {
  return apiPath(path, { since, ...Object.fromEntries(filters.map(({ name, value }) => [name, value])), cursor })
}

export interface PermitRow {
  readonly permit: Permit
  /** Those that were merged into it. */
  readonly merged: readonly Permit[]
  /** It is one of those, and is shown because its fold is open. */
  readonly isMerged: boolean
}

/** Permits as rows: what was merged into one that is there lies folded beneath it, unless it is opened. Newest first as they come. */
export function rowsOf(permits: readonly Permit[], opened: ReadonlySet<string>): readonly PermitRow[] {
  const ids = new Set(permits.map(({ id }) => id))
  const isFolded = ({ into, id }: Permit): boolean => into !== null && into !== id && ids.has(into)
  const mergedInto = Map.groupBy(permits.filter(isFolded), ({ into }) => into ?? '')
  return permits
    .filter(permit => !isFolded(permit))
    .flatMap(permit => {
      const merged = mergedInto.get(permit.id) ?? []
      const row = { permit, merged, isMerged: false }
      return opened.has(permit.id) ? [row, ...merged.map(one => ({ permit: one, merged: [], isMerged: true }))] : [row]
    })
}
