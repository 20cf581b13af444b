// Which pods have to be looked at again when an object changes that may be among their controllers: the other direction of owner
// references, kept by workload and not by pod.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { WorkloadReference } from './cluster-state.ts'
import { controllerOf, controllersFrom } from './ownership.ts'
import type { OwnerLookup } from './state-shapes.ts'

/** Kinds told apart as links; with more, any kind may be one. Real clusters have about ten. */
const linkKindLimit = 1_000

/** The change may be above any pod. */
export const anyWorkload = 'any'

export class OwnerLinks {
  /** How many pods have a workload, by its name and by its UID. */
  readonly #uidsOfName = new Map<string, Map<string, number>>()
  /** Kinds that were ever a link between a pod and its workload; all other kinds are above no pod. */
  readonly #kinds = new Set<string>()

  /** A pod was found to belong to `workload`, by way of a controller of kind `direct`. */
  join(workload: WorkloadReference): void {
    const name = nameOf(workload.kind, workload.namespace, workload.name)
    const uids = this.#uidsOfName.get(name) ?? new Map<string, number>()
    uids.set(workload.uid, (uids.get(workload.uid) ?? 0) + 1)
    this.#uidsOfName.set(name, uids)
  }

  leave(workload: WorkloadReference): void {
    const name = nameOf(workload.kind, workload.namespace, workload.name)
    const uids = this.#uidsOfName.get(name)
    const count = (uids?.get(workload.uid) ?? 0) - 1
    if (uids === undefined) return
    if (count > 0) uids.set(workload.uid, count)
    else uids.delete(workload.uid)
    if (uids.size === 0) this.#uidsOfName.delete(name)
  }

  /** Takes note of the kinds on the way from a pod to its workload. */
  passed(kind: string): void {
    if (this.#kinds.size < linkKindLimit) this.#kinds.add(kind)
  }

  /** Whether an object of this kind may be above a pod. */
  isLink(kind: string): boolean {
    return this.#kinds.has(kind) || this.#kinds.size >= linkKindLimit
  }

  /**
   * UIDs of the workloads whose pods may have a controller of the name of `object` above them, as `owners` has it now: to be asked
   * before `object` is changed.
   */
  workloadsBelow(object: KubeObject, owners: OwnerLookup): ReadonlySet<string> | typeof anyWorkload {
    const { namespace, name, uid } = object.metadata
    // Above pods of any namespace.
    if (namespace === undefined || namespace === '') return anyWorkload
    const first = { apiVersion: object.apiVersion, kind: object.kind, name, uid: uid ?? '' }
    const below = new Set<string>()
    for (const { kind, name } of controllersFrom(owners, first, namespace))
      for (const known of this.#uidsOfName.get(nameOf(kind, namespace, name))?.keys() ?? []) below.add(known)
    return below
  }
}

/** Whether pods below `object` find the same above it as they did when it was `previous`. */
export function isSameLink(object: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  if (object === undefined || previous === undefined) return object === previous
  if (object.metadata.uid !== previous.metadata.uid) return false
  const [one, other] = [controllerOf(object.metadata), controllerOf(previous.metadata)]
  return (
    one?.uid === other?.uid && one?.name === other?.name && one?.kind === other?.kind && one?.apiVersion === other?.apiVersion
  )
}

function nameOf(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name}`
}
