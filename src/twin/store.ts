// The objects of the twin: one ordered map per resource, one counter for all, and a history from which watches and
// consistent lists are served. It knows no rules of Kubernetes; the write pipeline decides what is committed.
import type { KubeObject } from '#kube/objects.ts'
import type { ResourceKey, StoreEvent } from './access.ts'
import { frozen } from './json-value.ts'

interface HistoryEntry {
  readonly resource: ResourceKey
  readonly event: StoreEvent
}

type Handler = (event: StoreEvent) => void

/** `namespace/name`, or the name alone for cluster-wide objects: lists are in byte order of it. */
export function objectKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

/** Objects of one resource with their keys in order. */
class Shelf {
  readonly objects = new Map<string, KubeObject>()
  readonly handlers = new Set<Handler>()
  #keys: string[] | undefined

  sortedKeys(): readonly string[] {
    this.#keys ??= [...this.objects.keys()].sort(byteOrder)
    return this.#keys
  }

  forgetOrder(): void {
    this.#keys = undefined
  }
}

export function byteOrder(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** So many events stay readable; a watch from before them is told to list again. */
const defaultHistory = 100_000

export class Store {
  readonly #shelves = new Map<ResourceKey, Shelf>()
  readonly #history: HistoryEntry[] = []
  readonly #historyLimit: number
  // A handler may commit: what it commits is delivered after its own event has reached everybody, so that all see one order.
  readonly #undelivered: { readonly shelf: Shelf; readonly event: StoreEvent }[] = []
  #isDelivering = false
  #revision = 1
  #compactedRevision = 1

  constructor(options: { historyLimit?: number } = {}) {
    this.#historyLimit = options.historyLimit ?? defaultHistory
  }

  get revision(): number {
    return this.#revision
  }

  /** Changes after this revision are known; older ones are gone. */
  get compactedRevision(): number {
    return this.#compactedRevision
  }

  get(resource: ResourceKey, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#shelves.get(resource)?.objects.get(objectKey(namespace, name))
  }

  has(resource: ResourceKey): boolean {
    return (this.#shelves.get(resource)?.objects.size ?? 0) > 0
  }

  count(resource: ResourceKey): number {
    return this.#shelves.get(resource)?.objects.size ?? 0
  }

  /** In key order. */
  list(resource: ResourceKey, namespace?: string): readonly KubeObject[] {
    const shelf = this.#shelves.get(resource)
    if (shelf === undefined) return []
    const found: KubeObject[] = []
    const prefix = namespace === undefined ? '' : `${namespace}/`
    for (const key of shelf.sortedKeys()) {
      if (!key.startsWith(prefix)) continue
      const object = shelf.objects.get(key)
      if (object !== undefined) found.push(object)
    }
    return found
  }

  /** The list as it was at `revision`; undefined when that is no longer known. */
  listAt(resource: ResourceKey, namespace: string | undefined, revision: number): readonly KubeObject[] | undefined {
    if (revision === this.#revision) return this.list(resource, namespace)
    if (revision < this.#compactedRevision || revision > this.#revision) return undefined
    const objects = new Map(this.#shelves.get(resource)?.objects)
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const entry = this.#history[index]
      if (entry === undefined || entry.event.revision <= revision) break
      if (entry.resource !== resource) continue
      const { metadata } = entry.event.object
      const key = objectKey(metadata.namespace, metadata.name)
      if (entry.event.previous === undefined) objects.delete(key)
      else objects.set(key, entry.event.previous)
    }
    const prefix = namespace === undefined ? '' : `${namespace}/`
    return [...objects.keys()]
      .filter(key => key.startsWith(prefix))
      .sort(byteOrder)
      .flatMap(key => objects.get(key) ?? [])
  }

  /** Changes of a resource after `revision`, oldest first; undefined when some of them are no longer known. */
  changesSince(resource: ResourceKey, revision: number): readonly StoreEvent[] | undefined {
    if (revision < this.#compactedRevision) return undefined
    const changes: StoreEvent[] = []
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const entry = this.#history[index]
      if (entry === undefined || entry.event.revision <= revision) break
      if (entry.resource === resource) changes.push(entry.event)
    }
    return changes.reverse()
  }

  /** Puts an object under the next revision. Its `metadata.resourceVersion` is set here; the result is frozen and shared. */
  put(resource: ResourceKey, object: KubeObject): KubeObject {
    const shelf = this.#shelf(resource)
    const { namespace, name } = object.metadata
    const key = objectKey(namespace, name)
    const previous = shelf.objects.get(key)
    const revision = ++this.#revision
    const stored = frozen({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } })
    shelf.objects.set(key, stored)
    if (previous === undefined) shelf.forgetOrder()
    this.#announce(
      resource,
      shelf,
      previous === undefined
        ? { type: 'ADDED', object: stored, revision }
        : { type: 'MODIFIED', object: stored, previous, revision },
    )
    return stored
  }

  /** Removes an object; the last state, as it is announced, carries the revision of the removal. */
  remove(resource: ResourceKey, namespace: string | undefined, name: string): KubeObject | undefined {
    const shelf = this.#shelf(resource)
    const key = objectKey(namespace, name)
    const previous = shelf.objects.get(key)
    if (previous === undefined) return undefined
    const revision = ++this.#revision
    shelf.objects.delete(key)
    shelf.forgetOrder()
    const object = frozen({ ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } })
    this.#announce(resource, shelf, { type: 'DELETED', object, previous, revision })
    return object
  }

  /** `handler` is called synchronously after each commit of the resource. */
  subscribe(resource: ResourceKey, handler: Handler): () => void {
    const shelf = this.#shelf(resource)
    shelf.handlers.add(handler)
    return () => void shelf.handlers.delete(handler)
  }

  /** Forgets the changes up to and including `revision`. */
  compact(revision: number): void {
    const keepFrom = this.#history.findIndex(entry => entry.event.revision > revision)
    this.#history.splice(0, keepFrom < 0 ? this.#history.length : keepFrom)
    this.#compactedRevision = Math.max(this.#compactedRevision, Math.min(revision, this.#revision))
  }

  #announce(resource: ResourceKey, shelf: Shelf, event: StoreEvent): void {
    this.#history.push({ resource, event })
    if (this.#history.length > this.#historyLimit * 1.25) {
      const dropped = this.#history.splice(0, this.#history.length - this.#historyLimit)
      this.#compactedRevision = dropped.at(-1)?.event.revision ?? this.#compactedRevision
    }
    this.#undelivered.push({ shelf, event })
    if (this.#isDelivering) return
    this.#isDelivering = true
    try {
      for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
        for (const handler of [...next.shelf.handlers]) handler(next.event)
      }
    } finally {
      this.#isDelivering = false
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
