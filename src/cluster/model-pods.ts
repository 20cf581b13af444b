// The pods of a ClusterModel: derived once for each version of an object, kept by node and by workload, waiting aside while their
// node is not there, and looked at again when something above or below them changed.

import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { SetAside } from './cluster-checks.ts'
import { placeOf } from './cluster-checks.ts'
import { isPlaceless, type NodeState, type PodState, placelessPod, podState, type WorkloadReference } from './cluster-state.ts'
import { type ObjectIndex, objectKey } from './object-index.ts'
import { anyWorkload, isSameLink, OwnerLinks } from './owner-links.ts'
import { kindKey, topmostController } from './ownership.ts'
import { PodGroups } from './pod-groups.ts'
import type { Requests } from './requests.ts'
import { type SortedMap, SortedMapEditor } from './sorted-map.ts'
import type { OwnerLookup } from './state-shapes.ts'

interface Surroundings {
  readonly index: ObjectIndex
  readonly nodes: { get(name: string): NodeState | undefined }
  /** Names of nodes that are there and have faults. */
  readonly faultyNodes: { has(name: string): boolean }
  readonly aside: SetAside
}

interface PodParts {
  readonly pods: SortedMap<PodState>
  readonly podsByNode: SortedMap<readonly PodState[]>
  readonly podsByWorkload: SortedMap<readonly PodState[]>
}

export class ModelPods {
  readonly #around: Surroundings
  readonly #owners: OwnerLookup
  readonly #links = new OwnerLinks()
  readonly #pods = new SortedMapEditor<PodState>()
  readonly #byNode = new PodGroups()
  readonly #byWorkload = new PodGroups()
  /** Pods on nodes that are not there, by key, and their keys by node. */
  readonly #waiting = new Map<string, PodState>()
  readonly #waitingFor = new Map<string, Set<string>>()
  /** Keys of pods whose node or workload has to be looked up anew. */
  readonly #stale = new Set<string>()
  /** Goes through `#stale` once, however it grows: starting anew would pass all that was deleted. */
  #order: Iterator<string> = this.#stale.values()
  /** A pod was looked for among the controllers of another. */
  #hasAskedPod = false
  #derived = 0
  #linked = 0

