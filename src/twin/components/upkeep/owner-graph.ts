// Who owns whom, by uid, over all kinds.
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'

export interface GraphEntry {
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string
  readonly owners: readonly OwnerReference[]
  readonly isTerminating: boolean
  readonly finalizers: readonly string[]
}

export class OwnerGraph {
  readonly #entries = new Map<string, GraphEntry>()
  readonly #dependents = new Map<string, Set<string>>()

  put(resource: string, object: KubeObject): void {
    const uid = object.metadata.uid ?? ''
    this.#unlink(uid)
    const { namespace, name, ownerReferences = [], deletionTimestamp, finalizers = [] } = object.metadata
    this.#entries.set(uid, {
      resource,
      namespace,
      name,
      owners: ownerReferences,
      isTerminating: deletionTimestamp !== undefined,
      finalizers,
    })
    for (const owner of ownerReferences) {
      const dependents = this.#dependents.get(owner.uid)
      if (dependents === undefined) this.#dependents.set(owner.uid, new Set([uid]))
      else dependents.add(uid)
    }
  }

  remove(uid: string): void {
    this.#unlink(uid)
    this.#entries.delete(uid)
  }

  get(uid: string): GraphEntry | undefined {
    return this.#entries.get(uid)
  }

  /** UIDs of the objects that name this one as an owner, whether it exists or not. */
  dependentsOf(uid: string): readonly string[] {
    return [...(this.#dependents.get(uid) ?? [])]
  }

  #unlink(uid: string): void {
    for (const owner of this.#entries.get(uid)?.owners ?? []) {
      const dependents = this.#dependents.get(owner.uid)
      dependents?.delete(uid)
      if (dependents?.size === 0) this.#dependents.delete(owner.uid)
    }
  }
}
