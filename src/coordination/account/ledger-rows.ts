// The ledger as rows: permits with what went along, what other processes asked for, what others did without asking; and their sums.
import { describeTarget } from '../intent.ts'
import type { Observation } from '../observed/observation.ts'
import { isActive, type Joined, type PermitRecord } from '../permits/permit-record.ts'
import type { KeptPermit } from './book.ts'
import type { AccountDecision } from './entry.ts'
import { observedEntry } from './observed-entries.ts'

export interface LedgerRow {
  readonly atMs: number
  readonly who: string
  /** Class of what was asked for; others that acted did not ask for one. */
  readonly class: string | undefined
  readonly verb: string
  /** `Pod shop/cart-a and 2 more`. */
  readonly target: string
  readonly namespace: string | undefined
  readonly decision: AccountDecision
  /** Ending of a grant; `out` while it may be used. */
  readonly ending: 'out' | NonNullable<PermitRecord['ending']> | 'released' | undefined
  readonly seconds: number | undefined
  readonly why: string
  /** `namespace/name`. */
  readonly permit: string | undefined
  /** What went along with it, and what was dropped. */
  readonly joined: readonly LedgerRow[]
}

/** Oldest first. */
export function ledgerRows(permits: readonly KeptPermit[], observed: readonly Observation[]): readonly LedgerRow[] {
  return [...permits.map(rowOf), ...observed.map(observedRow)].toSorted((a, b) => a.atMs - b.atMs)
}

/** One permit as a row. */
export function rowOf({ record, object }: KeptPermit): LedgerRow {
  const { grant, releasedAtMs } = record
  const atMs = grant?.atMs ?? record.createdMs
  const [first] = record.targets
  const row: LedgerRow = {
    atMs,
    who: record.requester,
    class: record.class,
    verb: record.verb,
    target: `${first === undefined ? 'nothing' : describeTarget(first)}${record.targets.length > 1 ? ` and ${record.targets.length - 1} more` : ''}`,
    namespace: record.namespace,
    decision: grant === undefined ? (object.status?.decision ?? 'Queued') : 'Granted',
    ending: grant === undefined ? undefined : isActive(record) ? 'out' : (record.ending ?? 'released'),
    seconds:
      releasedAtMs === undefined || grant === undefined ? undefined : Math.max(0, Math.round((releasedAtMs - grant.atMs) / 1000)),
    why: whyOf({ record, object }),
    permit: `${record.namespace}/${record.name}`,
    joined: [],
  }
  return {
    ...row,
    joined: [
      ...record.joined.map(one => passengerRow(one, { ...row, decision: 'Coalesced' }, record)),
      ...record.dropped.map(one => passengerRow(one, { ...row, decision: 'Dropped' }, record)),
    ],
  }
}

/** Row of a wish that was dropped with the server's words. */
function passengerRow(one: Joined & { readonly message?: string }, row: LedgerRow, { workload }: PermitRecord): LedgerRow {
  const { requester: who, verb, message } = one
  const wanted = one.reasons.map(reason => reason.message)
  const why = [...wanted, ...(message === undefined ? [] : [message])].join('; ')
  return { ...row, who, class: one.class, verb, target: workload ?? row.target, why }
}

/** Why it was wanted; of what ended otherwise than done, how. */
function whyOf({ record, object }: KeptPermit): string {
  const wanted = record.reasons.map(({ message }) => message).join('; ')
  const told = object.status?.reason
  const wouldBe = object.status?.wouldBe ?? object.spec.grant?.wouldBe
  return [
    wanted,
    ...(told === undefined || record.ending === 'done' ? [] : [told]),
    ...(wouldBe === undefined ? [] : [`in mode enforce ${wouldBe.decision} by ${wouldBe.rule}`]),
  ]
    .filter(text => text !== '')
    .join('; ')
}

function observedRow(observation: Observation): LedgerRow {
  const entry = observedEntry(observation)
  const { workload, nodes } = observation
  return {
    atMs: observation.atMs,
    who: observation.by,
    class: undefined,
    verb: observation.kind,
    target: workload ?? nodes.map(node => `Node ${node}`).join(', '),
    namespace: observation.namespace,
    decision: 'Observed',
    ending: undefined,
    seconds: undefined,
    why: entry.sentence,
    permit: undefined,
    joined: [],
  }
}

export interface Sum {
  /** Who, and of wishes of ours the verb. */
  readonly who: string
  readonly verb: string
  readonly count: number
  /** How many came to what: `15 done, 1 failed`. */
  readonly endings: Readonly<Record<string, number>>
}

/** One sum a cause and verb, the largest first; what went along counts for who wanted it. */
export function sumsOf(rows: readonly LedgerRow[]): readonly Sum[] {
  const all = rows.flatMap(row => [row, ...row.joined])
  return [...Map.groupBy(all, row => `${row.who}\n${row.verb}`).values()]
    .flatMap(group => {
      const [first] = group
      if (first === undefined) return []
      const endings = Object.fromEntries([...Map.groupBy(group, endOf)].map(([ending, ones]) => [ending, ones.length]))
      return [{ who: first.who, verb: first.verb, count: group.length, endings }]
    })
    .toSorted((a, b) => b.count - a.count || (a.who < b.who ? -1 : 1))
}

/** What a row came to, in one word. */
export function endOf(row: LedgerRow): string {
  if (row.decision === 'NoOp') return 'no-op'
  return row.decision === 'Granted' ? (row.ending ?? 'out') : row.decision.toLowerCase()
}
