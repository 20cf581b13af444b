// Several watches of one kind that look like one: a kind in some namespaces, each watched by itself. And a watch of nothing.

import type { KubeObject } from '../objects/objects.ts'
import type { GroupVersionResource } from '../objects/resource.ts'
import type { Informer } from './informer-view.ts'
import type { ReflectorState } from './reflector.ts'
import type { ObjectReader } from './store.ts'

/** Gravest first: what a whole says of itself is what its worst part says. */
const gravity: readonly ReflectorState[] = ['failing', 'starting', 'denied', 'absent', 'synced']

/** `parts` as one informer; objects are told apart by namespace. What is asked of one namespace is answered by its part alone. */
export class JoinedInformer<T extends KubeObject> implements Informer<T> {
  readonly resource: GroupVersionResource
  readonly store: ObjectReader<T>
  readonly synced: Promise<void>
  readonly parts: readonly Informer<T>[]
  readonly #byNamespace: ReadonlyMap<string, Informer<T>>

  constructor(resource: GroupVersionResource, byNamespace: ReadonlyMap<string, Informer<T>>) {
    this.resource = resource
    this.#byNamespace = byNamespace
    this.parts = [...byNamespace.values()]
    this.store = new JoinedStore(byNamespace)
    this.synced = Promise.all(this.parts.map(({ synced }) => synced)).then(() => undefined)
  }

  get isSynced(): boolean {
    return this.parts.every(({ isSynced }) => isSynced)
  }

  get state(): ReflectorState {
    return gravity.find(state => this.parts.some(part => part.state === state)) ?? 'absent'
  }

  get problem(): string | undefined {
    return this.parts.find(({ problem }) => problem !== undefined)?.problem
  }

  /** When the most silent part was heard. */
  get lastEventElapsed(): number {
    return Math.min(...this.parts.map(({ lastEventElapsed }) => lastEventElapsed))
  }

  get counts(): Informer<T>['counts'] {
    return {
      events: this.#sum(({ counts }) => counts.events),
      applyMs: this.#sum(({ counts }) => counts.applyMs),
      skipped: this.#sum(({ counts }) => counts.skipped),
      relists: summed(this.parts.map(({ counts }) => counts.relists)),
      watchRestarts: summed(this.parts.map(({ counts }) => counts.watchRestarts)),
    }
  }

  get estimatedBytes(): number {
    return this.#sum(({ estimatedBytes }) => estimatedBytes)
  }

  onChange(handler: Parameters<Informer<T>['onChange']>[0]): () => void {
    const ends = this.parts.map(part => part.onChange(handler))
    return () => {
      for (const end of ends) end()
    }
  }

  /** What lies in none of the namespaces is nobody's. */
  observe(object: T): void {
    this.#byNamespace.get(object.metadata.namespace ?? '')?.observe(object)
  }

  retryNow(): void {
    for (const part of this.parts) part.retryNow()
  }

  get isPolled(): boolean {
    return this.parts.some(({ isPolled }) => isPolled)
  }

  async freshen(namespace: string | undefined): Promise<void> {
    const own = namespace === undefined ? undefined : this.#byNamespace.get(namespace)
    const parts = namespace === undefined ? this.parts : own === undefined ? [] : [own]
    await Promise.all(parts.map(part => part.freshen(namespace)))
  }

  #sum(of: (part: Informer<T>) => number): number {
    return this.parts.reduce((sum, part) => sum + of(part), 0)
  }
}

/** The informer of a kind that is not watched: it is as if the cluster had none. */
export function unwatched<T extends KubeObject>(resource: GroupVersionResource): Informer<T> {
  return new JoinedInformer<T>(resource, new Map())
}

class JoinedStore<T extends KubeObject> implements ObjectReader<T> {
  readonly #byNamespace: ReadonlyMap<string, Informer<T>>

  constructor(byNamespace: ReadonlyMap<string, Informer<T>>) {
    this.#byNamespace = byNamespace
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#byNamespace.get(namespace ?? '')?.store.get(namespace, name)
  }

  byUid(uid: string): T | undefined {
    for (const store of this.#stores()) {
      const found = store.byUid(uid)
      if (found !== undefined) return found
    }
    return undefined
  }

  *list(namespace?: string): IterableIterator<T> {
    if (namespace === undefined) for (const store of this.#stores()) yield* store.list()
    else yield* this.#byNamespace.get(namespace)?.store.list(namespace) ?? []
  }

  *byIndex(name: string, value: string): IterableIterator<T> {
    for (const store of this.#stores()) yield* store.byIndex(name, value)
  }

  addIndex(name: string, valuesOf: Parameters<ObjectReader<T>['addIndex']>[1]): void {
    for (const store of this.#stores()) store.addIndex(name, valuesOf)
  }

  get size(): number {
    let size = 0
    for (const store of this.#stores()) size += store.size
    return size
  }

  /** No single version tells how far the whole has come, so this is the version of the part that has come least far. */
  get resourceVersion(): string {
    const versions = Array.from(this.#stores(), ({ resourceVersion }) => resourceVersion)
    return versions.reduce(
      (least, one) => (least.length < one.length || (least.length === one.length && least < one) ? least : one),
      versions[0] ?? '',
    )
  }

  *#stores(): Iterable<ObjectReader<T>> {
    for (const { store } of this.#byNamespace.values()) yield store
  }
}

function summed(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const one of counts) for (const [key, count] of Object.entries(one)) sums[key] = (sums[key] ?? 0) + count
  return sums
}
