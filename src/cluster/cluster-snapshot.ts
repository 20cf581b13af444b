// What a ClusterModel hands out: a cluster at a moment, made of parts that it shares with the moments before and after.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { ClusterProblem } from './cluster-checks.ts'
import type { ClusterReading, ClusterState, NodeState, PodState } from './cluster-state.ts'
import type { ObjectLookup } from './object-index.ts'
import type { SortedMap } from './sorted-map.ts'

interface Parts {
  readonly nodes: SortedMap<NodeState>
  readonly pods: SortedMap<PodState>
  readonly podsByNode: SortedMap<readonly PodState[]>
  readonly podsByWorkload: SortedMap<readonly PodState[]>
  readonly objects: ObjectLookup
}

export class ClusterSnapshot implements ClusterState {
  readonly nodes: SortedMap<NodeState>
  readonly pods: SortedMap<PodState>
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.nodes = parts.nodes
    this.pods = parts.pods
    this.#parts = parts
  }

  podsOn(node: string): readonly PodState[] {
    return this.#parts.podsByNode.get(node) ?? []
  }

  podsOf(workloadUid: string): readonly PodState[] {
    return workloadUid === '' ? [] : (this.#parts.podsByWorkload.get(workloadUid) ?? [])
  }

  objectsIn(kind: string, namespace: string): readonly KubeObject[] {
    return this.#parts.objects.objectsIn(kind, namespace)
  }

  objects(kind: string): readonly KubeObject[] {
    return this.#parts.objects.objects(kind)
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#parts.objects.object(kind, namespace, name)
  }
}

/** A snapshot with its problems, listed when they are asked for. */
export class SnapshotReading implements ClusterReading {
  readonly state: ClusterState
  readonly #problems: SortedMap<readonly ClusterProblem[]>

  constructor(state: ClusterState, problems: SortedMap<readonly ClusterProblem[]>) {
    this.state = state
    this.#problems = problems
  }

  /** In order of the places where they are. */
  get problems(): readonly ClusterProblem[] {
    return this.#problems.list().flat()
  }
}
