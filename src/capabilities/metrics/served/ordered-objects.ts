// Objects of a watch by namespace and name, in order, and by their labels: kept as they come and go, so that no list sorts all of them, and one
// that asks for the pods of a workload does not look at all others.
import { type SortedMap, SortedMapEditor } from '#cluster/sorted-map.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Labels, Selector } from '#kube/objects/selector.ts'

/** Objects or sets of labels that are looked at between two chances for a pause. */
const looksAtOnce = 1_000
/** So many that are found are sorted by themselves; more are met sooner on the way through all. */
const fewFound = 2_000

/** One namespace. */
class Place<T extends KubeObject> {
  readonly #byName = new SortedMapEditor<T>()
  /** Pods of a workload share one object of labels, which a watch keeps once. */
  readonly #byLabels = new Map<Labels | undefined, T[]>()

  get isEmpty(): boolean {
    return this.#byName.size === 0
  }

  put(object: T): void {
    const { name, labels } = object.metadata
    const known = this.#byName.get(name)
    if (known !== undefined) this.#removeFromLabels(known)
    this.#byName.set(name, object)
    const alike = this.#byLabels.get(labels)
    if (alike === undefined) this.#byLabels.set(labels, [object])
    else alike.push(object)
  }

  remove(name: string): void {
    const known = this.#byName.get(name)
    if (known === undefined) return
    this.#byName.delete(name)
    this.#removeFromLabels(known)
  }

  /** Those that `selector` takes, by name; undefined now and then, where the asker may pause. */
  *selected(selector: Selector): Generator<T | undefined> {
    if (selector.isNothing) return
    if (selector.requirements.length === 0) return yield* this.#byName.snapshot().values()
    const found: Labels[] = []
    let [count, looks] = [0, 0]
    for (const [labels, { length }] of this.#byLabels) {
      if (++looks % looksAtOnce === 0) yield undefined
      if (!selector.matches(labels)) continue
      count += length
      found.push(labels ?? unlabelled)
    }
    if (count > fewFound) return yield* this.#among(new Set(found), this.#byName.snapshot())
    const all = found.flatMap(labels => this.#byLabels.get(labels === unlabelled ? undefined : labels) ?? [])
    yield* all.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  *#among(found: ReadonlySet<Labels>, all: SortedMap<T>): Generator<T | undefined> {
    let looks = 0
    for (const object of all.values()) {
      if (++looks % looksAtOnce === 0) yield undefined
      if (found.has(object.metadata.labels ?? unlabelled)) yield object
    }
  }

  #removeFromLabels(known: T): void {
    const { labels } = known.metadata
    const alike = this.#byLabels.get(labels) ?? []
    const last = alike.pop()
    if (alike.length === 0) this.#byLabels.delete(labels)
    else if (last !== undefined && last !== known) alike[alike.indexOf(known)] = last
  }
}

const unlabelled: Labels = {}

export class OrderedObjects<T extends KubeObject> {
  readonly #places = new Map<string, Place<T>>()

  constructor(informer: Pick<Informer<T>, 'onChange'>) {
    informer.onChange(change => this.#apply(change))
  }

  /**
   * Objects that `selector` takes, by namespace, then by name (UTF-16 order, which is that of bytes for names of the API); of one namespace
   * where one is given. Undefined now and then, where the asker may let others have a turn: what comes and goes meanwhile may be in or not.
   */
  *selected(namespace: string | undefined, selector: Selector): Generator<T | undefined> {
    const names = namespace === undefined ? [...this.#places.keys()].sort() : [namespace]
    for (const name of names) yield* this.#places.get(name)?.selected(selector) ?? []
  }

  #apply({ type, object: { metadata }, object }: Change<T>): void {
    const { namespace = '', name } = metadata
    const place = this.#places.get(namespace) ?? new Place<T>()
    if (type === 'DELETED') place.remove(name)
    else place.put(object)
    if (place.isEmpty) this.#places.delete(namespace)
    else this.#places.set(namespace, place)
  }
}
