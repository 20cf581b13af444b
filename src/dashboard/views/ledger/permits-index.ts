// The whole ledger in order, newest first. Kept permit by permit: a change costs what changed and one pass over the list, not a sort.
import type { KeptPermit } from '#coordination/account/book.ts'
import { observedEntry } from '#coordination/account/observed-entries.ts'
import { classNumber } from '#coordination/intent.ts'
import type { Observation } from '#coordination/observed/observation.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import type { Ref } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-permits.ts'
import { rfc3339 } from '../../words/time.ts'
import { type PermitSums, sumsWith } from './permit-sums.ts'
import { byTime, type LedgerEntry, merged } from './permits-entry.ts'
import { entriesOf, refOfKey } from './permits-kept.ts'
import { refusedEntries } from './permits-refused.ts'

interface Ledger {
  /** Newest first. */
  readonly entries: readonly LedgerEntry[]
  readonly sums: PermitSums
}

interface Indexed extends Ledger {
  readonly permits: readonly KeptPermit[]
  readonly entriesOf: WeakMap<KeptPermit, readonly LedgerEntry[]>
  readonly active: readonly KeptPermit[]
}

const ledgers = new WeakMap<Picture, Ledger>()
/** The list that was asked for last: what comes next differs from it in little. */
let last: Indexed | undefined

/** Every line of the ledger, newest first. */
export function ledgerOf(picture: Picture): readonly LedgerEntry[] {
  return wholeLedger(picture).entries
}

/** The sums of every line. */
export function ledgerSums(picture: Picture): PermitSums {
  return wholeLedger(picture).sums
}

function wholeLedger(picture: Picture): Ledger {
  const known = ledgers.get(picture)
  if (known !== undefined) return known
  const others = [...refusedEntries(picture), ...observedEntries(picture)].toSorted(byTime)
  const kept = keptLedger(picture.book.permits)
  const all = { entries: withChange(kept.entries, { come: others, gone: [] }), sums: sumsWith(others, [], kept.sums) }
  ledgers.set(picture, all)
  return all
}

/** The permits that are out. */
export function activeKept(permits: readonly KeptPermit[]): readonly KeptPermit[] {
  return keptLedger(permits).active
}

function keptLedger(permits: readonly KeptPermit[]): Indexed {
  if (last?.permits === permits) return last
  last = last === undefined ? indexed(permits) : changed(last, permits)
  return last
}

function indexed(permits: readonly KeptPermit[]): Indexed {
  const known: Indexed['entriesOf'] = new WeakMap()
  const entries = newEntries(permits, known)
  return { permits, entries, sums: sumsWith(entries), entriesOf: known, active: permits.filter(isOut) }
}

/** What is in both lists stays as it is; the lists are in order of namespace and name. */
function changed(before: Indexed, permits: readonly KeptPermit[]): Indexed {
  const left: KeptPermit[] = []
  const arrived: KeptPermit[] = []
  let at = 0
  for (const permit of permits) {
    for (let old = before.permits[at]; old !== undefined && old !== permit && isBefore(old, permit); old = before.permits[++at])
      left.push(old)
    const old = before.permits[at]
    if (old === permit) at++
    else arrived.push(permit)
  }
  for (const old of before.permits.slice(at)) left.push(old)
  if (arrived.length > permits.length / 4) return indexed(permits)
  const known = before.entriesOf
  const gone = left.flatMap(permit => known.get(permit) ?? [])
  const come = newEntries(arrived, known)
  const entries = withChange(before.entries, { come, gone })
  const over = new Set(left)
  const active = [...before.active.filter(permit => !over.has(permit)), ...arrived.filter(isOut)]
  return { permits, entries, sums: sumsWith(come, gone, before.sums), entriesOf: known, active }
}

function isOut({ record }: KeptPermit): boolean {
  return isActive(record)
}

/** Up to so many lines are put in or taken out one by one; more in one pass. */
const mostSpliced = 200

interface Change {
  /** Newest first. */
  readonly come: readonly LedgerEntry[]
  readonly gone: readonly LedgerEntry[]
}

/** `entries` without what went and with what came, in order. */
function withChange(entries: readonly LedgerEntry[], { come, gone }: Change): readonly LedgerEntry[] {
  if (come.length + gone.length === 0) return entries
  if (come.length + gone.length > mostSpliced) {
    const left = new Set(gone)
    return merged(gone.length === 0 ? entries : entries.filter(entry => !left.has(entry)), come)
  }
  const list = [...entries]
  for (const entry of gone) {
    const place = placeOf(list, entry)
    // If several have one time and one id, the one that is meant is found.
    const at = list[place] === entry ? place : list.indexOf(entry, Math.max(0, place))
    if (at >= 0) list.splice(at, 1)
  }
  for (const entry of come) list.splice(placeOf(list, entry), 0, entry)
  return list
}

/** Where the first line stands that is not before `entry`. */
function placeOf(list: readonly LedgerEntry[], entry: LedgerEntry): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = list[middle]
    if (other !== undefined && byTime(other, entry) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function newEntries(permits: readonly KeptPermit[], known: Indexed['entriesOf']): readonly LedgerEntry[] {
  const entries: LedgerEntry[] = []
  for (const permit of permits) {
    const own = entriesOf(permit)
    known.set(permit, own)
    for (const entry of own) entries.push(entry)
  }
  return entries.sort(byTime)
}

/** Where both have one name the old one goes before the new one. */
function isBefore({ record: a }: KeptPermit, { record: b }: KeptPermit): boolean {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace
  if (a.name !== b.name) return a.name < b.name
  return (a.member ?? 0) <= (b.member ?? 0)
}

/** What others did without asking. */
function observedEntries({ observed }: Picture): readonly LedgerEntry[] {
  return observed.since(Number.NEGATIVE_INFINITY).map(observation => {
    const { atMs, workload, namespace, kind, by } = observation
    const subject = workload ?? observation.nodes.join(',')
    const id = `observed:${JSON.stringify([kind, subject, atMs, by])}`
    return {
      atMs,
      id,
      decision: 'observed',
      rule: null,
      capability: by,
      workload,
      namespace,
      make: () => observedRow(observation, id),
    }
  })
}

function observedRow(observation: Observation, id: string): ReturnType<LedgerEntry['make']> {
  const { workload, nodes, atMs, kind, by } = observation
  const target: Ref = workload === undefined ? { kind: 'Node', namespace: null, name: nodes.join(', ') } : refOfKey(workload)
  return {
    id,
    at: rfc3339(atMs),
    capability: by,
    verb: kind,
    // Nobody asked, and so nobody said how urgent it was: it counts as what can wait longest.
    class: classNumber('balance'),
    target,
    pods: [],
    decision: 'observed',
    wouldBe: null,
    rule: null,
    because: words.didNotAsk(observedEntry(observation).sentence),
    remedy: null,
    retryAt: null,
    token: null,
    releasedAt: null,
    waitedMs: null,
    outcome: null,
    into: null,
  }
}
