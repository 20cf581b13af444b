// Permits as lines of the ledger: what was granted, what went along, what was dropped, what other processes asked for.
import type { KeptPermit } from '#coordination/account/book.ts'
import { objectionReasons } from '#coordination/arbiter/sentences.ts'
import { classNumber, type Target } from '#coordination/intent.ts'
import type { Joined, PermitRecord } from '#coordination/permits/permit-record.ts'
import type { Decision, Permit, Ref, Sentence } from '../../contract.ts'
import * as words from '../../words/en-permits.ts'
import { rfc3339 } from '../../words/time.ts'
import type { LedgerEntry } from './permits-entry.ts'

/** The lines of one permit: its own, then those of what went along and of what was dropped. */
export function entriesOf(permit: KeptPermit): readonly LedgerEntry[] {
  const { record } = permit
  const id = permitId(record)
  const atMs = record.grant?.atMs ?? record.createdMs
  const decision = decisionOf(permit)
  const common = { atMs, workload: record.workload, namespace: record.targets[0]?.namespace }
  const own: LedgerEntry = {
    ...common,
    id,
    decision,
    rule: ruleOf(permit, decision),
    capability: record.requester,
    wish: wishOf(record, record.createdMs),
    make: () => ownRow(permit, id, decision),
  }
  if (record.joined.length === 0 && record.dropped.length === 0) return [own]
  const passengers = [
    ...record.joined.map(one => ({ one, decision: 'coalesced' as const, message: undefined })),
    ...record.dropped.map(one => ({ one, decision: 'dropped' as const, message: one.message })),
  ]
  return [
    own,
    ...passengers.map(({ one, decision: its, message }, at): LedgerEntry => {
      const name = `${id}#${at + 1}`
      const { requester: capability } = one
      return {
        ...common,
        id: name,
        decision: its,
        rule: null,
        capability,
        wish: its === 'coalesced' ? wishOf({ ...one, grant: record.grant }, undefined) : undefined,
        make: () => passengerRow(permit, one, { id: name, into: id, message }),
      }
    }),
  ]
}

function wishOf({ idempotencyKey: key, grant }: Pick<PermitRecord, 'idempotencyKey' | 'grant'>, createdMs: number | undefined) {
  return grant === undefined ? undefined : { key, createdMs, grantedMs: grant.atMs }
}

/** `namespace/name`, of one of several that share a permit `namespace/name@2`. */
export function permitId({ namespace, name, member }: PermitRecord): string {
  return `${namespace}/${name}${member === undefined ? '' : `@${member}`}`
}

const decisions = {
  Granted: 'granted',
  Queued: 'queued',
  Denied: 'denied',
  NoOp: 'no-op',
  Coalesced: 'coalesced',
  Observed: 'observed',
} as const satisfies Readonly<Record<string, Decision>>

function decisionOf({ record, object }: KeptPermit): Decision {
  return record.grant === undefined ? decisions[object.status?.decision ?? 'Queued'] : 'granted'
}

/** A rule of the arbiter as events name it; one that is none of its as it is. */
function reasonOfRule(rule: string): string {
  const known: Readonly<Record<string, string>> = objectionReasons
  return Object.hasOwn(known, rule) ? (known[rule] ?? rule) : rule
}

/** The rule that the answer to a request without a grant names. */
function ruleOf({ object }: KeptPermit, decision: Decision): string | null {
  if (decision !== 'denied' && decision !== 'queued') return null
  const rule = answer.exec(object.status?.reason ?? '')?.[1]
  return rule === undefined ? null : reasonOfRule(rule)
}

/** How the arbiter's sentences begin: what was asked, the answer and the rule. */
const answer = /: (?:denied|deferred until \S+) by ([a-z-]+): /

function ownRow(permit: KeptPermit, id: string, decision: Decision): Permit {
  const { record, object } = permit
  const { grant } = record
  const wouldBe = object.status?.wouldBe ?? object.spec.grant?.wouldBe
  const told = object.status?.reason ?? ''
  const until = object.status?.until
  return {
    ...common(permit),
    id,
    capability: record.requester,
    verb: record.verb,
    class: classNumber(record.class),
    decision,
    wouldBe: wouldBe === undefined ? null : { decision: wouldBe.decision, rule: reasonOfRule(wouldBe.rule) },
    rule: ruleOf(permit, decision),
    because:
      grant === undefined && told !== ''
        ? words.refusedBy({ rule: ruleOf(permit, decision), why: whyOf(told) })
        : wantedBy(record),
    remedy: grant === undefined ? remedyIn(told) : null,
    retryAt: grant === undefined && decision === 'queued' && until !== undefined ? until : null,
    token: grant?.token ?? null,
    outcome: outcomeOf(permit),
    into: object.status?.coalescedInto === undefined ? null : `${record.namespace}/${object.status.coalescedInto}`,
  }
}

