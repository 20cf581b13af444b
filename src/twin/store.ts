// The objects of the twin: one ordered map per resource, one counter for all, and a history from which watches and
// consistent lists are served. It knows no rules of Kubernetes; the write pipeline decides what is committed.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ResourceKey, StoreEvent } from './access.ts'
import { Changes, History } from './history.ts'
import { type ObjectsSnapshot, OrderedObjects } from './ordered-objects.ts'
import { SharedValues } from './shared-values.ts'
import { type TellTrouble, throwTrouble } from './trouble.ts'

type Handler = (event: StoreEvent) => void

/** `namespace/name`, or the name alone for cluster-wide objects: lists are in byte order of it. */
export function objectKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

/** The objects of one resource. */
class Shelf {
  readonly objects = new Map<string, KubeObject>()
  readonly ordered = new OrderedObjects()
  readonly changes = new Changes()
  readonly #handlers = new Set<Handler>()
  #called: readonly Handler[] = []
  #addedBytes = 0
  #addedCount = 0

  /** Who is told now; who comes or goes meanwhile does not change it. */
  get handlers(): readonly Handler[] {
    return this.#called
  }

  subscribe(handler: Handler): () => void {
    this.#handlers.add(handler)
    this.#called = [...this.#handlers]
    return () => {
      this.#handlers.delete(handler)
      this.#called = [...this.#handlers]
    }
  }

  noteAdded(bytes: number): void {
    this.#addedBytes += bytes
    this.#addedCount++
  }

  /** What one of its objects takes, on average. */
  get objectBytes(): number {
    return this.#addedCount === 0 ? 0 : this.#addedBytes / this.#addedCount
  }
}

/** Is told of each commit before anybody else. */
export interface StoreJournal {
  /** Without an object it is gone. `key` as {@link objectKey} has it. */
  note(resource: ResourceKey, key: string, revision: number, object: KubeObject | undefined): void
}

interface StoreOptions {
  /** The revision of the last commit before this store: the next one is the one after. 1 by default. */
  readonly startRevision?: number
  readonly journal?: StoreJournal
  /** So many events stay readable; a watch from before them is told to list again. */
  readonly historyLimit?: number
  /** What they may take in memory, roughly. */
  readonly historyBytes?: number
  /** Where objects find the parts they have in common with others; one of its own by default. */
  readonly sharedValues?: SharedValues
  /** Told of listeners that threw; by default it is thrown outside. */
  readonly onTrouble?: TellTrouble
}

const defaultHistory = 100_000
const defaultHistoryBytes = 128 * 1024 * 1024
/** What an event takes besides its objects. */
const eventBytes = 200
/** Old states that are kept for clients in the middle of their pages. */
const mostSnapshots = 64

export class Store {
  readonly #shelves = new Map<ResourceKey, Shelf>()
  readonly #history: History
  readonly #shared: SharedValues
  readonly #onTrouble: TellTrouble
  /** States that pages were given of, by resource and revision, the last used at the end. */
  readonly #snapshots = new Map<string, { readonly revision: number; readonly snapshot: ObjectsSnapshot }>()
  // A handler may commit: what it commits is delivered after its own event has reached everybody, so that all see one order.
  readonly #undelivered: { readonly shelf: Shelf; readonly event: StoreEvent }[] = []
  #isDelivering = false
  readonly #journal: StoreJournal | undefined
  #revision: number

