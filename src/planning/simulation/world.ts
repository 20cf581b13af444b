// The cluster of a simulation: its objects, who stands where, who waits. Changes go through here, so that objects, model and placement
// never differ. Nothing here decides what is to be done.

import { checkedObject, placeOf } from '#cluster/cluster-checks.ts'
import { ClusterModel } from '#cluster/cluster-model.ts'
import { type ClusterState, type PodState, podState } from '#cluster/cluster-state.ts'
import { objectKey } from '#cluster/object-index.ts'
import { kindKey } from '#cluster/ownership.ts'
import { type Evaluation, Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, Pod, Taint } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import type { Random } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'
import { dropClaims, withClaims } from './device-claims.ts'
import type { Landing, PendingPod } from './report.ts'

interface WorldOptions {
  readonly settings: SchedulerSettings
  readonly random: Random
  readonly kubelet: 'fast' | 'general'
  /** What is told of a landing beside its nodes: asked for once a pod that lands. */
  readonly explain?: (evaluation: Evaluation, node: string, settings: SchedulerSettings) => Readonly<Record<string, string>>
}

/** How one pod is to be placed other than the scheduler would place it by itself. */
export interface Steering {
  readonly extraTaints?: ReadonlyMap<string, readonly Taint[]>
  /** The one node, where the pod fits it. */
  readonly boundTo?: string
}

interface Waiting {
  readonly pod: Pod
  /** When it came, as a count. */
  readonly turn: number
  readonly replaces?: string
  readonly from?: string
  readonly message: string
}

/** More nodes than these are counted, not named. */
const mostNamed = 32
const nameLetters = 'bcdfghjklmnpqrstvwxz2456789'
const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
/** kwok's general stages. */
const stageMs = 1_000
const stageJitterMs = 5_000

export class World {
  readonly random: Random
  readonly #options: WorldOptions
  readonly #model = new ClusterModel()
  readonly #objects = new Map<string, KubeObject>()
  readonly #waiting = new Map<string, Waiting>()
  #settings: SchedulerSettings
  #placement: Placement
  /** `nodes`: their set or shape changed; `objects`: others that the scheduler reads. */
  #stale: 'no' | 'objects' | 'nodes' = 'no'
  #made = 0
  #nowMs = 0
  #landings: Landing[] = []

  constructor(objects: Iterable<KubeObject>, options: WorldOptions) {
    this.#options = options
    this.#settings = options.settings
    this.random = options.random
    for (const object of objects) this.#file(object)
    this.#placement = new Placement(this.state, options.settings)
    for (const pod of this.state.pods.values()) {
      // What is on its way out is gone before anything else happens, as its kubelet would have it.
      if (pod.isTerminating) this.remove(pod.object)
      else if (pod.nodeName === undefined && !pod.isFinished) this.#wait(pod.object, {})
    }
  }

  /** The cluster as it is now. */
  get state(): ClusterState {
    return this.#model.reading().state
  }

  get settings(): SchedulerSettings {
    return this.#settings
  }

  /** Milliseconds since 1970, on the scenario's clock. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** The clock stands here. */
  setTime(nowMs: number): void {
    this.#nowMs = nowMs
  }

  /** The scheduler is set up anew. */
  reschedule(settings: SchedulerSettings): void {
    this.#settings = settings
    this.#stale = 'nodes'
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.state.object(kind, namespace, name)
  }

  /** What is wrong with an object that somebody wants to put here. */
  problemsOf(object: KubeObject, where: string): readonly Problem[] {
    return checkedObject(object, placeOf(object, where))
  }

  /** Puts an object in place of its namesake. Pods come and go by `create`, `remove` and the scheduler alone. */
  put(object: KubeObject): void {
    this.#file(object)
    this.#touch(object.kind)
  }

  /** Takes any object but a pod away. */
  drop(object: KubeObject): void {
    this.#unfile(object)
    this.#touch(object.kind)
  }

