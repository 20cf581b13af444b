// Objects that are set aside, with what is wrong with each, in order of their places.

import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterProblem, placeOf } from './cluster-checks.ts'
import { type SortedMap, SortedMapEditor } from './sorted-map.ts'

export class SetAside {
  readonly #keys = new Map<KubeObject, string>()
  readonly #problems = new SortedMapEditor<readonly ClusterProblem[]>()
  #count = 0

  has(object: KubeObject): boolean {
    return this.#keys.has(object)
  }

  /** What is wrong with `object`; told again, it is that instead. */
  set(object: KubeObject, problems: readonly ClusterProblem[]): void {
    // Two objects of one name are in one place.
    const key = this.#keys.get(object) ?? `${placeOf(object, undefined)} ${this.#count++}`
    this.#keys.set(object, key)
    this.#problems.set(key, problems)
  }

  delete(object: KubeObject): void {
    const key = this.#keys.get(object)
    if (key === undefined) return
    this.#keys.delete(object)
    this.#problems.delete(key)
  }

  snapshot(): SortedMap<readonly ClusterProblem[]> {
    return this.#problems.snapshot()
  }
}
