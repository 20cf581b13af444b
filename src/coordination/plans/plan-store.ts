// Plans and policies in the API server: read from the watch, written under the resourceVersion that was read.

import type { Api, ResourceApi } from '#kube/client/api.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { mergePatchBetween } from '#kube/objects/merge-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import type { RebalancePlan, RebalancePlanStatus, RebalancePolicy, RebalancePolicyStatus } from '../api.ts'
import { rebalancePlans, rebalancePolicies } from '../api.ts'
import type { Leadership } from '../arbiter/leadership.ts'

const conflictTries = 5

interface OwnObjectsContext {
  readonly api: Api
  readonly informers: Informers
  readonly leadership: Leadership
  /** The capability in whose name is written. */
  readonly requester: string
}

/** One kind of ours. Writes are refused once we lead no more, and conditional on what was read: a deposed leader changes nothing. */
class OwnObjects<T extends KubeObject, Status> {
  readonly #api: ResourceApi<T>
  readonly #informer: Informer<T>
  readonly #leadership: Leadership
  readonly #fieldManager: string

  constructor(resource: GroupVersionResource, context: OwnObjectsContext) {
    this.#fieldManager = `ballast-${context.requester}`
    this.#api = context.api.resource<T>(resource)
    this.#informer = context.informers.of<T>(resource)
    this.#leadership = context.leadership
  }

  /** In order of name. */
  list(): readonly T[] {
    return [...this.#informer.store.list()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  get(name: string): T | undefined {
    return this.#informer.store.get(undefined, name)
  }

  /** Calls `handler` when a person or program changed what is wanted: spec or annotations, not the status that we write. */
  onWish(handler: () => void): () => void {
    return this.#informer.onChange(({ object, previous, type }) => {
      const isSame =
        type === 'MODIFIED' && previous?.metadata.generation === object.metadata.generation && sameAnnotations(previous, object)
      if (!isSame) handler()
    })
  }

  /** Creates the object, then writes its status: two writes, of which the second says that the object is whole. */
  async create(object: T, status: Status, signal: AbortSignal): Promise<T> {
    this.#leadership.assert()
    const created = await this.#api.create(object, { signal, fieldManager: this.#fieldManager })
    this.#informer.observe(created)
    return this.setStatus(created, () => status, signal)
  }

  async remove(object: T, signal: AbortSignal): Promise<void> {
    this.#leadership.assert()
    const { uid } = object.metadata
    try {
      await this.#api.delete(object.metadata.name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /**
   * Writes what `change` makes of the status, and that alone: a plan may have a hundred certificates, which need not travel with each
   * step. Nothing where it returns the very same value. Read again and repeated where somebody else wrote meanwhile.
   */
  async setStatus(object: T, change: (status: Status, object: T) => Status, signal: AbortSignal): Promise<T> {
    let known = this.get(object.metadata.name) ?? object
    for (let attempt = 1; ; attempt++) {
      this.#leadership.assert()
      // The status of our own kinds has the shape of the schema that the API server holds it to.
      const before = (known['status'] ?? {}) as Status
      const status = change(before, known)
      if (status === before) return known
      try {
        const { name, uid, resourceVersion } = known.metadata
        const body = { metadata: { uid, resourceVersion }, status: mergePatchBetween(before, status) }
        const options = { signal, subresource: 'status', metadataOnly: true, fieldManager: `${this.#fieldManager}-status` }
        const { metadata } = await this.#api.patch(name, { type: 'merge', body }, options)
        const stored: T = { ...known, metadata, status }
        this.#informer.observe(stored)
        return stored
      } catch (error) {
        if (!isConflict(error) || attempt >= conflictTries) throw error
        known = await this.#api.get(object.metadata.name, { signal })
        if (known.metadata.uid !== object.metadata.uid) throw error
      }
    }
  }
}

export type Plans = OwnObjects<RebalancePlan, RebalancePlanStatus>
export type Policies = OwnObjects<RebalancePolicy, RebalancePolicyStatus>

export function openPlans(context: OwnObjectsContext): {
  readonly plans: Plans
  readonly policies: Policies
} {
  return { plans: new OwnObjects(rebalancePlans, context), policies: new OwnObjects(rebalancePolicies, context) }
}

function sameAnnotations(a: KubeObject | undefined, b: KubeObject): boolean {
  return JSON.stringify(a?.metadata.annotations ?? {}) === JSON.stringify(b.metadata.annotations ?? {})
}
