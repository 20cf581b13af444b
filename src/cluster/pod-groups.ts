// Pods by what they have in common (a node, a workload), each group in order of keys; groups that did not change are shared.

import type { PodState } from './cluster-state.ts'
import { type SortedMap, SortedMapEditor } from './sorted-map.ts'

export class PodGroups {
  readonly #groups = new SortedMapEditor<readonly PodState[]>()
  /** Groups made since the last snapshot: nobody else has them yet. */
  #own = new Map<string, PodState[]>()

  get(group: string): readonly PodState[] {
    return this.#groups.get(group) ?? []
  }

  /** Moves a pod from the group of what it was to that of what it is; `undefined`: it was not there, or is not any more. */
  move(from: PodState | undefined, to: PodState | undefined, groupOf: (pod: PodState) => string | undefined): void {
    const left = from && groupOf(from)
    const entered = to && groupOf(to)
    if (from !== undefined && left !== undefined && left !== entered) this.#drop(left, from)
    if (to !== undefined && entered !== undefined) this.#put(entered, to)
  }

  snapshot(): SortedMap<readonly PodState[]> {
    if (this.#own.size > 0) this.#own = new Map()
    return this.#groups.snapshot()
  }

  #put(group: string, pod: PodState): void {
    const pods = this.#owned(group)
    const at = placeOf(pods, pod.key)
    if (pods[at]?.key === pod.key) pods[at] = pod
    else pods.splice(at, 0, pod)
  }

  #drop(group: string, { key }: PodState): void {
    const pods = this.#owned(group)
    const at = placeOf(pods, key)
    if (pods[at]?.key === key) pods.splice(at, 1)
    if (pods.length > 0) return
    this.#own.delete(group)
    this.#groups.delete(group)
  }

  #owned(group: string): PodState[] {
    const own = this.#own.get(group)
    if (own !== undefined) return own
    const copy = this.get(group).slice()
    this.#own.set(group, copy)
    this.#groups.set(group, copy)
    return copy
  }
}

/** Where the pod of `key` is among `pods`, or would be. */
function placeOf(pods: readonly PodState[], key: string): number {
  let low = 0
  let high = pods.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const known = pods[middle]
    if (known !== undefined && known.key < key) low = middle + 1
    else high = middle
  }
  return low
}
