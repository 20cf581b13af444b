// The garbage collector: what nothing owns any more goes, in the background, before its owner (foreground), or stays (orphan).
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import { watchEverything } from './every-resource.ts'
import { type GraphEntry, OwnerGraph } from './owner-graph.ts'

const writer = controllerWriter('generic-garbage-collector')
const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/** Dependents of `absentOwners` are left alone: those owners were not part of the snapshot the cluster was made from. */
export function startGarbageCollector(context: ComponentContext, absentOwners: ReadonlySet<string>): void {
  new GarbageCollector(context, absentOwners).start()
}

class GarbageCollector {
  readonly #context: ComponentContext
  readonly #absentOwners: ReadonlySet<string>
  readonly #graph = new OwnerGraph()
  readonly #queue
  #isStarted = false

  constructor(context: ComponentContext, absentOwners: ReadonlySet<string>) {
    this.#context = context
    this.#absentOwners = absentOwners
    this.#queue = context.loop.queue('garbage-collector', uid => this.#sync(uid))
  }

  start(): void {
    const waiting: string[] = []
    watchEverything(this.#context, 'garbage-collector', (resource, { type, object, previous }) => {
      const uid = object.metadata.uid ?? ''
      if (type === 'DELETED') this.#forget(uid)
      else if (previous === undefined || !isSameInGraph(object, previous)) {
        const before = this.#graph.get(uid)
        this.#graph.put(resource, object)
        // An owner that waits may be free now of a dependent that let it go.
        for (const owner of before?.owners ?? []) if (isWaiting(this.#graph.get(owner.uid))) this.#queue.add(owner.uid)
        if (!needsLook(object, previous)) return
        if (this.#isStarted) this.#queue.add(uid)
        else waiting.push(uid)
      }
    })
    // Owners may come after their dependents in the first reading.
    this.#isStarted = true
    for (const uid of waiting) this.#queue.add(uid)
  }

  #forget(uid: string): void {
    const entry = this.#graph.get(uid)
    this.#graph.remove(uid)
    this.#queue.remove(uid)
    for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent)
    for (const owner of entry?.owners ?? []) if (isWaiting(this.#graph.get(owner.uid))) this.#queue.add(owner.uid)
  }

  #sync(uid: string): void {
    const entry = this.#graph.get(uid)
    if (entry === undefined) return
    if (entry.isTerminating && entry.finalizers.includes(orphan)) this.#orphanDependents(uid, entry)
    else if (isWaiting(entry)) this.#deleteDependentsFirst(uid, entry)
    else if (!entry.isTerminating) this.#checkOwners(uid, entry)
  }

  #checkOwners(uid: string, entry: GraphEntry): void {
    if (entry.owners.length === 0) return
    const solid: OwnerReference[] = []
    const gone: OwnerReference[] = []
    const waiting: OwnerReference[] = []
    for (const reference of entry.owners) {
      const owner = this.#graph.get(reference.uid)
      if (owner === undefined && !this.#absentOwners.has(reference.uid)) gone.push(reference)
      else if (owner?.namespace !== undefined && owner.namespace !== entry.namespace) {
        this.#warnOfNamespace(entry, reference)
        // Looked for in the dependent's own namespace it is not there; what has no namespace cannot be looked for, and stays.
        if (entry.namespace === undefined) solid.push(reference)
        else gone.push(reference)
      } else if (isWaiting(owner)) waiting.push(reference)
      else solid.push(reference)
    }
    if (gone.length === 0 && waiting.length === 0) return
    if (solid.length > 0)
      this.#change(uid, entry, object => ({ ...object, metadata: { ...object.metadata, ownerReferences: solid } }))
    else this.#remove(uid, entry, waiting.length > 0 && this.#graph.dependentsOf(uid).length > 0)
  }

  #remove(uid: string, entry: GraphEntry, isForeground: boolean): void {
    const propagationPolicy = isForeground ? 'Foreground' : entry.finalizers.includes(orphan) ? 'Orphan' : 'Background'
    this.#attempt(() => {
      this.#context.access.remove(entry.resource, entry.namespace, entry.name, writer, {
        propagationPolicy,
        preconditions: { uid },
      })
    })
  }

  /** Foreground: dependents that block go first, then the owner loses its finalizer. */
  #deleteDependentsFirst(uid: string, entry: GraphEntry): void {
    const dependents = this.#graph.dependentsOf(uid)
    const blocking = dependents.filter(dependent => {
      const references = this.#graph.get(dependent)?.owners ?? []
      return references.some(reference => reference.uid === uid && reference.blockOwnerDeletion === true)
    })
    if (blocking.length === 0) this.#dropFinalizer(uid, entry, foreground)
    for (const dependent of dependents) this.#queue.add(dependent)
  }

  #orphanDependents(uid: string, entry: GraphEntry): void {
    for (const dependent of this.#graph.dependentsOf(uid)) {
      const found = this.#graph.get(dependent)
      if (found === undefined) continue
      this.#change(dependent, found, object => {
        const ownerReferences = (object.metadata.ownerReferences ?? []).filter(reference => reference.uid !== uid)
        return { ...object, metadata: { ...object.metadata, ownerReferences } }
      })
    }
    this.#dropFinalizer(uid, entry, orphan)
  }

  #dropFinalizer(uid: string, entry: GraphEntry, finalizer: string): void {
    this.#change(uid, entry, object => {
      const finalizers = (object.metadata.finalizers ?? []).filter(name => name !== finalizer)
      return { ...object, metadata: { ...object.metadata, finalizers } }
    })
  }

  #change(uid: string, entry: GraphEntry, change: (object: KubeObject) => KubeObject): void {
    const { access } = this.#context
    const object = access.get(entry.resource, entry.namespace, entry.name)
    if (object?.metadata.uid !== uid) return
    this.#attempt(() => {
      access.update(entry.resource, change(object), writer)
    })
  }

  /** What changed or went in between comes back by its own event. */
  #attempt(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  #warnOfNamespace(entry: GraphEntry, reference: OwnerReference): void {
    const { access, events } = this.#context
    const object = access.get(entry.resource, entry.namespace, entry.name)
    if (object === undefined) return
    const message = `ownerRef [${reference.apiVersion}/${reference.kind}, namespace: ${entry.namespace ?? ''}, name: ${reference.name}, uid: ${reference.uid}] does not exist in namespace "${entry.namespace ?? ''}"`
    events.record(
      object,
      { component: 'garbage-collector-controller', writer },
      { type: 'Warning', reason: 'OwnerRefInvalidNamespace', message },
    )
  }
}

function isWaiting(entry: GraphEntry | undefined): boolean {
  return entry?.isTerminating === true && entry.finalizers.includes(foreground)
}

/** Whether owners, finalizers and deletion are as they were: versions of an object share what is equal. */
function isSameInGraph({ metadata }: KubeObject, { metadata: before }: KubeObject): boolean {
  return (
    metadata.uid === before.uid &&
    metadata.ownerReferences === before.ownerReferences &&
    metadata.finalizers === before.finalizers &&
    metadata.deletionTimestamp === before.deletionTimestamp
  )
}

/** Owners that are new or changed, or a deletion that waits for dependents. */
function needsLook(object: KubeObject, previous: KubeObject | undefined): boolean {
  const { ownerReferences, deletionTimestamp, finalizers } = object.metadata
  if (deletionTimestamp !== undefined && (finalizers ?? []).some(name => name === foreground || name === orphan)) return true
  return ownerReferences !== undefined && ownerReferences !== previous?.metadata.ownerReferences
}