  /** A pod comes, without a node: it waits for the next `schedule`. */
  create(pod: Pod, origin: { readonly replaces?: string; readonly from?: string } = {}): Pod {
    const { nodeName: _none, ...spec } = pod.spec
    const made = withClaims(this, { ...pod, spec, status: { phase: 'Pending', conditions: [] } })
    this.#file(made)
    this.#wait(made, origin)
    return made
  }

  /** The pod is gone. Who makes it anew is another's business. */
  remove(pod: Pod): void {
    const key = podKeyOf(pod)
    this.#unfile(pod)
    this.#waiting.delete(key)
    if (this.#placement.nodeOf(key) !== undefined) this.#placement.remove(key)
    if ((pod.spec.resourceClaims ?? []).length > 0) dropClaims(this, pod)
  }

  /** A pod stays where it is and is another object from now on: its labels, say. */
  change(pod: Pod): void {
    this.#file(pod)
    this.#stale = 'nodes'
  }

  /** A name as controllers make them: `web-7c9d` → `web-7c9d-x5k2m`. */
  nameFor(prefix: string): string {
    const letters = Array.from({ length: 5 }, () => nameLetters[Math.floor(this.random() * nameLetters.length)] ?? 'x')
    return `${prefix.slice(0, 57)}-${letters.join('')}`
  }

  /** A UID that no other object has. */
  uid(): string {
    this.#made++
    return `simulated-${String(this.#made).padStart(6, '0')}`
  }

  get timeText(): string {
    return formatTime(this.#nowMs)
  }

  /** Time passes for a stage of the kubelets; the milliseconds. None where the kubelets are fast. */
  stage(): number {
    if (this.#options.kubelet === 'fast') return 0
    const took = stageMs + Math.floor(this.random() * (stageJitterMs + 1))
    this.#nowMs += took
    return took
  }

  /** Every pod that waits has its turn: by priority, then by when it came. */
  schedule(): void {
    if (this.#waiting.size === 0) return
    const order = Array.from(this.#waiting.values()).sort(
      (a, b) => (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0) || a.turn - b.turn,
    )
    const placement = this.#readyPlacement()
    const { state } = this
    for (const waiting of order) this.#place(waiting, { placement, state, steering: {} })
  }

  /** One pod that waits has its turn before all others; where it landed, or why it did not. */
  placeFirst(pod: Pod, steering: Steering): string | undefined {
    const waiting = this.#waiting.get(podKeyOf(pod))
    return waiting && this.#place(waiting, { placement: this.#readyPlacement(), state: this.state, steering })
  }

  /** Those that wait, by name. */
  get pending(): readonly PendingPod[] {
    const { state } = this
    return Array.from(this.#waiting.values(), ({ pod, message }) => ({
      pod: podKeyOf(pod),
      workload: workloadText(state.pods.get(podKeyOf(pod))),
      message,
    })).sort((a, b) => (a.pod < b.pod ? -1 : 1))
  }

  isWaiting(podKey: string): boolean {
    return this.#waiting.has(podKey)
  }

  /** The landings since this was asked last. */
  takeLandings(): readonly Landing[] {
    const landings = this.#landings
    this.#landings = []
    return landings
  }

  #place(
    waiting: Waiting,
    { placement, state, steering }: { readonly placement: Placement; readonly state: ClusterState; readonly steering: Steering },
  ): string | undefined {
    const { pod } = waiting
    const key = podKeyOf(pod)
    const known = state.pods.get(key)
    const pending = known?.object === pod ? known : podState(state, pod)
    const evaluation = placement.evaluate(
      pending,
      steering.extraTaints === undefined ? {} : { extraTaints: steering.extraTaints },
    )
    const fits = steering.boundTo !== undefined && evaluation.verdicts.get(steering.boundTo)?.kind === 'feasible'
    const landing = fits && steering.boundTo !== undefined ? [steering.boundTo] : evaluation.landing
    const node = landing[Math.floor(this.random() * landing.length)]
    if (node === undefined) {
      this.#waiting.set(key, { ...waiting, message: evaluation.message })
      return undefined
    }
    const claims = placement.claimsOnBinding(pending, node)
    placement.bind(pending, node)
    for (const claim of claims) this.#file(claim)
    this.#waiting.delete(key)
    this.#chooseNodeForClaims(pod, node)
    this.#file(this.#running(pod, node))
    const { explain } = this.#options
    this.#landings.push({
      pod: key,
      workload: workloadText(pending),
      ...(waiting.replaces === undefined ? {} : { replaces: waiting.replaces }),
      ...(waiting.from === undefined ? {} : { from: waiting.from }),
      node,
      landing: landing.slice(0, mostNamed),
      landingSize: landing.length,
      ...(explain === undefined ? {} : { annotations: explain(evaluation, node, this.#settings) }),
    })
    return node
  }

  #running(pod: Pod, node: string): Pod {
    const at = this.timeText
    const condition = (type: string) => ({ type, status: 'True' as const, lastTransitionTime: at })
    const types = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready']
    return {
      ...pod,
      spec: { ...pod.spec, nodeName: node },
      status: { ...claimsOf(pod), phase: 'Running', startTime: at, conditions: types.map(condition) },
    }
  }

  /** Claims that waited for their first consumer are told the node, and keep it. */
  #chooseNodeForClaims(pod: Pod, node: string): void {
    const { namespace } = pod.metadata
    for (const { persistentVolumeClaim } of pod.spec.volumes ?? []) {
      const claim = persistentVolumeClaim && this.object('PersistentVolumeClaim', namespace, persistentVolumeClaim.claimName)
      if (claim === undefined) continue
      const spec = claim['spec']
      const isBound = typeof spec === 'object' && spec !== null && 'volumeName' in spec
      const { annotations } = claim.metadata
      if (isBound || annotations?.[selectedNodeAnnotation] !== undefined) continue
      this.#file({ ...claim, metadata: { ...claim.metadata, annotations: { ...annotations, [selectedNodeAnnotation]: node } } })
    }
  }