function passengerRow(
  permit: KeptPermit,
  one: Joined,
  { id, into, message }: { readonly id: string; readonly into: string; readonly message: string | undefined },
): Permit {
  const reasons = one.reasons.map(reason => reason.message)
  return {
    ...common(permit),
    id,
    capability: one.requester,
    verb: one.verb,
    class: classNumber(one.class),
    decision: message === undefined ? 'coalesced' : 'dropped',
    wouldBe: null,
    rule: null,
    because: message === undefined ? words.wanted(reasons) : words.wasDropped({ message, reasons }),
    remedy: message === undefined ? null : words.remedy('ask again: it goes by itself'),
    retryAt: null,
    token: null,
    outcome: message === undefined ? outcomeOf(permit) : null,
    into,
  }
}

function common({ record }: KeptPermit): Pick<Permit, 'at' | 'target' | 'pods' | 'releasedAt' | 'waitedMs'> {
  const [first] = record.targets
  return {
    at: rfc3339(record.grant?.atMs ?? record.createdMs),
    target: record.workload === undefined ? (first === undefined ? nobody : refOf(first)) : refOfKey(record.workload),
    pods: record.targets.filter(({ kind }) => kind === 'Pod').map(refOf),
    releasedAt: record.releasedAtMs === undefined ? null : rfc3339(record.releasedAtMs),
    waitedMs: null,
  }
}

const nobody: Ref = { kind: '', namespace: null, name: '' }

function refOf({ kind, namespace, name }: Target): Ref {
  return { kind, namespace: namespace ?? null, name }
}

/** Reads `namespace/Kind/name`. */
export function refOfKey(key: string): Ref {
  const [namespace = '', kind = '', ...name] = key.split('/')
  return { kind, namespace: namespace === '' ? null : namespace, name: name.join('/') }
}

/** Why it was wanted; where others went along all reasons, one a wish. */
function wantedBy(record: PermitRecord): Sentence {
  const reasons = record.reasons.map(({ message }) => message)
  if (record.joined.length === 0) return words.wanted(reasons)
  return words.together({ verb: record.verb, reasons: [record, ...record.joined].map(shortReason) })
}

function shortReason({ relocation, reasons, purpose }: Pick<Joined, 'relocation' | 'reasons' | 'purpose'>): string {
  const [to] = relocation?.to ?? []
  if (purpose === 'move' && to !== undefined) return words.moveTo(to)
  const messages = reasons.map(({ message }) => message)
  return messages.length === 0 ? purpose : messages.join('; ')
}

function outcomeOf({ record, object }: KeptPermit): string | null {
  const { grant, releasedAtMs, ending, landing } = record
  if (grant === undefined || releasedAtMs === undefined) return null
  const reason = object.status?.reason ?? ''
  return words.outcomeText({
    ending: ending ?? 'released',
    seconds: Math.max(0, Math.round((releasedAtMs - grant.atMs) / 1_000)),
    node: /^landed on (\S+)/.exec(reason)?.[1],
    elsewhere: landing !== undefined && landing !== 'expected',
    reason,
  })
}

/** The arbiter's sentence without what was asked and by which rule it was answered, and without the way out. */
export function whyOf(sentence: string, wayOut?: string): string {
  const begin = answer.exec(sentence)
  const why = begin === null ? sentence.replace(/^[^:]*: nothing to do: /, '') : sentence.slice(begin.index + begin[0].length)
  if (wayOut !== undefined) return why.endsWith(`; ${wayOut}`) ? why.slice(0, -wayOut.length - 2) : why
  const end = begin === null ? -1 : why.lastIndexOf('; ')
  return end < 0 ? why : why.slice(0, end)
}

/** What the arbiter's sentence ends with. */
function remedyIn(sentence: string): Sentence | null {
  const end = answer.test(sentence) ? sentence.lastIndexOf('; ') : -1
  return end < 0 ? null : words.remedy(sentence.slice(end + 2))
}