  constructor(around: Surroundings) {
    this.#around = around
    this.#owners = {
      object: (kind, namespace, name) => {
        this.#links.passed(kind)
        this.#hasAskedPod ||= kind === 'Pod'
        return this.#waitingNamed(kind, namespace, name) ?? around.index.object(kind, namespace, name)
      },
    }
  }

  get counts(): { readonly derived: number; readonly linked: number } {
    return { derived: this.#derived, linked: this.#linked }
  }

  get hasWork(): boolean {
    return this.#stale.size > 0
  }

  /** The pod of this name that waits for its node. */
  waiting(namespace: string | undefined, name: string): Pod | undefined {
    return this.#waitingNamed('Pod', namespace, name)
  }

  /** Takes a pod in, in place of the one of its name. */
  put(object: Pod): void {
    this.#derived++
    this.#hasAskedPod = false
    const pod = podState(this.#owners, object)
    const isBelowPod = this.#hasAskedPod
    const known = this.#pods.get(pod.key)
    this.#stopWaiting(pod.key)
    this.#stale.delete(pod.key)
    this.#place(withSharedParts(pod, known ?? this.#byWorkload.get(pod.workload?.uid ?? '')[0]), known)
    // A pod may stand above itself, and what it was before has just been asked.
    if (isBelowPod) this.#stale.add(pod.key)
  }

  drop(object: Pod): void {
    const key = objectKey('Pod', object.metadata.namespace, object.metadata.name)
    this.#stale.delete(key)
    this.#stopWaiting(key)
    const known = this.#pods.get(key)
    if (known !== undefined) this.#takeOut(known)
  }

  /** A node came: the pods that wait for it can be placed. */
  nodeCame(name: string): void {
    for (const key of this.#waitingFor.get(name) ?? []) this.#stale.add(key)
  }

  /** A node went: its pods have to wait. */
  nodeWent(name: string): void {
    for (const pod of this.#byNode.get(name).slice()) this.#place(pod, pod)
  }

  /** A node came or went that has faults: what is said of pods that wait for it is another thing. */
  nodeFaultsChanged(name: string): void {
    for (const key of this.#waitingFor.get(name) ?? []) {
      const pod = this.#waiting.get(key)
      if (pod !== undefined) this.#say(pod)
    }
  }

  /** To be called before `previous` becomes `object`, and what it returns after: marks the pods that may have another workload then. */
  linksOf(object: KubeObject | undefined, previous: KubeObject | undefined): () => void {
    const either = object ?? previous
    if (either === undefined || isSameLink(object, previous)) return () => undefined
    if (!this.#links.isLink(kindKey(either.apiVersion, either.kind))) return () => undefined
    const below = [previous, object].map(one =>
      one === undefined ? new Set<string>() : this.#links.workloadsBelow(one, this.#owners),
    )
    return () => {
      if (below.includes(anyWorkload)) for (const key of this.#pods.snapshot().keys()) this.#stale.add(key)
      for (const uids of below)
        if (uids !== anyWorkload) for (const uid of uids) for (const pod of this.#byWorkload.get(uid)) this.#stale.add(pod.key)
    }
  }

  /** Looks at one pod again. False when none is left. */
  workOne(): boolean {
    const key = this.#nextStale()
    if (key === undefined) return false
    this.#stale.delete(key)
    const known = this.#pods.get(key)
    const pod = known ?? this.#waiting.get(key)
    if (pod === undefined) return true
    this.#linked++
    const workload = topmostController(this.#owners, pod.object)
    if (known !== undefined && isSameWorkload(known.workload, workload)) return true
    const sibling = this.#byWorkload.get(workload?.uid ?? '')[0]
    this.#stopWaiting(key)
    this.#place(withSharedParts({ ...pod, workload }, sibling), known)
    return true
  }

  snapshot(): PodParts {
    return {
      pods: this.#pods.snapshot(),
      podsByNode: this.#byNode.snapshot(),
      podsByWorkload: this.#byWorkload.snapshot(),
    }
  }

  #nextStale(): string | undefined {
    const next = this.#order.next()
    if (next.done !== true) return next.value
    this.#order = this.#stale.values()
    const first = this.#order.next()
    return first.done === true ? undefined : first.value
  }

  #waitingNamed(kind: string, namespace: string | undefined, name: string): Pod | undefined {
    return kind === 'Pod' && this.#waiting.size > 0 ? this.#waiting.get(objectKey('Pod', namespace, name))?.object : undefined
  }

  #place(pod: PodState, known: PodState | undefined): void {
    if (isPlaceless(pod, this.#around.nodes)) {
      if (known !== undefined) this.#takeOut(known)
      this.#wait(pod)
      return
    }
    this.#pods.set(pod.key, pod)
    this.#around.index.set(pod.object)
    this.#move(pod, known)
  }

  #takeOut(pod: PodState): void {
    this.#pods.delete(pod.key)
    this.#around.index.remove(pod.object)
    this.#move(undefined, pod)
  }

  #move(pod: PodState | undefined, known: PodState | undefined): void {
    this.#byNode.move(known, pod, standingOn)
    this.#byWorkload.move(known, pod, belongingTo)
    if (known?.workload === pod?.workload) return
    if (known?.workload !== undefined) this.#links.leave(known.workload)
    if (pod?.workload !== undefined) this.#links.join(pod.workload)
  }

  #wait(pod: PodState): void {
    const { key, nodeName = '' } = pod
    this.#waiting.set(key, pod)
    this.#waitingFor.set(nodeName, (this.#waitingFor.get(nodeName) ?? new Set()).add(key))
    this.#say(pod)
  }

  #stopWaiting(key: string): void {
    const pod = this.#waiting.get(key)
    if (pod === undefined) return
    const { nodeName = '' } = pod
    this.#waiting.delete(key)
    this.#around.aside.delete(pod.object)
    const others = this.#waitingFor.get(nodeName)
    others?.delete(key)
    if (others?.size === 0) this.#waitingFor.delete(nodeName)
  }

  #say(pod: PodState): void {
    const { aside, faultyNodes } = this.#around
    aside.set(pod.object, [placelessPod(pod, placeOf(pod.object, undefined), faultyNodes)])
  }
}

/** The group of `podsOn`; `undefined` for pods that are nowhere or hold nothing any more. */
function standingOn(pod: PodState): string | undefined {
  return pod.isFinished ? undefined : pod.nodeName
}

function belongingTo(pod: PodState): string | undefined {
  return pod.workload?.uid
}

/** `pod`, with what is equal in a sibling or in what it was before kept once. */
function withSharedParts(pod: PodState, like: PodState | undefined): PodState {
  if (like === undefined) return pod
  return {
    ...pod,
    requests: isSameAmounts(pod.requests, like.requests) ? like.requests : pod.requests,
    workload: isSameWorkload(pod.workload, like.workload) ? like.workload : pod.workload,
  }
}

function isSameAmounts(one: Requests, other: Requests): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every((name, at) => one[name] === other[name] && Object.keys(other)[at] === name)
  )
}

function isSameWorkload(one: WorkloadReference | undefined, other: WorkloadReference | undefined): boolean {
  if (one === other) return true
  return (
    one !== undefined &&
    other !== undefined &&
    one.uid === other.uid &&
    one.name === other.name &&
    one.kind === other.kind &&
    one.namespace === other.namespace &&
    one.apiVersion === other.apiVersion
  )
}
