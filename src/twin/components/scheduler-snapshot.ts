// The scheduler's view of the cluster: a Placement that follows the store. Pods come and go by small steps; what rules stand on
// (nodes, namespaces, owners, services, volumes) makes it anew.
import { buildClusterState, type ClusterState, podState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, Pod } from '#kube/objects.ts'
import type { KnownResource } from './kinds.ts'
import { isFinished, keyOf } from './pod-state.ts'
import { canonicalText } from './pod-template.ts'
import type { ClusterView } from './view.ts'

/** Resources besides pods that placement rules look at, and what of them counts. */
const watched: readonly KnownResource[] = [
  'nodes',
  'namespaces',
  'services',
  'replicasets.apps',
  'replicationcontrollers',
  'statefulsets.apps',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
]

/** Those whose changes can make room for a pod that did not fit. */
const helpful: ReadonlySet<KnownResource> = new Set<KnownResource>([
  'nodes',
  'namespaces',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
])

interface Snapshot {
  readonly state: ClusterState
  readonly placement: Placement
}

export class SchedulerSnapshot {
  readonly #view: ClusterView
  readonly #settings: SchedulerSettings
  #snapshot: Snapshot | undefined

  /** `onChange` is called when pods that did not fit may fit now. */
  constructor(view: ClusterView, settings: SchedulerSettings, onChange: () => void) {
    this.#view = view
    this.#settings = settings
    for (const resource of watched) {
      view.onAny(resource, ({ type, object, previous }) => {
        if (type === 'MODIFIED' && previous !== undefined && ruleText(object) === ruleText(previous)) return
        this.#snapshot = undefined
        if (helpful.has(resource)) onChange()
      })
    }
    view.on('pods', ({ type, object, previous }) => {
      if (this.#follow(type === 'DELETED' ? undefined : object, previous ?? object)) onChange()
    })
  }

  get placement(): Placement {
    return this.#current().placement
  }

  /** The pod as the placement model sees it. */
  stateOf(pod: Pod) {
    return podState(this.#current().state, pod)
  }

  /** Puts a pod where the scheduler has decided to have it, ahead of its binding. */
  assume(pod: Pod, node: string): void {
    const { placement } = this.#current()
    const key = keyOf(pod)
    if (placement.nodeOf(key) !== undefined) placement.remove(key)
    placement.bind(this.stateOf(pod), node)
  }

  /** Drops what was assumed: the store's word holds. */
  forget(): void {
    this.#snapshot = undefined
  }

  #current(): Snapshot {
    this.#snapshot ??= this.#build()
    return this.#snapshot
  }

  #build(): Snapshot {
    const objects: KubeObject[] = [...this.#view.list('pods')]
    for (const resource of watched) objects.push(...this.#view.list(resource))
    const { state } = buildClusterState(objects)
    return { state, placement: new Placement(state, this.#settings) }
  }

  /** True where the change frees room or can otherwise help another pod. */
  #follow(pod: Pod | undefined, previous: Pod): boolean {
    const key = keyOf(previous)
    const stood = Boolean(previous.spec.nodeName) && !isFinished(previous)
    const stands = pod !== undefined && Boolean(pod.spec.nodeName) && !isFinished(pod)
    const isSame = stood && stands && pod !== undefined && standingText(pod) === standingText(previous)
    if (isSame || (!stood && !stands)) return false
    const snapshot = this.#snapshot
    if (snapshot !== undefined) {
      const { placement } = snapshot
      const isPlaced = placement.nodeOf(key) !== undefined
      const node = stands ? pod?.spec.nodeName : undefined
      if (node !== undefined && pod !== undefined && isPlaced && !stood && placement.nodeOf(key) === node) return false
      if (isPlaced) placement.remove(key)
      if (node !== undefined && pod !== undefined && placement.nodes.includes(node)) placement.bind(this.stateOf(pod), node)
    }
    return true
  }
}

/** What a placed pod means to others: labels, spec and whether it is going. */
function standingText(pod: Pod): string {
  return canonicalText([pod.metadata.labels, pod.spec, pod.metadata.deletionTimestamp])
}

/** What placement rules see of an object: sizes, counts, heartbeats and versions change all the time and mean nothing to them. */
function ruleText(object: KubeObject): string {
  const { labels, annotations, ownerReferences, deletionTimestamp } = object.metadata
  const { metadata: _, status, spec, ...rest } = object
  const said = fields(status)
  switch (object.kind) {
    case 'Node':
      return canonicalText([labels, spec, said['allocatable'], said['images']])
    case 'Namespace':
      return canonicalText(labels)
    case 'Service':
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'StatefulSet':
      return canonicalText([labels, ownerReferences, fields(spec)['selector']])
    default:
      return canonicalText([labels, annotations, deletionTimestamp, spec, rest, said['phase']])
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
