// The arbiter's book: DisruptionPermit objects in the API server. A Permit comes into being only by being written there, so that
// no effect can be without its record.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Turns } from '#kube/controllers/turns.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Leadership } from '../arbiter/leadership.ts'
import { type Look, lookAtServer } from '../effects/begun.ts'
import type { Intent } from '../intent.ts'
import type { Verdict } from '../policy/question.ts'
import { KnownPermits, type PermitTrouble } from './known-permits.ts'
import { objectKey, recordKey } from './ledger-index.ts'
import type { LedgerView } from './ledger-view.ts'
import type { GrantedRecord, Permit } from './permit.ts'
import { type GrantContext, grantedRequest, type JoinedSpec, permitObject, wishOf } from './permit-object.ts'
import {
  type DroppedWish,
  type Ending,
  epochOf,
  isActive,
  type Landing,
  leaderEpochAnnotation,
  type PermitRecord,
  recordOf,
  withDropped,
} from './permit-record.ts'
import { mostJoined, PermitWrites, surelyOverMs, UncertainWriteError } from './permit-writes.ts'
import { type EndedMember, sharedPermit, statusOfMembers, type Together } from './shared-permit.ts'

/** A grant that is decided and not written yet: others are judged as if it were. */
export interface Draft {
  readonly record: GrantedRecord
  readonly object: DisruptionPermit
  /** The grant is written into this request of another process, instead of as a permit of its own. */
  readonly request: DisruptionPermit | undefined
  /** It shares its permit with the others of the same name; `object` is what it would be alone. */
  readonly together: Together | undefined
  readonly signal: AbortSignal
}

/** Wishes to be written into a permit that is out. */
export interface Joining {
  readonly into: PermitRecord
  readonly wishes: readonly Intent[]
}

/** How a disruption ended. */
export interface PermitEnd {
  readonly ending: Ending
  readonly reason: string
  /** Landing of a move: where its replacement came to stand. */
  readonly landing?: Landing
}

interface LedgerOptions {
  readonly api: Api
  readonly permits: Informer<DisruptionPermit>
  readonly leadership: Leadership
  readonly clock: Clock
  readonly log: Log
  /** Our own namespace: where permits for nodes and machines lie. */
  readonly namespace: string
  /** Where permits lie, where that is not the whole cluster. */
  readonly namespaces?: readonly string[] | undefined
}

/** How long a released permit stays readable, in milliseconds: longer than every cool-down and the day of reverse moves. */
const keptMs = 48 * 3_600_000
/** Tokens of one epoch start above those of every earlier one, also when all permits were deleted. */
const tokensPerEpoch = 1_000_000
const writesAtOnce = 8
/** How long a requester may take after a change of leader to take its permits up again. */
const claimMs = 120_000

/**
 * Flow: `takeOver` once after the Lease was won; `draft` what is granted, `commit` it, `release` after each effect.
 * Guarantees: tokens rise and epochs never go back; a grant is in the API server before the Permit exists; before each batch of them the
 * Lease was renewed by compare-and-swap; what is out stays known, whatever is done to its object.
 * Time: permits end by our monotonic clock (see KnownPermits).
 * Assumes that `takeOver`, `prepare`, `commit`, `release` and `forgetOld` come one after the other (the arbiter's queue sees to it).
 */
