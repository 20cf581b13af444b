// The state of a cluster that changes: what `buildClusterState` makes of all objects, kept up object by object, so that a change costs
// what changed. Each state handed out is immutable and shares with the next what did not change.

import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { checkedObject, placeOf, SetAside } from './cluster-checks.ts'
import { ClusterSnapshot, SnapshotReading } from './cluster-snapshot.ts'
import { type ClusterReading, duplicate, type NodeState, nodeState } from './cluster-state.ts'
import { ModelPods } from './model-pods.ts'
import { ObjectIndex, objectKey } from './object-index.ts'
import { kindKey } from './ownership.ts'
import { SortedMapEditor } from './sorted-map.ts'

interface ObjectChange {
  /** As it was; `undefined` where it is new. */
  readonly previous: KubeObject | undefined
  /** As it is; `undefined` where it is gone. */
  readonly object: KubeObject | undefined
}

/**
 * Flow: `change` for each object that comes, changes or goes; `step` now and then, so that the work is done before it is needed; `reading`.
 * Guarantees: a reading is what `buildClusterState` makes of the objects (a changed object counting as the last to come), no matter in
 * which order they came; it has all changes told before it, and never changes itself.
 * Assumes that an object's `previous` is the very value that was told before.
 */
export class ClusterModel {
  readonly #index = new ObjectIndex()
  readonly #nodes = new SortedMapEditor<NodeState>()
  readonly #aside = new SetAside()
  readonly #faulty = new Set<KubeObject>()
  readonly #pods: ModelPods
  /** Objects whose name another one has, by kind and name, in the order in which they came. */
  readonly #rivals = new Map<string, readonly KubeObject[]>()
  /** How many nodes of a name have faults. */
  readonly #faultyNodes = new Map<string, number>()
  #changes: ObjectChange[] = []
  #next = 0
  #checked = 0
  #reading: ClusterReading | undefined

  constructor() {
    this.#pods = new ModelPods({ index: this.#index, nodes: this.#nodes, faultyNodes: this.#faultyNodes, aside: this.#aside })
  }

  /** How often an object was checked, a pod derived from its object, and a pod's workload looked up anew. */
  get counts(): { readonly checked: number; readonly derived: number; readonly linked: number } {
    return { checked: this.#checked, ...this.#pods.counts }
  }

  /** Takes note of a change. */
  change(change: ObjectChange): void {
    this.#changes.push(change)
    this.#reading = undefined
  }

  /** Does at most `count` pieces of the work that changes left (a piece is one object or pod: some 20 µs). False when nothing is left. */
  step(count: number): boolean {
    for (let done = 0; done < count; done++) {
      const change = this.#changes[this.#next]
      if (change !== undefined) {
        this.#next++
        this.#apply(change)
      } else if (!this.#pods.workOne()) break
    }
    if (this.#next < this.#changes.length) return true
    this.#changes = []
    this.#next = 0
    return this.#pods.hasWork
  }

  /** The cluster with all changes so far, doing what work is left. The same value until something changes. */
  reading(): ClusterReading {
    if (this.#reading !== undefined) return this.#reading
    while (this.step(Number.POSITIVE_INFINITY));
    const parts = { nodes: this.#nodes.snapshot(), objects: this.#index.snapshot() }
    const state = new ClusterSnapshot({ ...this.#pods.snapshot(), ...parts })
    this.#reading = new SnapshotReading(state, this.#aside.snapshot())
    return this.#reading
  }

  #apply({ previous, object }: ObjectChange): void {
    const faults = object === undefined ? [] : checkedObject(object, placeOf(object, undefined))
    if (object !== undefined) this.#checked++
    if (object !== undefined && previous !== undefined && faults.length === 0 && this.#canTakePlace(object, previous)) {
      this.#hold(object, previous)
      return
    }
    if (previous !== undefined) this.#remove(previous)
    if (object === undefined) return
    if (faults.length === 0) {
      this.#add(object)
      return
    }
    this.#faulty.add(object)
    this.#aside.set(object, faults)
    this.#countFaulty(object, 1)
  }

  /** Whether `previous` has the name that `object` has, and nobody else waits for it. */
  #canTakePlace(object: KubeObject, previous: KubeObject): boolean {
    return this.#holder(object) === previous && !this.#rivals.has(slotOf(object))
  }

  #add(object: KubeObject): void {
    if (this.#holder(object) === undefined) {
      this.#hold(object, undefined)
      return
    }
    const slot = slotOf(object)
    this.#rivals.set(slot, [...(this.#rivals.get(slot) ?? []), object])
    this.#aside.set(object, [duplicate(object, placeOf(object, undefined))])
  }

  #remove(object: KubeObject): void {
    if (this.#faulty.delete(object)) {
      this.#aside.delete(object)
      this.#countFaulty(object, -1)
      return
    }
    const slot = slotOf(object)
    const rivals = this.#rivals.get(slot) ?? []
    if (this.#holder(object) !== object) {
      this.#leaveRivals(slot, rivals, object)
      return
    }
    this.#letGo(object)
    const [next] = rivals
    if (next === undefined) return
    this.#leaveRivals(slot, rivals, next)
    this.#hold(next, undefined)
  }

  #leaveRivals(slot: string, rivals: readonly KubeObject[], object: KubeObject): void {
    const left = rivals.filter(other => other !== object)
    if (left.length === rivals.length) return
    this.#aside.delete(object)
    if (left.length > 0) this.#rivals.set(slot, left)
    else this.#rivals.delete(slot)
  }

  #holder(object: KubeObject): KubeObject | undefined {
    const waiting = keyOf(object) === 'Pod' ? this.#pods.waiting(object.metadata.namespace, object.metadata.name) : undefined
    return waiting ?? this.#index.holder(object)
  }

  /** Files an object that passed its checks; `previous` had its name. */
  #hold(object: KubeObject, previous: KubeObject | undefined): void {
    const relink = this.#pods.linksOf(object, previous)
    // Their shapes were checked.
    if (keyOf(object) === 'Pod') this.#pods.put(object as Pod)
    else this.#index.set(object)
    if (keyOf(object) === 'Node') {
      this.#nodes.set(object.metadata.name, nodeState(object as Node))
      if (previous === undefined) this.#pods.nodeCame(object.metadata.name)
    }
    relink()
  }

  #letGo(object: KubeObject): void {
    const relink = this.#pods.linksOf(undefined, object)
    if (keyOf(object) === 'Pod') this.#pods.drop(object as Pod)
    else this.#index.remove(object)
    if (keyOf(object) === 'Node') {
      this.#nodes.delete(object.metadata.name)
      this.#pods.nodeWent(object.metadata.name)
    }
    relink()
  }

  #countFaulty(object: KubeObject, by: 1 | -1): void {
    const name: unknown = object?.metadata?.name
    if (object?.kind !== 'Node' || typeof name !== 'string') return
    const count = (this.#faultyNodes.get(name) ?? 0) + by
    if (count > 0) this.#faultyNodes.set(name, count)
    else this.#faultyNodes.delete(name)
    this.#pods.nodeFaultsChanged(name)
  }
}

function keyOf(object: KubeObject): string {
  return kindKey(object.apiVersion, object.kind)
}

/** Kind and name: what only one object can have. */
function slotOf(object: KubeObject): string {
  const key = keyOf(object)
  return `${key} ${objectKey(key, object.metadata.namespace, object.metadata.name)}`
}
