// The ledger in memory, found by wish, by workload, by what is out and by time. Kept record by record: no question scans it.
import { wishKey } from '../intent.ts'
import type { LedgerView } from './ledger-view.ts'
import { isActive, type PermitRecord } from './permit-record.ts'

export class LedgerIndex implements LedgerView {
  readonly #records = new Map<string, PermitRecord>()
  readonly #active = new Map<string, PermitRecord>()
  readonly #byObject = new Groups()
  readonly #byWish = new Groups()
  readonly #byWorkload = new Groups()
  /** In order of their grants. */
  readonly #byTime: PermitRecord[] = []
  #sorted: readonly PermitRecord[] | undefined

  get(record: Place): PermitRecord | undefined {
    return this.#records.get(recordKey(record))
  }

  /** What is known of one object: a record, or those of its members. */
  ofObject(object: ObjectPlace): readonly PermitRecord[] {
    return this.#byObject.of(objectKey(object))
  }

  /** Takes `record` in, in place of what was known under its name. */
  put(record: PermitRecord): void {
    const key = recordKey(record)
    this.remove(record)
    this.#records.set(key, record)
    if (isActive(record)) this.#active.set(key, record)
    this.#byObject.add(objectKey(record), key, record)
    for (const wish of wishesOf(record)) this.#byWish.add(wish, key, record)
    if (record.workload !== undefined) this.#byWorkload.add(record.workload, key, record)
    this.#byTime.splice(this.#firstSince(grantedMs(record) + 1), 0, record)
  }

  remove(record: Place): void {
    const key = recordKey(record)
    const known = this.#records.get(key)
    this.#sorted = undefined
    if (known === undefined) return
    this.#records.delete(key)
    this.#active.delete(key)
    this.#byObject.remove(objectKey(known), key)
    for (const wish of wishesOf(known)) this.#byWish.remove(wish, key)
    if (known.workload !== undefined) this.#byWorkload.remove(known.workload, key)
    const at = this.#byTime.indexOf(known, this.#firstSince(grantedMs(known)))
    if (at >= 0) this.#byTime.splice(at, 1)
  }

  all(): readonly PermitRecord[] {
    this.#sorted ??= [...this.#records.values()].sort(inOrder)
    return this.#sorted
  }

  byKey(requester: string, idempotencyKey: string): readonly PermitRecord[] {
    return this.#byWish.of(wishKey({ requester, idempotencyKey }))
  }

  ofWorkload(workload: string): readonly PermitRecord[] {
    return this.#byWorkload.of(workload)
  }

  active(): readonly PermitRecord[] {
    return [...this.#active.values()]
  }

  grantedSince(ms: number): readonly PermitRecord[] {
    return this.#byTime.slice(this.#firstSince(ms))
  }

  /** Where the first record stands that was granted at or after `ms`. */
  #firstSince(ms: number): number {
    let low = 0
    let high = this.#byTime.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const record = this.#byTime[middle]
      if (record !== undefined && grantedMs(record) < ms) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Records by a value that several share. */
class Groups {
  readonly #groups = new Map<string, Map<string, PermitRecord>>()

  add(value: string, key: string, record: PermitRecord): void {
    const group = this.#groups.get(value)
    if (group === undefined) this.#groups.set(value, new Map([[key, record]]))
    else group.set(key, record)
  }

  remove(value: string, key: string): void {
    const group = this.#groups.get(value)
    group?.delete(key)
    if (group?.size === 0) this.#groups.delete(value)
  }

  of(value: string): readonly PermitRecord[] {
    return [...(this.#groups.get(value)?.values() ?? [])]
  }
}

type ObjectPlace = Pick<PermitRecord, 'namespace' | 'name'>
type Place = ObjectPlace & Pick<PermitRecord, 'member'>

/** `namespace/name`, the same for all that share an object. */
export function objectKey({ namespace, name }: ObjectPlace): string {
  return `${namespace}/${name}`
}

/** `namespace/name`, with `#number` for a member of a shared permit. */
export function recordKey({ namespace, name, member }: Place): string {
  return member === undefined ? `${namespace}/${name}` : `${namespace}/${name}#${member}`
}

function inOrder(a: PermitRecord, b: PermitRecord): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name) || (a.member ?? 0) - (b.member ?? 0)
}

function wishesOf(record: PermitRecord): ReadonlySet<string> {
  return new Set([wishKey(record), ...record.joined.map(wishKey)])
}

/** What carries no grant stands before everything. */
function grantedMs(record: PermitRecord): number {
  const atMs = record.grant?.atMs
  return atMs === undefined || Number.isNaN(atMs) ? Number.NEGATIVE_INFINITY : atMs
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