  #wait(pod: Pod, origin: { readonly replaces?: string; readonly from?: string }): void {
    this.#made++
    this.#waiting.set(podKeyOf(pod), { pod, turn: this.#made, message: '', ...origin })
  }

  #readyPlacement(): Placement {
    if (this.#stale === 'nodes') {
      this.#placement = new Placement(this.state, this.#settings)
    } else if (this.#stale === 'objects') this.#placement.renew(this.state)
    this.#stale = 'no'
    return this.#placement
  }

  #touch(kind: string): void {
    if (kind === 'Node') this.#stale = 'nodes'
    else if (this.#stale === 'no') this.#stale = 'objects'
  }

  #file(object: KubeObject): void {
    const key = keyOf(object)
    this.#model.change({ previous: this.#objects.get(key), object })
    this.#objects.set(key, object)
  }

  #unfile(object: KubeObject): void {
    const key = keyOf(object)
    this.#model.change({ previous: this.#objects.get(key), object: undefined })
    this.#objects.delete(key)
  }
}

function keyOf(object: KubeObject): string {
  const kind = kindKey(object.apiVersion, object.kind)
  return `${kind} ${objectKey(kind, object.metadata.namespace, object.metadata.name)}`
}

/** `namespace/name`. */
function podKeyOf(pod: KubeObject): string {
  return `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`
}

/** `Kind/name` of the topmost controller; empty where there is none. */
function workloadText(pod: Pick<PodState, 'workload'> | undefined): string {
  return pod?.workload === undefined ? '' : `${pod.workload.kind}/${pod.workload.name}`
}

/** The names of the claims that were made for a pod stay in its status. */
function claimsOf({ status }: Pod): Pick<NonNullable<Pod['status']>, 'resourceClaimStatuses'> {
  const { resourceClaimStatuses } = status ?? {}
  return resourceClaimStatuses === undefined ? {} : { resourceClaimStatuses }
}