export class Ledger implements Disposable {
  readonly #options: LedgerOptions
  readonly #writes: PermitWrites
  readonly #known: KnownPermits
  readonly #turns = new Turns(writesAtOnce)
  /** Grants of which nobody knows whether they were written, and when they were sent: they lock as if they were. */
  readonly #uncertain = new Map<string, number>()
  /** Objects whose members ended in part, or all, and do not say so yet. */
  readonly #unwritten = new Set<string>()
  /** Permits that were handed out by us. */
  readonly #claimed = new Set<string>()
  readonly #dropListeners = new Set<(record: PermitRecord, dropped: readonly DroppedWish[]) => void>()
  #isOvertaken = false
  #epoch = 0
  #token = 0

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#writes = new PermitWrites(options)
    this.#known = new KnownPermits({ ...options, epoch: () => this.#epoch })
    this.#known.onTrouble(({ reason }) => {
      if (reason === 'PermitOfLaterLeader') this.#isOvertaken = true
    })
  }

  [Symbol.dispose](): void {
    this.#known[Symbol.dispose]()
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Every permit with a grant, and those that are being written. */
  get view(): LedgerView {
    return this.#known.view
  }

  /** Every permit known, in order of namespace and name. */
  records(): readonly PermitRecord[] {
    return this.view.all()
  }

  /** Calls `listener` when another process than ours released a permit. */
  onRelease(listener: (record: PermitRecord) => void): () => void {
    return this.#known.onRelease(listener)
  }

  /** Calls `listener` when wishes were dropped from a permit. */
  onDrop(listener: (record: PermitRecord, dropped: readonly DroppedWish[]) => void): () => void {
    this.#dropListeners.add(listener)
    return () => this.#dropListeners.delete(listener)
  }

  /** Calls `listener` when a permit was deleted or edited by hand, cannot be read, or is of a leader that should not write. */
  onTrouble(listener: (trouble: PermitTrouble) => void): () => void {
    return this.#known.onTrouble(listener)
  }

  /**
   * Reads all permits from etcd (not from a cache), so that nothing granted by an earlier leader is missed, and begins a new epoch: above
   * all that permits or Lease ever told, and written on the Lease before anything is granted in it. Where the Lease was deleted, whoever
   * held it may believe to lead for a while: that is waited for first.
   */
  async takeOver(signal: AbortSignal): Promise<void> {
    const { leadership } = this.#options
    let highest = Math.max(this.#epoch, leadership.transitions, epochOf(leadership.annotations()[leaderEpochAnnotation]))
    // Where nothing was ever granted there is nobody to wait for.
    for await (const _ of this.#writes.all(signal)) {
      await leadership.outlast(signal)
      break
    }
    const listed = new Set<string>()
    for await (const permit of this.#writes.all(signal)) {
      for (const record of this.#known.learn(permit)) {
        listed.add(objectKey(record))
        const token = record.grant?.token ?? 0
        highest = Math.max(highest, record.epoch, Math.floor(token / tokensPerEpoch))
        this.#token = Math.max(this.#token, token)
      }
    }
    for (const record of this.records()) {
      const key = objectKey(record)
      if (!listed.has(key) && !this.#known.isBereft(record) && !this.#uncertain.has(key)) this.#forget(record)
    }
    this.#epoch = highest + 1
    this.#token = Math.max(this.#token, this.#epoch * tokensPerEpoch)
    this.#isOvertaken = false
    await leadership.annotate({ [leaderEpochAnnotation]: String(this.#epoch) }, signal)
  }

  /**
   * To be awaited before a batch is judged: finds out about grants whose writing was not answered, and begins a new epoch where a permit
   * claims a later leader. @throws LeaseLostError when there is one.
   */
  async prepare(signal: AbortSignal): Promise<void> {
    if (this.#isOvertaken) await this.takeOver(signal)
    for (const [key, sentMs] of [...this.#uncertain]) {
      const [namespace = '', name = ''] = key.split('/')
      try {
        const found = await this.#writes.read({ namespace, name }, signal)
        if (found?.spec.grant !== undefined) this.#known.observe(found)
        else if (this.#options.clock.elapsed() - sentMs < surelyOverMs) continue
        else this.#forget({ namespace, name })
        this.#uncertain.delete(key)
      } catch (error) {
        signal.throwIfAborted()
        this.#options.log.warn({ permit: key, why: messageOf(error) }, 'a permit that may have been written could not be read')
      }
    }
  }

  /** Whether nobody knows yet if this grant was written, or who wrote it: nothing may be done under it. */
  isUncertain(record: PermitRecord): boolean {
    return this.#uncertain.has(objectKey(record)) || this.#known.isOfNobody(record)
  }

  /** Decides a grant. From here on everybody is judged as if it were out; nothing is written before `commit`. */
  draft(
    intent: Intent,
    verdict: Verdict & { kind: 'grant' },
    context: Omit<GrantContext, 'joined'> & {
      readonly joined?: readonly JoinedSpec[]
      readonly request?: DisruptionPermit | undefined
      readonly together?: Together | undefined
      readonly signal: AbortSignal
    },
  ): Draft {
    const token = ++this.#token
    const { namespace } = this.#options
    const joined = (context.joined ?? []).slice(0, mostJoined)
    const fresh = permitObject(intent, verdict, { ...context, joined, token, epoch: this.#epoch, namespace })
    const { request, together, signal } = context
    if (together !== undefined) {
      const { member, ...place } = together.seat(intent, fresh)
      const object = { ...fresh, metadata: { ...fresh.metadata, ...place } }
      const record = granted({ ...recordOf(object), member })
      this.#known.put(record)
      return { record, object, request: undefined, together, signal }
    }
    const object = request === undefined ? fresh : grantedRequest(request, fresh)
    const record = granted(recordOf(object))
    this.#known.put(record)
    return { record, object, request, together, signal }
  }

  /** Adds a wish to a grant that is not written yet. */
  joinDraft(draft: Draft, wish: Intent): Draft {
    const object = { ...draft.object, spec: { ...draft.object.spec, joined: [...draft.object.spec.joined, wishOf(wish)] } }
    const { member } = draft.record
    const record = granted({ ...recordOf(object), ...(member === undefined ? {} : { member }) })
    this.#known.put(record)
    return { ...draft, object, record }
  }

  /**
   * Writes a batch: the Lease once, by compare-and-swap, then the permits, several at a time. What could not be written is no permit,
   * and nothing may be done for it; the others are not concerned.
   * @throws LeaseLostError and what the Lease's renewal throws: then nothing was written.
   */
  async commit(drafts: readonly Draft[], signal: AbortSignal): Promise<readonly PromiseSettledResult<Permit>[]> {
    try {
      await this.#options.leadership.confirm(signal)
    } catch (error) {
      for (const { record } of drafts) this.#forget(record)
      throw error
    }
    const writing = new Map<string, Promise<(record: PermitRecord) => Permit>>()
    for (const [key, sharing] of Map.groupBy(drafts, ({ record }) => objectKey(record))) writing.set(key, this.#write(sharing))
    const outcomes = await Promise.allSettled(
      drafts.map(async ({ record }) => {
        const mint = await writing.get(objectKey(record))
        if (mint === undefined) throw new Error(`permit ${recordKey(record)} was not written`)
        return mint(record)
      }),
    )
    try {
      // One that was written long ago has waited for the slowest: another may lead by now, and have withdrawn it.
      this.#options.leadership.assert()
    } catch (reason) {
      return outcomes.map(outcome => (outcome.status === 'rejected' ? outcome : { status: 'rejected', reason }))
    }
    return outcomes
  }

  /** Writes wishes into permits that are out. `undefined` for one that is out no more, or full. */
  joinAll(joinings: readonly Joining[], signal: AbortSignal): Promise<readonly PromiseSettledResult<PermitRecord | undefined>[]> {
    return Promise.allSettled(
      joinings.map(async ({ into, wishes }) => {
        using _turn = await this.#turns.take(signal)
        const { member } = into
        const named = wishes.map(wish => ({ ...wishOf(wish), ...(member === undefined ? {} : { member }) }))
        const stored = await this.#writes.join(into, named, signal)
        if (stored === undefined) return undefined
        this.#known.observe(stored)
        const now = this.#known.latest(into)
        return isActive(now) ? now : undefined
      }),
    )
  }

  /** The permit of an earlier leader (or of this one) taken up again. @throws Error when it is not out, or was written by a later leader. */
  adopt(record: PermitRecord): Permit {
    const known = this.#known.latest(record)
    const key = recordKey(record)
    if (!isActive(known)) throw new Error(`permit ${key} is not out any more`)
    if (this.isUncertain(record)) throw new UncertainWriteError(`nobody knows whether permit ${key} holds`)
    if (record.epoch > this.#epoch)
      throw new Error(`permit ${key} was written by a later leader (epoch ${record.epoch}, ours is ${this.#epoch})`)
    return this.#minted(known)
  }

  /** The targets of a permit as etcd has them; `undefined` where they are of a kind that is not read. */
  async lookAt(record: PermitRecord, signal: AbortSignal): Promise<Look | undefined> {
    using _turn = await this.#turns.take(signal)
    return await lookAtServer(this.#options.api, record, signal)
  }

  /** Whether a permit of an earlier leader has been out for a while and nobody has taken it up again. */
  isUnclaimed(record: PermitRecord): boolean {
    return record.epoch < this.#epoch && !this.#claimed.has(recordKey(record)) && this.#known.ageOf(record) >= claimMs
  }

  /** Whether a permit's time is up, by our monotonic clock, and what was sent under it at its end was done or dropped by the server. */
  isOver(record: PermitRecord): boolean {
    return this.#options.clock.elapsed() >= this.#known.expiryOf(record) + surelyOverMs
  }

  /**
   * Writes how it ended. A permit that is gone, or released already, is left as it is; asking twice does nothing. A member of a shared permit
   * has ended at once as far as anybody asks; its object is written when the last of them has, or by `writeEnds`.
   */
  async release(record: PermitRecord, end: PermitEnd, signal: AbortSignal): Promise<void> {
    this.#options.leadership.assert()
    const known = this.#known.latest(record)
    if (known.releasedAtMs !== undefined) return
    const releasedAtMs = this.#options.clock.now()
    if (known.member !== undefined) {
      this.#known.end({ ...known, releasedAtMs, ending: end.ending, landing: end.landing, reason: end.reason })
      this.#unwritten.add(objectKey(known))
      if (!this.#known.ofObject(known).some(isActive)) await this.#writeEndsOf(known, [], signal)
      return
    }
    const { wouldBe } = this.#options.permits.store.get(record.namespace, record.name)?.spec.grant ?? {}
    const status = {
      decision: 'Granted' as const,
      releasedAt: new Date(releasedAtMs).toISOString(),
      ending: end.ending,
      reason: end.reason.slice(0, 4096),
      ...(end.landing === undefined ? {} : { landing: end.landing }),
      ...(wouldBe === undefined ? {} : { wouldBe }),
    }
    const stored = await this.#writes.setStatus(record, status, signal)
    if (stored !== undefined) {
      this.#known.observe(stored)
      return
    }
    this.#options.log.warn({ permit: recordKey(record) }, 'a permit was deleted before its release')
    this.#known.put({ ...known, releasedAtMs, ending: end.ending, landing: end.landing })
  }

  /** Ends what nobody vouches for: members of shared permits, too, count as ended only once that is written. As `release`. */
  async releaseAll(
    ends: readonly { readonly record: PermitRecord; readonly end: PermitEnd }[],
    signal: AbortSignal,
  ): Promise<void> {
    const releasedAtMs = this.#options.clock.now()
    const members = new Map<string, EndedMember[]>()
    for (const { record, end } of ends) {
      const known = this.#known.latest(record)
      if (known.member === undefined) await this.release(record, end, signal)
      else if (known.releasedAtMs === undefined) {
        const ended = { ...known, releasedAtMs, ending: end.ending, landing: end.landing, reason: end.reason }
        members.set(objectKey(known), [...(members.get(objectKey(known)) ?? []), ended])
      }
    }
    for (const ended of members.values()) {
      const [first] = ended
      if (first !== undefined) await this.#writeEndsOf(first, ended, signal)
    }
  }

  /** Whether members have ended whose objects do not say so. */
  get hasUnwrittenEnds(): boolean {
    return this.#unwritten.size > 0
  }

  /** Writes how members of shared permits ended so far. @throws what the Lease or the server says; it is tried again with the next ones. */
  async writeEnds(signal: AbortSignal): Promise<void> {
    for (const key of [...this.#unwritten]) {
      const [namespace = '', name = ''] = key.split('/')
      await this.#writeEndsOf({ namespace, name }, [], signal)
    }
  }

  /** Those that ended so far, and `more`, which count as ended from then on. */
  async #writeEndsOf(
    object: Pick<PermitRecord, 'namespace' | 'name'>,
    more: readonly EndedMember[],
    signal: AbortSignal,
  ): Promise<void> {
    this.#options.leadership.assert()
    const members = this.#known.ofObject(object)
    const ended = [...this.#known.endedOf(object), ...more]
    const stored = await this.#writes.setStatus(object, statusOfMembers(members.length, ended), signal)
    this.#unwritten.delete(objectKey(object))
    for (const one of more) this.#known.end(one)
    if (stored !== undefined) this.#known.observe(stored)
    else this.#options.log.warn({ permit: objectKey(object) }, 'a permit was deleted before its release')
  }

  async #drop(record: PermitRecord, dropped: readonly DroppedWish[], signal: AbortSignal): Promise<void> {
    this.#options.leadership.assert()
    const before = withDropped(this.#known.latest(record), dropped)
    const named = before.dropped.map(({ requester, idempotencyKey, message }) => ({ requester, idempotencyKey, message }))
    const stored = await this.#writes.setStatus(record, { dropped: named }, signal)
    // A writer in the meantime was answered with it.
    if (stored === undefined) this.#known.put(withDropped(this.#known.latest(record), dropped))
    else if (isNewer(stored.metadata.resourceVersion, this.#known.latest(record).resourceVersion)) this.#known.observe(stored)
    for (const listener of this.#dropListeners) listener(record, dropped)
  }

  /** Deletes permits released longer ago than any rule looks back; the one with the highest token stays, so that tokens never go back. */
  async forgetOld(signal: AbortSignal): Promise<void> {
    const beforeMs = this.#options.clock.now() - keptMs
    const records = this.records()
    const highest = records.reduce((most, record) => Math.max(most, record.grant?.token ?? 0), 0)
    for (const [key, sharing] of Map.groupBy(records, objectKey)) {
      const [record] = sharing
      if (record === undefined || sharing.some(one => one.releasedAtMs === undefined || one.releasedAtMs >= beforeMs)) continue
      if (sharing.some(({ grant }) => grant?.token === highest) || this.#unwritten.has(key)) continue
      try {
        if (!this.#known.isBereft(record)) await this.#writes.delete(record, signal)
        this.#forget(record)
      } catch (error) {
        signal.throwIfAborted()
        this.#options.log.warn({ permit: recordKey(record), why: messageOf(error) }, 'an old permit could not be deleted')
      }
    }
  }

  /** Writes one object, of one draft or of all that share it. Yields what makes their permits. */
  async #write(drafts: readonly Draft[]): Promise<(record: PermitRecord) => Permit> {
    const [draft] = drafts
    if (draft === undefined) throw new RangeError('nothing to write')
    const { record, request, signal } = draft
    const object = draft.together === undefined ? draft.object : sharedPermit(drafts.map(one => one.object))
    const key = objectKey(record)
    const sentMs = this.#options.clock.elapsed()
    try {
      using _turn = await this.#turns.take(signal)
      // From here on nobody knows, until it is answered.
      this.#uncertain.set(key, sentMs)
      const stored =
        request === undefined
          ? await this.#writes.create(object, { requester: record.requester, signal })
          : await this.#writes.grant(object, { request, signal })
      this.#uncertain.delete(key)
      this.#known.observe(stored)
      // It may have been answered long after it was sent.
      this.#options.leadership.assert()
      return one => this.#minted(this.#known.latest(one))
    } catch (error) {
      const isUncertain = this.#uncertain.has(key) && (error instanceof UncertainWriteError || signal.aborted)
      if (!isUncertain) {
        this.#uncertain.delete(key)
        if (this.#options.permits.store.get(record.namespace, record.name)?.spec.grant === undefined) this.#forget(record)
      }
      throw error
    }
  }

  #forget(object: Pick<PermitRecord, 'namespace' | 'name'>): void {
    for (const record of this.#known.ofObject(object)) this.#claimed.delete(recordKey(record))
    this.#known.forget(object)
    this.#unwritten.delete(objectKey(object))
  }

  /** The one place where a Permit is made, from a record that the API server has. */
  #minted(record: PermitRecord): Permit {
    this.#claimed.add(recordKey(record))
    const { epoch, view: ledger } = this
    const drop = (dropped: readonly DroppedWish[], signal: AbortSignal) => this.#drop(record, dropped, signal)
    const permit = { record: granted(record), epoch, expiresElapsedMs: this.#known.expiryOf(record), ledger, drop }
    return permit as Permit
  }
}

function granted(record: PermitRecord): GrantedRecord {
  const { grant } = record
  if (grant === undefined) throw new Error(`permit ${recordKey(record)} carries no grant`)
  return { ...record, grant }
}
