// The pods as a cycle sees them: those of the state it began with, less what it evicted meanwhile.
//
// Upstream's plugins read one informer cache that goes on changing under them. What it shows of an evicted pod:
// - live: the API server answers the eviction with a deletion timestamp, and the watch shows the pod terminating some milliseconds later.
//   It still counts as active (usage, domains, replicas, anti-affinity), and `Filter` refuses it. A pod that has nothing to wait for (no
//   node, a finished phase, a grace period of 0) is deleted at once and is gone from the cache.
// - dry run: the eviction deletes the pod from a copied cluster, so it is gone; after the cycle all of them come back.
// A plugin that listed pods before the eviction goes on with what it listed. The delay of the watch is the one thing that is not copied.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { Requests } from '#cluster/requests.ts'
import { PodShapes } from './pod-shapes.ts'

/** What the cycle did with a pod. */
type Departure = 'terminating' | 'gone'

/** What the active pods of a node ask for together. */
interface NodeUse {
  /** They themselves: for others it does not count. */
  readonly pods: readonly PodState[]
  readonly requests: Requests
}

export class CyclePods {
  readonly state: ClusterState
  /** Shapes of all pods of the state. */
  readonly shapes: PodShapes
  /** Nodes that lost a pod, in order, repeated for each. */
  readonly shrunkNodes: string[] = []
  readonly #gone = new Set<string>()
  /** The active pods of nodes, as they are now. */
  readonly #lists = new Map<string, readonly PodState[]>()
  readonly #uses = new Map<string, NodeUse>()
  #time: { readonly ms: number; readonly text: string } | undefined
  #finished: ReadonlyMap<string, readonly PodState[]> | undefined
  #replicas: Map<string, number> | undefined

  /** `shapes` may know the pods from an earlier cycle. */
  constructor(state: ClusterState, shapes: PodShapes = new PodShapes(state)) {
    this.state = state
    this.shapes = shapes
    shapes.follow(state)
  }

  /** As StrategyView has it. */
  activePods(node: string): readonly PodState[] {
    const known = this.#lists.get(node)
    if (known !== undefined) return known
    const pods = this.state.podsOn(node)
    this.#lists.set(node, pods)
    return pods
  }

  /** What the pod asks for by its spec alone. */
  requests(pod: PodState): Requests {
    return this.shapes.requests(pod)
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

  /** The sum of what the active pods of a node ask for; beyond 2^53 it is not exact. */
  use(node: string): NodeUse {
    const pods = this.activePods(node)
    const known = this.#uses.get(node)
    if (known?.pods === pods) return known
    const use = { pods, requests: this.shapes.requestsOfAll(pods) }
    this.#uses.set(node, use)
    return use
  }

  /** The pod is evicted; a second time changes nothing. `nowMs` becomes its deletion timestamp. */
  leave(pod: PodState, departure: Departure, nowMs: number): void {
    if (this.#gone.has(pod.key)) return
    const { nodeName } = pod
    if (departure === 'terminating') {
      if (nodeName !== undefined) this.#terminate(pod, nodeName, this.#timeText(nowMs))
      return
    }
    this.#replicas ??= countReplicas(this.state)
    this.#gone.add(pod.key)
    for (const { uid } of pod.object.metadata.ownerReferences ?? []) this.#replicas.set(uid, this.replicasOf(uid) - 1)
    if (nodeName === undefined) return
    this.shrunkNodes.push(nodeName)
    this.#lists.set(
      nodeName,
      this.activePods(nodeName).filter(other => other.key !== pod.key),
    )
  }

  /** Mostly the same: a cycle has one time. */
  #timeText(ms: number): string {
    if (this.#time?.ms !== ms) this.#time = { ms, text: new Date(ms).toISOString() }
    return this.#time.text
  }

  /** It asks for as much as before. */
  #terminate(pod: PodState, node: string, deletionTimestamp: string): void {
    const before = this.activePods(node)
    const at = before.findIndex(({ key }) => key === pod.key)
    const found = before[at]
    if (found === undefined) return
    const pods = before.with(at, terminating(found, deletionTimestamp))
    this.#lists.set(node, pods)
    const use = this.#uses.get(node)
    if (use?.pods === before) this.#uses.set(node, { pods, requests: use.requests })
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

function terminating(pod: PodState, deletionTimestamp: string): PodState {
  if (pod.isTerminating) return pod
  return { ...pod, isTerminating: true, object: { ...pod.object, metadata: { ...pod.object.metadata, deletionTimestamp } } }
}

function countReplicas(state: ClusterState): Map<string, number> {
  const counts = new Map<string, number>()
  for (const pod of state.pods.values()) {
    for (const { uid } of pod.object.metadata.ownerReferences ?? []) counts.set(uid, (counts.get(uid) ?? 0) + 1)
  }
  return counts
}
