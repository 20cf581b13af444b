// What the leader knows of permits: from the list at its take-over, from the answers to its writes, and from the watch. What is out stays
// known, whatever is done to its object.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { Log } from '#kube/log.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import type { DisruptionPermit } from '../api.ts'
import { LedgerIndex, objectKey, recordKey } from './ledger-index.ts'
import type { LedgerView } from './ledger-view.ts'
import { isActive, type PermitRecord, whyUnreadable } from './permit-record.ts'
import { seen } from './seen-permit.ts'
import { type EndedMember, recordsOf } from './shared-permit.ts'

/** What is not as it should be with a permit: for people to look at. */
export interface PermitTrouble {
  readonly reason: 'PermitUnreadable' | 'PermitEdited' | 'PermitDeleted' | 'PermitOfLaterLeader' | 'PermitOfNobody'
  readonly permit: Pick<DisruptionPermit, 'metadata'>
  readonly message: string
}

interface KnownPermitsOptions {
  readonly permits: Informer<DisruptionPermit>
  readonly clock: Clock
  readonly log: Log
  /** Ours; 0 before we took over. */
  readonly epoch: () => number
}

/**
 * How long a permit is out is counted by our monotonic clock from when we came to know it, for the length that is written in it. Wall
 * clocks of other machines, or of this one before and after a jump, are never compared: nothing expires early by that, and nothing is
 * out for longer than its time after a change of leader.
 */
export class KnownPermits implements Disposable {
  readonly #options: KnownPermitsOptions
  readonly #index = new LedgerIndex()
  readonly #stop: () => void
  readonly #troubleListeners = new Set<(trouble: PermitTrouble) => void>()
  readonly #releaseListeners = new Set<(record: PermitRecord) => void>()
  /** When we came to know each, by our monotonic clock. */
  readonly #since = new Map<string, number>()
  /** They came when nobody expected them: they lock until they are withdrawn, and are given to nobody. */
  readonly #ofNobody = new Set<string>()
  /** Their objects were taken away while they were out. */
  readonly #bereft = new Set<string>()
  /** Members that ended, whether their object says so yet or not. */
  readonly #ended = new Map<string, EndedMember>()

  constructor(options: KnownPermitsOptions) {
    this.#options = options
    this.#stop = options.permits.onChange(change => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  get view(): LedgerView {
    return this.#index
  }

  onRelease(listener: (record: PermitRecord) => void): () => void {
    this.#releaseListeners.add(listener)
    return () => this.#releaseListeners.delete(listener)
  }

  onTrouble(listener: (trouble: PermitTrouble) => void): () => void {
    this.#troubleListeners.add(listener)
    return () => this.#troubleListeners.delete(listener)
  }

  /** As it is known now; what was given where nothing is. */
  latest(record: PermitRecord): PermitRecord {
    return this.#index.get(record) ?? record
  }

