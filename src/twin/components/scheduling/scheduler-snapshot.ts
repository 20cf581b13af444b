// The scheduler's view of the cluster: a Placement that follows the store. Pods come and go by small steps; what rules stand on
// (namespaces, owners, services, volumes, what nodes say of themselves) is looked at anew when it changed, and only nodes that come and go make
// it anew.
import { ClusterModel } from '#cluster/cluster-model.ts'
import { type ClusterState, type PodState, podState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { KnownResource } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import type { ClusterView } from '../view.ts'
import { isFinished, keyOf } from '../workloads/pod-state.ts'

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
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'deviceclasses.resource.k8s.io',
]

/** Those whose changes can make room for a pod that did not fit. */
const helpful: ReadonlySet<KnownResource> = new Set<KnownResource>([
  'nodes',
  'namespaces',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'deviceclasses.resource.k8s.io',
])

/** Devices are free when the claims say so, not when a pod goes. */
const heldClaims = { claims: 'held' } as const

/** With more pods than this what a pod needs is made ready ahead of it. */
const podsAtOnce = 1_000
/** Pieces of work (objects to read, pods to place) in one go while it is made ready: a few milliseconds. */
const piecesAtOnce = 150
/** The same with each change of a pod: more than a change makes. */
const piecesOfChange = 4

export class SchedulerSnapshot {
  readonly #view: ClusterView
  readonly #settings: SchedulerSettings
  readonly #model = new ClusterModel()
  #placement: Placement | undefined
  /** What the placement before it had read of pods need not be read again. */
  #last: Placement | undefined
  /** Pods of the new placement that do not stand in it yet. */
  #unplaced: Iterator<PodState> | undefined
  #rulesChanged = false
  #pods = 0
  #known: ClusterState | undefined

