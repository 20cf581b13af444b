// A cluster's state with kinds that its model does not hold: usage, autoscalers, leases.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { ObjectIndex, type ObjectLookup } from '#cluster/object-index.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const addedKinds = [
  ...['NodeMetrics', 'PodMetrics', 'HorizontalPodAutoscaler', 'Lease'],
  ...['InterceptorRoute.http.keda.sh', 'HTTPScaledObject.http.keda.sh', 'NodeFeatureRule.nfd.k8s-sigs.io'],
  ...['VolumeSnapshot.snapshot.storage.k8s.io', 'VolumeSnapshotContent.snapshot.storage.k8s.io'],
  // Those alone in which something is noted for a page.
  'ConfigMap',
] as const

const added: ReadonlySet<string> = new Set(addedKinds)

/** Objects of `addedKinds`, kept up one by one. */
export class AddedObjects {
  readonly #index = new ObjectIndex()
  #lookup: ObjectLookup | undefined
  #state: { readonly base: ClusterState; readonly lookup: ObjectLookup; readonly state: ClusterState } | undefined

  set(object: KubeObject): void {
    this.#index.set(object)
    this.#lookup = undefined
  }

  remove(object: KubeObject): void {
    this.#index.remove(object)
    this.#lookup = undefined
  }

  /** `base` with the objects of now; the same value while both are. */
  state(base: ClusterState): ClusterState {
    this.#lookup ??= this.#index.snapshot()
    if (this.#state?.base !== base || this.#state.lookup !== this.#lookup)
      this.#state = { base, lookup: this.#lookup, state: new WiderState(base, this.#lookup) }
    return this.#state.state
  }
}

class WiderState implements ClusterState {
  readonly nodes: ReadonlyMap<string, NodeState>
  readonly pods: ReadonlyMap<string, PodState>
  readonly #base: ClusterState
  readonly #more: ObjectLookup

  constructor(base: ClusterState, more: ObjectLookup) {
    this.nodes = base.nodes
    this.pods = base.pods
    this.#base = base
    this.#more = more
  }

  podsOn(node: string): readonly PodState[] {
    return this.#base.podsOn(node)
  }

  podsOf(workloadUid: string): readonly PodState[] {
    return this.#base.podsOf(workloadUid)
  }

  objectsIn(kind: string, namespace: string): readonly KubeObject[] {
    return this.#of(kind).objectsIn(kind, namespace)
  }

  objects(kind: string): readonly KubeObject[] {
    return this.#of(kind).objects(kind)
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#of(kind).object(kind, namespace, name)
  }

  #of(kind: string): Pick<ClusterState, 'objects' | 'objectsIn' | 'object'> {
    return added.has(kind) ? this.#more : this.#base
  }
}