  /** A grant of ours that is not written yet, or what became of one. */
  put(record: PermitRecord): void {
    const key = recordKey(record)
    if (!this.#since.has(key)) this.#since.set(key, this.#options.clock.elapsed())
    this.#index.put(record)
  }

  /** What the server answered to a write of ours. */
  observe(stored: DisruptionPermit): void {
    this.#options.permits.observe(stored)
    for (const record of this.#recordsOf(stored)) this.put(this.#withEnd(record))
  }

  /** A member of a shared permit has ended: from here on it counts so, whenever that is written. */
  end(member: EndedMember): void {
    const { reason: _, ...record } = member
    this.#ended.set(recordKey(record), member)
    this.put(record)
  }

  /** Members of the object that ended. */
  endedOf(object: Pick<PermitRecord, 'namespace' | 'name'>): readonly EndedMember[] {
    return this.#index.ofObject(object).flatMap(record => this.#ended.get(recordKey(record)) ?? [])
  }

  /** All that is known of one object: a record, or those of its members. */
  ofObject(object: Pick<PermitRecord, 'namespace' | 'name'>): readonly PermitRecord[] {
    return this.#index.ofObject(object)
  }

  /** Those of the list at a take-over. Empty for a request without a grant, and for what cannot be read. */
  learn(permit: DisruptionPermit): readonly PermitRecord[] {
    this.#options.permits.observe(permit)
    const records = this.#read(permit)
    for (const record of records) {
      this.put(this.#withEnd(record))
      this.#ofNobody.delete(recordKey(record))
    }
    return records
  }

  /** Forgets an object, and all that share it. */
  forget(object: Pick<PermitRecord, 'namespace' | 'name'>): void {
    for (const record of this.#index.ofObject(object)) {
      const key = recordKey(record)
      this.#index.remove(record)
      this.#since.delete(key)
      this.#ofNobody.delete(key)
      this.#ended.delete(key)
    }
    this.#bereft.delete(objectKey(object))
  }

  isOfNobody(record: PermitRecord): boolean {
    return this.#ofNobody.has(recordKey(record))
  }

  /** Whether its object was taken away while it was out. */
  isBereft(record: PermitRecord): boolean {
    return this.#bereft.has(objectKey(record))
  }

  /** For how long it has been known, in milliseconds. */
  ageOf(record: PermitRecord): number {
    const nowMs = this.#options.clock.elapsed()
    return nowMs - (this.#since.get(recordKey(record)) ?? nowMs)
  }

  /** When its time is up, by our monotonic clock. */
  expiryOf(record: PermitRecord): number {
    const sinceMs = this.#options.clock.elapsed() - this.ageOf(record)
    return record.grant === undefined ? sinceMs : sinceMs + Math.max(0, record.grant.expiresAtMs - record.grant.atMs)
  }

  #onChange({ type, object }: Change<DisruptionPermit>): void {
    const { name, namespace = '', resourceVersion } = object.metadata
    const known = this.#index.ofObject({ namespace, name })
    const [first] = known
    if (type === 'DELETED') {
      if (first !== undefined) this.#onDeleted(first, object)
      return
    }
    // A list from an old cache may have missed it.
    this.#bereft.delete(objectKey({ namespace, name }))
    const isOld = first !== undefined && first.resourceVersion !== '' && !isNewer(resourceVersion, first.resourceVersion)
    if (isOld) return
    const byKey = new Map(known.map(record => [recordKey(record), record]))
    const troubles = this.#read(object).flatMap(record => this.#see(byKey.get(recordKey(record)), this.#withEnd(record)))
    // What is wrong with an object is told once, however many share it.
    const [trouble] = troubles
    if (trouble !== undefined) this.#tell({ ...trouble, permit: object })
  }

  #see(known: PermitRecord | undefined, record: PermitRecord): readonly NonNullable<ReturnType<typeof seen>['trouble']>[] {
    const sight = seen(known, record, this.#options.epoch())
    this.put(sight.record)
    if (known !== undefined && isActive(known) && !isActive(sight.record))
      for (const listener of this.#releaseListeners) listener(sight.record)
    if (sight.trouble?.reason === 'PermitOfNobody') this.#ofNobody.add(recordKey(record))
    return sight.trouble === undefined ? [] : [sight.trouble]
  }

  /** As it ended where its object does not say so yet. */
  #withEnd(record: PermitRecord): PermitRecord {
    const end = record.releasedAtMs === undefined ? this.#ended.get(recordKey(record)) : undefined
    return end === undefined ? record : { ...record, releasedAtMs: end.releasedAtMs, ending: end.ending, landing: end.landing }
  }

  #onDeleted(known: PermitRecord, object: DisruptionPermit): void {
    if (this.isBereft(known)) return
    if (!this.#index.ofObject(known).some(isActive)) {
      this.forget(known)
      return
    }
    this.#bereft.add(objectKey(known))
    const message = 'it was deleted while it was out: what it locks stays locked until it is over'
    this.#tell({ reason: 'PermitDeleted', permit: object, message })
  }

  /** The records of a permit; how its members ended is kept, because the next of them writes it again. */
  #recordsOf(permit: DisruptionPermit): readonly PermitRecord[] {
    const records = recordsOf(permit)
    for (const { member, reason = '' } of permit.status?.members ?? []) {
      const record = records[member]
      if (record?.releasedAtMs !== undefined && !this.#ended.has(recordKey(record)))
        this.#ended.set(recordKey(record), { ...record, reason })
    }
    return records
  }

  /** What cannot be read is told and left alone. */
  #read(permit: DisruptionPermit): readonly PermitRecord[] {
    const why = whyUnreadable(permit)
    if (why !== undefined) {
      this.#tell({ reason: 'PermitUnreadable', permit, message: `${why}: it is set aside` })
      return []
    }
    return permit.spec.grant === undefined ? [] : this.#recordsOf(permit)
  }

  #tell(trouble: PermitTrouble): void {
    const { namespace = '', name } = trouble.permit.metadata
    this.#options.log.warn({ permit: `${namespace}/${name}`, why: trouble.message }, trouble.reason)
    for (const listener of this.#troubleListeners) listener(trouble)
  }
}