  constructor(options: StoreOptions = {}) {
    this.#history = new History({
      mostEvents: options.historyLimit ?? defaultHistory,
      mostBytes: options.historyBytes ?? defaultHistoryBytes,
      startRevision: options.startRevision ?? 1,
    })
    this.#revision = options.startRevision ?? 1
    this.#journal = options.journal
    this.#shared = options.sharedValues ?? new SharedValues()
    this.#onTrouble = options.onTrouble ?? throwTrouble
  }

  get revision(): number {
    return this.#revision
  }

  /** Changes after this revision are known; older ones are gone. */
  get compactedRevision(): number {
    return this.#history.compactedRevision
  }

  get(resource: ResourceKey, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#shelves.get(resource)?.objects.get(objectKey(namespace, name))
  }

  has(resource: ResourceKey): boolean {
    return this.count(resource) > 0
  }

  count(resource: ResourceKey): number {
    return this.#shelves.get(resource)?.objects.size ?? 0
  }

  /** In key order. */
  list(resource: ResourceKey, namespace?: string): readonly KubeObject[] {
    const shelf = this.#shelves.get(resource)
    if (shelf === undefined) return []
    return namespace === undefined ? shelf.ordered.all() : shelf.ordered.startingWith(`${namespace}/`)
  }

  /**
   * All objects of the resource as they were at `revision`; undefined when that is no longer known. With `keeps` it is found again fast,
   * for whoever goes on from there.
   */
  snapshotAt(resource: ResourceKey, revision: number, keeps = false): ObjectsSnapshot | undefined {
    if (revision < this.compactedRevision || revision > this.#revision) return undefined
    const name = `${resource}@${revision}`
    const kept = this.#snapshots.get(name)
    const snapshot = kept?.snapshot ?? this.#shelf(resource).ordered.snapshot()
    const found = kept === undefined && revision < this.#revision ? this.#undone(resource, snapshot, revision) : snapshot
    if (!keeps && kept === undefined) return found
    this.#snapshots.delete(name)
    this.#snapshots.set(name, { revision, snapshot: found })
    this.#dropSnapshots()
    return found
  }

  /** Changes of a resource after `revision`, oldest first, at most `limit`; undefined when some of them are no longer known. */
  changesSince(resource: ResourceKey, revision: number, limit?: number): readonly StoreEvent[] | undefined {
    if (revision < this.compactedRevision) return undefined
    return this.#shelves.get(resource)?.changes.since(revision, limit) ?? []
  }

  /** Puts an object under the next revision. Its `metadata.resourceVersion` is set here; the result is frozen and shared. */
  put(resource: ResourceKey, object: KubeObject, like?: KubeObject): KubeObject {
    const shelf = this.#shelf(resource)
    const { namespace, name } = object.metadata
    const key = objectKey(namespace, name)
    const previous = shelf.objects.get(key)
    const revision = ++this.#revision
    const bytesBefore = this.#shared.freshBytes
    const stored = this.#shared.shared(atRevision(object, revision), previous ?? like)
    const bytes = this.#shared.freshBytes - bytesBefore
    shelf.objects.set(key, stored)
    shelf.ordered.set(key, stored)
    this.#journal?.note(resource, key, revision, stored)
    if (previous === undefined) {
      shelf.noteAdded(bytes)
      this.#announce(shelf, { type: 'ADDED', object: stored, revision }, bytes)
    } else this.#announce(shelf, { type: 'MODIFIED', object: stored, previous, revision }, bytes)
    return stored
  }

  /** Puts an object as an earlier store had it, with its resourceVersion. It is no commit: nobody is told, and no history begins. */
  restore(resource: ResourceKey, object: KubeObject): void {
    const shelf = this.#shelf(resource)
    const { namespace, name } = object.metadata
    const key = objectKey(namespace, name)
    const bytesBefore = this.#shared.freshBytes
    const stored = this.#shared.shared(object)
    shelf.objects.set(key, stored)
    shelf.ordered.set(key, stored)
    shelf.noteAdded(this.#shared.freshBytes - bytesBefore)
  }

  /**
   * Takes up a change of an earlier store, which had led to what is here: whoever saw the one before goes on from there. They come in
   * order, without a gap, up to the revision at which this store begins.
   */
  remember(
    resource: ResourceKey,
    { revision, object, previous }: { revision: number; object: KubeObject | undefined; previous: KubeObject | undefined },
  ): void {
    if (this.#history.isEmpty) this.#history.beginAt(revision - 1)
    const bytesBefore = this.#shared.freshBytes
    const before = previous === undefined ? undefined : this.#shared.shared(previous)
    const after =
      object === undefined
        ? before === undefined
          ? undefined
          : this.#shared.shared(atRevision(before, revision), before)
        : this.#shared.shared(object, before)
    if (after === undefined) return
    const event: StoreEvent =
      before === undefined
        ? { type: 'ADDED', object: after, revision }
        : { type: object === undefined ? 'DELETED' : 'MODIFIED', object: after, previous: before, revision }
    this.#history.add(this.#shelf(resource).changes, event, this.#shared.freshBytes - bytesBefore + eventBytes)
  }

  /** Removes an object; the last state, as it is announced, carries the revision of the removal. */
  remove(resource: ResourceKey, namespace: string | undefined, name: string): KubeObject | undefined {
    const shelf = this.#shelf(resource)
    const key = objectKey(namespace, name)
    const previous = shelf.objects.get(key)
    if (previous === undefined) return undefined
    const revision = ++this.#revision
    shelf.objects.delete(key)
    shelf.ordered.delete(key)
    this.#journal?.note(resource, key, revision, undefined)
    const object = this.#shared.shared(atRevision(previous, revision), previous)
    this.#announce(shelf, { type: 'DELETED', object, previous, revision }, shelf.objectBytes)
    return object
  }

  /** `handler` is called synchronously after each commit of the resource. */
  subscribe(resource: ResourceKey, handler: Handler): () => void {
    return this.#shelf(resource).subscribe(handler)
  }

  /** Forgets the changes up to and including `revision`. */
  compact(revision: number): void {
    this.#history.compact(Math.min(revision, this.#revision))
    this.#dropSnapshots()
  }

  /** What is before the last known revision, or too much, the least used first. */
  #dropSnapshots(): void {
    for (const [name, { revision }] of this.#snapshots)
      if (revision < this.compactedRevision || this.#snapshots.size > mostSnapshots) this.#snapshots.delete(name)
  }

  #undone(resource: ResourceKey, newest: ObjectsSnapshot, revision: number): ObjectsSnapshot {
    const past = newest.fork()
    for (const event of this.#shelf(resource).changes.backTo(revision)) {
      const { namespace, name } = event.object.metadata
      const key = objectKey(namespace, name)
      if (event.previous === undefined) past.delete(key)
      else past.set(key, event.previous)
    }
    return past.snapshot()
  }

  #announce(shelf: Shelf, event: StoreEvent, bytes: number): void {
    this.#history.add(shelf.changes, event, bytes + eventBytes)
    this.#undelivered.push({ shelf, event })
    if (this.#isDelivering) return
    this.#isDelivering = true
    try {
      for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
        for (const handler of next.shelf.handlers) this.#deliver(handler, next.event)
      }
    } finally {
      this.#isDelivering = false
    }
  }

  /** The change is committed: a listener that cannot follow it stops neither the write nor the others. */
  #deliver(handler: Handler, event: StoreEvent): void {
    try {
      handler(event)
    } catch (error) {
      const { namespace, name } = event.object.metadata
      this.#onTrouble({ kind: 'listener', where: `${event.object.kind} ${objectKey(namespace, name)}`, error, count: 1 })
    }
  }

  #shelf(resource: ResourceKey): Shelf {
    let shelf = this.#shelves.get(resource)
    if (shelf === undefined) {
      shelf = new Shelf()
      this.#shelves.set(resource, shelf)
    }
    return shelf
  }
}

/** An object with the revision as its resourceVersion. */
export function atRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
}
