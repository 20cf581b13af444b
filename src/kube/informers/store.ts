// What is known of one kind: objects by namespace and name, by UID and by indexes, kept by the rules that make replays,
// relists and own writes harmless. Every change is told once, after the store and all indexes have it.
import type { Clock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { compareResourceVersions, isNewer } from '../objects/resource-version.ts'
import type { Projection } from './projection.ts'

export interface Change<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** The object as it is now; as it last was where it is gone. */
  readonly object: T
  /** As it was before; absent on ADDED. */
  readonly previous: T | undefined
  /** Part of the first list, or told to a handler that came late. */
  readonly initial: boolean
  /** It is gone but its end was not seen: `object` is the last known state. */
  readonly finalStateUnknown: boolean
  /** Nothing happened: somebody needed more fields, and this is the same state with them. */
  readonly resync?: true
}

/** `name → values under which the object is found`. */
type IndexFunction<T extends KubeObject> = (object: T) => readonly string[]

/** The reading side of a store. What it hands out is shared: never change it. */
export interface ObjectReader<T extends KubeObject> {
  get(namespace: string | undefined, name: string): T | undefined
  byUid(uid: string): T | undefined
  /** No copy; of one namespace, or of all. Order is that of arrival. */
  list(namespace?: string): IterableIterator<T>
  /** Objects under `value` of index `name`. @throws RangeError for an index that was never added. */
  byIndex(name: string, value: string): IterableIterator<T>
  addIndex(name: string, valuesOf: IndexFunction<T>): void
  readonly size: number
  /** How far the watch has come; `''` before the first list. */
  readonly resourceVersion: string
}

interface StoreOptions<T extends KubeObject> {
  readonly clock: Clock
  readonly projection: Projection<T>
  readonly onChange: (change: Change<T>) => void
}

interface Index<T extends KubeObject> {
  readonly valuesOf: IndexFunction<T>
  /** By value, then by identity: an object that changed and not its values takes the place of the one before. */
  readonly objects: Map<string, Map<string, T>>
}

/** For how long an own write may stand against an older list. */
const observedMs = 60_000
/** Objects replaced before the loop may turn: a few milliseconds. */
const stepSize = 500

const noNamespace = ''

/** The index of pods by `spec.nodeName`, and of anything by its controlling owner's UID: always there. */
const standardIndexes: readonly [string, IndexFunction<KubeObject>][] = [
  ['node', object => nodeNameOf(object)],
  ['owner', object => ownersOf(object)],
]

const none: readonly string[] = []

function ownersOf({ metadata: { ownerReferences = [] } }: KubeObject): readonly string[] {
  const [first] = ownerReferences
  if (first === undefined) return none
  if (ownerReferences.length === 1) return first.controller === true ? [first.uid] : none
  return ownerReferences.filter(owner => owner.controller === true).map(owner => owner.uid)
}

function nodeNameOf(object: KubeObject): readonly string[] {
  const spec = object['spec']
  if (typeof spec !== 'object' || spec === null || !('nodeName' in spec)) return none
  return typeof spec.nodeName === 'string' && spec.nodeName !== '' ? [spec.nodeName] : none
}

export class Store<T extends KubeObject> implements ObjectReader<T> {
  readonly #options: StoreOptions<T>
  readonly #objects = new Map<string, Map<string, T>>()
  readonly #uids = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  /** Objects that came from own writes, and when. */
  readonly #observed = new Map<T, number>()
  /** Objects that were stored with fewer fields than are wanted now. */
  readonly #narrow = new Set<T>()
  #projection: Projection<T>
  #size = 0
  #resourceVersion = ''
  #isLoaded = false

  constructor(options: StoreOptions<T>) {
    this.#options = options
    this.#projection = options.projection
    for (const [name, valuesOf] of standardIndexes) this.addIndex(name, valuesOf)
  }

  get size(): number {
    return this.#size
  }

  get resourceVersion(): string {
    return this.#resourceVersion
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(namespace ?? noNamespace)?.get(name)
  }

  byUid(uid: string): T | undefined {
    return this.#uids.get(uid)
  }

