// The pods as a cycle sees them: those of the state it began with, less what it evicted meanwhile.
//
// Upstream's plugins read one informer cache that goes on changing under them. What it shows of an evicted pod:
// - live: the API server answers the eviction with a deletion timestamp, and the watch shows the pod terminating some milliseconds later.
//   It still counts as active (usage, domains, replicas, anti-affinity), and `Filter` refuses it. A pod that has nothing to wait for (no
//   node, a finished phase, a grace period of 0) is deleted at once and is gone from the cache.
// - dry run: the eviction deletes the pod from a copied cluster, so it is gone; after the cycle all of them come back.
// A plugin that listed pods before the eviction goes on with what it listed. The delay of the watch is the one thing that is not copied.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { type Requests, specRequests } from '#cluster/requests.ts'

/** What the cycle did with a pod. */
type Departure = 'terminating' | 'gone'

export class CyclePods {
  readonly state: ClusterState
  /** Nodes that lost a pod, in order, repeated for each. */
  readonly shrunkNodes: string[] = []
  readonly #gone = new Set<string>()
  readonly #changedLists = new Map<string, readonly PodState[]>()
  readonly #requests = new Map<string, Requests>()
  #finished: ReadonlyMap<string, readonly PodState[]> | undefined
  #replicas: Map<string, number> | undefined

  constructor(state: ClusterState) {
    this.state = state
  }

  /** As StrategyView has it. */
  activePods(node: string): readonly PodState[] {
    return this.#changedLists.get(node) ?? this.state.podsOn(node)
  }

  /** As StrategyView has it. */
  allPods(node: string): readonly PodState[] {
    const active = this.activePods(node)
    const finished = this.#finishedPods().get(node)
    if (finished === undefined) return active
    const left = finished.filter(pod => !this.#gone.has(pod.key))
    return [...active, ...left].sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** Whether this cycle took the pod away. */
  isGone(pod: PodState): boolean {
    return this.#gone.has(pod.key)
  }

  /** How many pods, of any phase and terminating ones too, name the owner of this UID. */
  replicasOf(ownerUid: string): number {
    this.#replicas ??= countReplicas(this.state)
    return this.#replicas.get(ownerUid) ?? 0
  }

  /** What the pod asks for by its spec alone. */
  requests(pod: PodState): Requests {
    if (!isResized(pod)) return pod.requests
    const known = this.#requests.get(pod.key)
    if (known !== undefined) return known
    const requests = specRequests(pod.object)
    this.#requests.set(pod.key, requests)
    return requests
  }

  /** The pod is evicted; a second time changes nothing. `nowMs` becomes its deletion timestamp. */
  leave(pod: PodState, departure: Departure, nowMs: number): void {
    if (this.#gone.has(pod.key)) return
    const { nodeName } = pod
    if (departure === 'terminating') {
      if (nodeName === undefined) return
      this.#changedLists.set(
        nodeName,
        this.activePods(nodeName).map(other => (other.key === pod.key ? terminating(other, nowMs) : other)),
      )
      return
    }
    this.#replicas ??= countReplicas(this.state)
    this.#gone.add(pod.key)
    for (const { uid } of pod.object.metadata.ownerReferences ?? []) this.#replicas.set(uid, this.replicasOf(uid) - 1)
    if (nodeName === undefined) return
    this.shrunkNodes.push(nodeName)
    this.#changedLists.set(
      nodeName,
      this.activePods(nodeName).filter(other => other.key !== pod.key),
    )
  }

  #finishedPods(): ReadonlyMap<string, readonly PodState[]> {
    if (this.#finished !== undefined) return this.#finished
    const byNode = new Map<string, PodState[]>()
    for (const pod of this.state.pods.values()) {
      if (!pod.isFinished || pod.nodeName === undefined) continue
      const onNode = byNode.get(pod.nodeName)
      if (onNode === undefined) byNode.set(pod.nodeName, [pod])
      else onNode.push(pod)
    }
    this.#finished = byNode
    return byNode
  }
}

/** What an accepted eviction makes of a pod: see above. `gracePeriodSeconds` is the policy's. */
export function departureOf(pod: PodState, run: { readonly isDryRun: boolean; readonly gracePeriodSeconds?: number }): Departure {
  const graceSeconds = run.gracePeriodSeconds ?? pod.object.spec.terminationGracePeriodSeconds
  const waits = pod.nodeName !== undefined && !pod.isFinished && graceSeconds !== 0
  return waits && !run.isDryRun ? 'terminating' : 'gone'
}

function terminating(pod: PodState, nowMs: number): PodState {
  if (pod.isTerminating) return pod
  const deletionTimestamp = new Date(nowMs).toISOString()
  return { ...pod, isTerminating: true, object: { ...pod.object, metadata: { ...pod.object.metadata, deletionTimestamp } } }
}

function countReplicas(state: ClusterState): Map<string, number> {
  const counts = new Map<string, number>()
  for (const pod of state.pods.values()) {
    for (const { uid } of pod.object.metadata.ownerReferences ?? []) counts.set(uid, (counts.get(uid) ?? 0) + 1)
  }
  return counts
}

/** Whether its status could make the pod's requests differ from its spec's. */
function isResized({ object: { status } }: PodState): boolean {
  if (status === undefined) return false
  if (status['resources'] !== undefined || status['allocatedResources'] !== undefined) return true
  const lists = [status.containerStatuses, status.initContainerStatuses]
  return lists.some(list => list?.some(one => one.resources !== undefined || one.allocatedResources !== undefined))
}
