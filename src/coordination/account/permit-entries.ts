// Permits as lines of an account: what was granted and how it ended, what went along, and what other processes asked for.
import { formatTime } from '#kube/time/time.ts'
import { describeTarget } from '../intent.ts'
import { isActive, type Landing } from '../permits/permit-record.ts'
import type { KeptPermit } from './book.ts'
import type { Entry, Outcome } from './entry.ts'

/** The permit, and one line for each wish that went along with it. `epoch` is that of the newest leader. */
export function permitEntries(permit: KeptPermit, at: { readonly nowMs: number; readonly epoch: number }): readonly Entry[] {
  const { record, object } = permit
  if (record.grant === undefined) return [requestEntry(permit)]
  const name = `${record.namespace}/${record.name}`
  const seconds =
    record.releasedAtMs === undefined ? undefined : Math.max(0, Math.round((record.releasedAtMs - record.grant.atMs) / 1000))
  const wouldBe = object.status?.wouldBe ?? object.spec.grant?.wouldBe
  const granted: Entry = {
    atMs: record.grant.atMs,
    who: record.requester,
    what: whatOf(permit),
    decision: 'Granted',
    outcome: outcomeOf(permit),
    sentence: [
      howItEnded(permit, at, seconds),
      ...(wouldBe === undefined ? [] : [`in mode enforce it would be ${wouldBe.decision}: ${wouldBe.message}`]),
    ].join('; '),
    because: record.reasons.map(reason => reason.message),
    data: { class: record.class, verb: record.verb, purpose: record.purpose, token: record.grant.token, epoch: record.epoch },
    permit: name,
    ...(wouldBe === undefined ? {} : { rule: wouldBe.rule }),
    ...(seconds === undefined ? {} : { seconds }),
  }
  return [
    granted,
    ...record.joined.map(
      (one): Entry => ({
        atMs: granted.atMs,
        who: one.requester,
        what: `${one.verb} ${record.workload ?? firstTarget(permit)}`,
        decision: 'Coalesced',
        outcome: granted.outcome,
        sentence: `goes along with the ${record.verb} of ${record.requester}: one disruption for both`,
        because: one.reasons.map(reason => reason.message),
        data: { class: one.class, verb: one.verb, purpose: one.purpose },
        permit: name,
      }),
    ),
    ...record.dropped.map(
      (one): Entry => ({
        atMs: granted.atMs,
        who: one.requester,
        what: `${one.verb} ${record.workload ?? firstTarget(permit)}`,
        decision: 'Dropped',
        outcome: 'not-done',
        sentence: `did not go along with the ${record.verb} of ${record.requester}, because the server refused its change: ${one.message}`,
        because: one.reasons.map(reason => reason.message),
        data: { class: one.class, verb: one.verb, purpose: one.purpose },
        wayOut: 'ask again: it goes by itself',
        permit: name,
      }),
    ),
  ]
}

/** `evict Pod shop/cart-a and 2 more`. */
function whatOf({ record }: KeptPermit): string {
  const others = record.targets.length > 1 ? ` and ${record.targets.length - 1} more` : ''
  return `${record.verb} ${firstTarget({ record })}${others}`
}

function firstTarget({ record }: Pick<KeptPermit, 'record'>): string {
  const [first] = record.targets
  return first === undefined ? 'nothing' : describeTarget(first)
}

const outcomes = { done: 'done', failed: 'not-done', withdrawn: 'not-done', expired: 'not-done', yielded: 'not-done' } as const

function outcomeOf({ record }: Pick<KeptPermit, 'record'>): Outcome {
  if (record.releasedAtMs === undefined) return 'under-way'
  return record.ending === undefined ? 'done' : outcomes[record.ending]
}

const landingWords: Readonly<Record<Landing, string>> = {
  expected: 'its replacement landed as meant',
  other: 'its replacement landed on another node than meant',
  back: 'its replacement came back to the node it left',
  pending: 'its replacement got no node',
  unheld: 'its replacement was made while the landing webhook was away, and landed elsewhere',
}

const endingWords = {
  done: 'done',
  failed: 'failed',
  withdrawn: 'withdrawn',
  expired: 'ran out',
  yielded: 'gave way',
} as const

function howItEnded(
  { record, object }: KeptPermit,
  { nowMs, epoch }: { readonly nowMs: number; readonly epoch: number },
  seconds: number | undefined,
): string {
  if (isActive(record)) {
    const expiresAtMs = record.grant?.expiresAtMs ?? nowMs
    const until =
      expiresAtMs > nowMs
        ? `until ${formatTime(expiresAtMs)} at most`
        : `over its time since ${formatTime(expiresAtMs)}: the leader ends it at its next sweep`
    const byWhom = record.epoch < epoch ? `, granted by an earlier leader (epoch ${record.epoch}, now ${epoch})` : ''
    return `under way, ${until}${byWhom}`
  }
  const reason = object.status?.reason ?? ''
  const landing = record.landing === undefined || reason !== '' ? '' : `: ${landingWords[record.landing]}`
  const back = record.landing === 'back' && reason !== '' ? ` (${landingWords.back})` : ''
  return `${record.ending === undefined ? 'released' : endingWords[record.ending]} after ${seconds ?? 0} s${reason === '' ? landing : `: ${reason}`}${back}`
}

/** A permit without a grant is what another process asks of the arbiter, with its answer in the status. */
function requestEntry(permit: KeptPermit): Entry {
  const { record, object } = permit
  const decision = object.status?.decision ?? 'Queued'
  const into = object.status?.coalescedInto
  return {
    atMs: record.createdMs,
    who: record.requester,
    what: whatOf(permit),
    decision,
    outcome: decision === 'Queued' ? 'waits' : decision === 'Coalesced' ? 'told' : 'not-done',
    sentence: object.status?.reason ?? (into === undefined ? 'not answered yet' : `goes along with ${into}`),
    because: record.reasons.map(reason => reason.message),
    data: { class: record.class, verb: record.verb, purpose: record.purpose },
    permit: `${record.namespace}/${record.name}`,
  }
}