  *list(namespace?: string): IterableIterator<T> {
    if (namespace !== undefined) yield* this.#objects.get(namespace)?.values() ?? []
    else for (const objects of this.#objects.values()) yield* objects.values()
  }

  *byIndex(name: string, value: string): IterableIterator<T> {
    const index = this.#indexes.get(name)
    if (index === undefined) throw new RangeError(`there is no index ${JSON.stringify(name)}`)
    yield* index.objects.get(value)?.values() ?? []
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    const index: Index<T> = { valuesOf, objects: new Map() }
    this.#indexes.set(name, index)
    for (const object of this.list()) addTo(index, object, index.valuesOf(object))
  }

  /** The stored form of an object from the wire; what is not given to `replace` afterwards is given to `release`. */
  project(object: T): T {
    return this.#projection.project(object, this.#find(object))
  }

  release(object: T): void {
    this.#projection.release(object)
  }

  /** Objects that come are stored in this form from now on, and those that are there when they come again, changed or not. */
  widen(projection: Projection<T>): void {
    this.#projection = projection
    for (const object of this.list()) this.#narrow.add(object)
  }

  /** ADDED or MODIFIED came. What is not newer than what is known is dropped: a replay. */
  upsert(object: T): void {
    const known = this.#find(object)
    if (known === undefined ? this.#isPassed(object) : !isReplacement(object, known) && !this.#isNarrower(known, object)) return
    this.#put(this.project(object), known)
  }

  /** DELETED came: the stored incarnation goes; another one only if the deletion is newer than it. */
  remove(object: T): void {
    const known = this.#find(object)
    if (known === undefined) return
    const isSame = known.metadata.uid === object.metadata.uid
    if (!isSame && !isNewer(object.metadata.resourceVersion, known.metadata.resourceVersion)) return
    // It left the selection and came back by our own write, of which the watch has yet to tell.
    if (isSame && this.#observed.has(known) && isNewer(known.metadata.resourceVersion, object.metadata.resourceVersion)) return
    this.#drop(known, isSame ? this.#projectOnce(object) : known, !isSame)
  }

  /** A write was answered with `object`: the next decision sees it, though the watch has not brought it. */
  observe(object: T): void {
    const known = this.#find(object)
    const isAhead =
      known === undefined
        ? this.#resourceVersion === '' || isNewer(object.metadata.resourceVersion, this.#resourceVersion)
        : isNewer(object.metadata.resourceVersion, known.metadata.resourceVersion)
    if (!isAhead) return
    const stored = this.project(object)
    this.#observed.set(stored, this.#options.clock.elapsed())
    this.#put(stored, known)
  }

  /** The whole truth at `resourceVersion`, in projected form. Handlers are told the differences only. */
  replace(objects: readonly T[], resourceVersion: string): void {
    for (const _ of this.replaceInSteps(objects, resourceVersion));
  }

  /**
   * `replace` for big collections: the loop may turn at each step. The store is at `resourceVersion` after the last; not so where the truth
   * is that of one `namespace` only.
   */
  *replaceInSteps(objects: readonly T[], resourceVersion: string, namespace?: string): Generator<void> {
    const listed = new Set<T>()
    let step = 0
    for (const object of objects) {
      listed.add(this.#replaceOne(object))
      if (++step % stepSize === 0) yield
    }
    for (const object of [...this.list(namespace)]) {
      if (++step % stepSize === 0) yield
      if (listed.has(object) || this.#find(object) !== object) continue
      if (this.#isFresh(object) && isNewer(object.metadata.resourceVersion, resourceVersion)) continue
      this.#drop(object, object, true)
    }
    if (namespace !== undefined) return
    this.#resourceVersion = resourceVersion
    this.#isLoaded = true
    this.#forgetStaleWrites()
  }

  /** The watch has come to `resourceVersion`. */
  advance(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion
  }

  #replaceOne(object: T): T {
    const known = this.#find(object)
    if (known !== undefined) {
      const isWhole = isSameState(known, object) && !this.#narrow.has(known)
      const isOurs = this.#isFresh(known) && isNewer(known.metadata.resourceVersion, object.metadata.resourceVersion)
      if (isWhole || isOurs) {
        this.release(object)
        return known
      }
    }
    this.#put(object, known)
    return object
  }

  #isNarrower(known: T, object: T): boolean {
    return this.#narrow.has(known) && isSameState(known, object)
  }

  /** Whether the watch has told all there is to tell up to this object's version: where it is not known, it was deleted since. */
  #isPassed(object: T): boolean {
    const order = compareResourceVersions(object.metadata.resourceVersion, this.#resourceVersion)
    return order !== undefined && order <= 0
  }

  #find(object: T): T | undefined {
    return this.get(object.metadata.namespace, object.metadata.name)
  }

  #isFresh(object: T): boolean {
    const sinceMs = this.#observed.get(object)
    return sinceMs !== undefined && this.#options.clock.elapsed() - sinceMs <= observedMs
  }

  #forgetStaleWrites(): void {
    for (const object of this.#observed.keys()) if (!this.#isFresh(object)) this.#observed.delete(object)
  }

  /** A projection for the telling only. */
  #projectOnce(object: T): T {
    const projected = this.project(object)
    this.release(projected)
    return projected
  }

  #put(object: T, known: T | undefined): void {
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) {
      this.#drop(known, known, true)
      this.#put(object, undefined)
      return
    }
    if (known !== undefined) this.#forget(known)
    const namespace = object.metadata.namespace ?? noNamespace
    let objects = this.#objects.get(namespace)
    if (objects === undefined) {
      objects = new Map()
      this.#objects.set(namespace, objects)
    }
    objects.set(object.metadata.name, object)
    if (object.metadata.uid !== undefined) this.#uids.set(object.metadata.uid, object)
    for (const index of this.#indexes.values()) moveIn(index, known, object)
    if (known === undefined) this.#size++
    else this.release(known)
    const type = known === undefined ? 'ADDED' : 'MODIFIED'
    const resync = known !== undefined && isSameState(known, object) ? { resync: true as const } : {}
    this.#tell({ type, object, previous: known, finalStateUnknown: false, ...resync })
  }