  /** `onChange` is called when pods that did not fit may fit now. */
  constructor(view: ClusterView, settings: SchedulerSettings, onChange: () => void) {
    this.#view = view
    this.#settings = settings
    view.each('pods', pod => {
      this.#pods++
      this.#model.change({ previous: undefined, object: pod })
    })
    for (const resource of watched) {
      view.each(resource, object => this.#model.change({ previous: undefined, object }))
      view.onAny(resource, ({ type, object, previous }) => {
        this.#model.change({ previous, object: type === 'DELETED' ? undefined : object })
        if (type === 'MODIFIED' && previous !== undefined && isSameContent(ruleParts(object), ruleParts(previous))) return
        this.#known = undefined
        if (resource === 'nodes' && type !== 'MODIFIED') this.forget()
        else this.#rulesChanged = true
        if (helpful.has(resource)) onChange()
      })
    }
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'DELETED') this.#pods--
      else if (previous === undefined) this.#pods++
      this.#model.change({ previous, object: type === 'DELETED' ? undefined : object })
      if (this.#follow(type === 'DELETED' ? undefined : object, previous ?? object)) onChange()
      // Little by little: what is left for later is kept, with every state in between.
      this.#model.step(piecesOfChange)
    })
  }

  /** Whether making ready all at once would keep others waiting. */
  get isLarge(): boolean {
    return this.#pods > podsAtOnce
  }

  /** Does some of the work that is needed before a pod can be placed. False when nothing is left. */
  prepare(): boolean {
    if (this.#model.step(piecesAtOnce)) return true
    this.#begun()
    return this.#place(piecesAtOnce)
  }

  get placement(): Placement {
    const placement = this.#begun()
    this.#place(Number.POSITIVE_INFINITY)
    if (this.#rulesChanged && !placement.hasNodesOf(this.#state)) {
      this.forget()
      return this.placement
    }
    if (this.#rulesChanged) placement.renew(this.#state)
    this.#rulesChanged = false
    return placement
  }

  /** The pod as the placement model sees it. */
  stateOf(pod: Pod): PodState {
    return podState(this.#state, pod)
  }

  /** Puts a pod where the scheduler has decided to have it, ahead of its binding. */
  assume(pod: Pod, node: string): void {
    const { placement } = this
    const key = keyOf(pod)
    if (placement.nodeOf(key) !== undefined) placement.remove(key, heldClaims)
    placement.bind(this.stateOf(pod), node)
  }

  /** Drops what was assumed: the store's word holds. */
  forget(): void {
    this.#last = this.#placement ?? this.#last
    this.#placement = undefined
    this.#unplaced = undefined
  }

  /** With everything but pods as it is now; pods may be older. */
  get #state(): ClusterState {
    this.#known ??= this.#model.reading().state
    return this.#known
  }

  #begun(): Placement {
    if (this.#placement === undefined) {
      const { state } = this.#model.reading()
      this.#known = state
      this.#placement = new Placement(state, this.#settings, { emptyLike: this.#last })
      this.#unplaced = state.pods.values()
      this.#rulesChanged = false
    }
    return this.#placement
  }

  /** Has at most `count` more pods stand in the new placement. False when all do. */
  #place(count: number): boolean {
    for (let done = 0; done < count && this.#unplaced !== undefined; done++) {
      const { value: pod, done: isOver } = this.#unplaced.next()
      if (isOver === true) this.#unplaced = undefined
      // What has changed since came in by its change.
      else if (this.#view.get('pods', pod.namespace, pod.name) === pod.object && this.#placement?.nodeOf(pod.key) === undefined)
        this.#placement?.stand(pod)
    }
    return this.#unplaced !== undefined
  }

  /** True where the change frees room or can otherwise help another pod. */
  #follow(pod: Pod | undefined, previous: Pod): boolean {
    const key = keyOf(previous)
    const stood = Boolean(previous.spec.nodeName) && !isFinished(previous)
    const stands = pod !== undefined && Boolean(pod.spec.nodeName) && !isFinished(pod)
    const isSame = stood && stands && pod !== undefined && isStandingAlike(pod, previous)
    const placement = this.#placement
    const isWaiting = this.#unplaced !== undefined && placement?.nodeOf(key) === undefined
    if ((isSame && !isWaiting) || (!stood && !stands)) return false
    if (placement !== undefined) {
      const isPlaced = placement.nodeOf(key) !== undefined
      const node = stands ? pod?.spec.nodeName : undefined
      if (node !== undefined && pod !== undefined && isPlaced && !stood && placement.nodeOf(key) === node) return false
      if (isPlaced) placement.remove(key, heldClaims)
      if (node !== undefined && pod !== undefined && placement.nodes.includes(node)) {
        // One that stood before the placement was made brings no volumes to settle.
        if (isWaiting && stood) placement.stand(this.stateOf(pod))
        else placement.bind(this.stateOf(pod), node)
      }
    }
    return !isSame
  }
}

/** Whether a pod means the same to others as before: labels, spec and whether it is going. Versions of a pod share what is equal. */
function isStandingAlike(pod: Pod, previous: Pod): boolean {
  const { labels, deletionTimestamp } = previous.metadata
  if (pod.metadata.deletionTimestamp !== deletionTimestamp) return false
  if (pod.spec === previous.spec && pod.metadata.labels === labels) return true
  return isSameContent([pod.metadata.labels, pod.spec], [labels, previous.spec])
}

/** What placement rules see of an object: sizes, counts, heartbeats and versions change all the time and mean nothing to them. */
function ruleParts(object: KubeObject): readonly unknown[] {
  const { labels, annotations, ownerReferences, deletionTimestamp } = object.metadata
  const { metadata: _, status, spec, ...rest } = object
  const said = fields(status)
  switch (object.kind) {
    case 'Node':
      return [labels, spec, said['allocatable'], said['images']]
    case 'Namespace':
      return [labels]
    case 'Service':
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'StatefulSet':
      return [labels, ownerReferences, fields(spec)['selector']]
    case 'ResourceClaim':
      return [ownerReferences, deletionTimestamp, spec, said['allocation'], said['reservedFor']]
    default:
      return [labels, annotations, deletionTimestamp, spec, rest, said['phase']]
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
