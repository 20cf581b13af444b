// Pods that the scheduler found no node for, kept as they come and go: the gate of pending pods does not search the cluster for them.
import type { Pod } from '#kube/objects/objects.ts'
import { justSeen, notAfter, timeMs } from './object-fields.ts'

export interface UnschedulablePod {
  /** `namespace/name`. */
  readonly key: string
  readonly uid: string
  /** Since when the scheduler says so. */
  readonly sinceMs: number
}

/** What the scheduler says of a pod that waits for a node; `undefined` for one that has a node, is held by a gate, is over or on its way out. */
export function unschedulable(pod: Pod): UnschedulablePod | undefined {
  const { metadata, spec, status } = pod
  if ((spec.nodeName ?? '') !== '' || metadata.deletionTimestamp !== undefined || (status?.phase ?? 'Pending') !== 'Pending') {
    return undefined
  }
  const condition = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (condition?.status !== 'False' || condition.reason !== 'Unschedulable') return undefined
  const sinceMs = timeMs(condition.lastTransitionTime) ?? timeMs(metadata.creationTimestamp)
  if (sinceMs === undefined) return undefined
  return { key: `${metadata.namespace ?? ''}/${metadata.name}`, uid: metadata.uid ?? '', sinceMs }
}

export class UnschedulablePods {
  readonly #byUid = new Map<string, UnschedulablePod>()

  /** `initial`: it was there before we watched. */
  see(
    pod: Pod,
    { isGone, initial, nowMs }: { readonly isGone: boolean; readonly initial: boolean; readonly nowMs: number },
  ): void {
    const found = isGone ? undefined : unschedulable(pod)
    const uid = pod.metadata.uid ?? ''
    if (found === undefined) this.#byUid.delete(uid)
    else if (!this.#byUid.has(uid)) {
      const sinceMs = initial ? notAfter(found.sinceMs, nowMs) : justSeen(found.sinceMs, nowMs)
      this.#byUid.set(uid, { ...found, sinceMs })
    }
  }

  /** In order of their keys. */
  all(): readonly UnschedulablePod[] {
    return [...this.#byUid.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  }
}