  #drop(known: T, told: T, finalStateUnknown: boolean): void {
    this.#unlink(known)
    const namespace = known.metadata.namespace ?? noNamespace
    const objects = this.#objects.get(namespace)
    objects?.delete(known.metadata.name)
    if (objects?.size === 0) this.#objects.delete(namespace)
    this.#size--
    this.release(known)
    this.#tell({ type: 'DELETED', object: told, previous: known, finalStateUnknown })
  }

  #unlink(known: T): void {
    this.#forget(known)
    if (known.metadata.uid !== undefined) this.#uids.delete(known.metadata.uid)
    for (const index of this.#indexes.values()) removeFrom(index, known, index.valuesOf(known))
  }

  /** What was noted of this very state. */
  #forget(known: T): void {
    if (this.#observed.size > 0) this.#observed.delete(known)
    if (this.#narrow.size > 0) this.#narrow.delete(known)
  }

  #tell(change: Omit<Change<T>, 'initial'>): void {
    this.#options.onChange({ ...change, initial: !this.#isLoaded })
  }
}

function isSameState(one: KubeObject, other: KubeObject): boolean {
  return one.metadata.uid === other.metadata.uid && one.metadata.resourceVersion === other.metadata.resourceVersion
}

/** Whether an event's object takes the place of the stored one: newer, or of an order that cannot be told and not the same. */
function isReplacement(object: KubeObject, known: KubeObject): boolean {
  const version = object.metadata.resourceVersion
  return (
    isNewer(version, known.metadata.resourceVersion) ||
    !(isNewer(known.metadata.resourceVersion, version) || version === known.metadata.resourceVersion)
  )
}

/** Files `object` in place of `known`, which has its name and identity. */
function moveIn<T extends KubeObject>(index: Index<T>, known: T | undefined, object: T): void {
  const values = index.valuesOf(object)
  const before = known === undefined ? none : index.valuesOf(known)
  const isSame = before.length === values.length && before.every((value, at) => value === values[at])
  if (known !== undefined && !isSame) removeFrom(index, known, before)
  addTo(index, object, values)
}

function identityOf({ metadata: { uid, namespace, name } }: KubeObject): string {
  return uid ?? `${namespace ?? noNamespace}/${name}`
}

function addTo<T extends KubeObject>(index: Index<T>, object: T, values: readonly string[]): void {
  const identity = identityOf(object)
  for (const value of values) {
    const objects = index.objects.get(value)
    if (objects === undefined) index.objects.set(value, new Map([[identity, object]]))
    else objects.set(identity, object)
  }
}

function removeFrom<T extends KubeObject>(index: Index<T>, object: T, values: readonly string[]): void {
  const identity = identityOf(object)
  for (const value of values) {
    const objects = index.objects.get(value)
    objects?.delete(identity)
    if (objects?.size === 0) index.objects.delete(value)
  }
}
