// Pods that are alike in everything a rule may read but their place and their state: the pods of one template. What is worked out for one
// of them holds for all, so that a cycle over 150,000 pods parses selectors, sums requests and writes identities some hundred times.
// Informers keep equal parts of pods once, so that likeness is seen without looking into the parts; pods with parts of their own have each
// a shape of their own, which costs time and is right all the same.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { type Requests, requestsOf, specRequests } from '#cluster/requests.ts'
import type { PodSpec } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import { type Breath, breath, type Pace } from './pace.ts'

/** As many shapes of the same containers are looked through: pods of a DaemonSet have an affinity each, and no shape in common. */
const mostLookedAt = 16

/** A value for each pod, worked out once for pods of one shape. */
export type ByShape<Value> = (pod: PodState) => Value

/** What a pod asks for of a resource, by the resource's number. */
interface Demand {
  readonly resource: number
  readonly amount: number
}

/** By shape. */
type Groups = (PodState[] | undefined)[]

/** The pods of a node with their shapes, as they are asked for: in this order, most of the time. */
interface NodeShapes {
  readonly pods: readonly PodState[]
  readonly shapes: readonly number[]
}

/** So many shapes more than there were at first, or twice as many: most of them are of pods that have gone. */
const mostForgotten = 1_000

const nobody: NodeShapes = { pods: [], shapes: [] }

/**
 * Flow: `follow` a state; `memo` and what it yields, `requests`, `grouped`; the next state. What of pods is the same in the next state is
 * known there. What `memo` yields holds for the state that is followed when it is called.
 */
export class PodShapes {
  #byContainers = new Map<object, number[]>()
  #samples: PodState[] = []
  readonly #byNode = new Map<string, NodeShapes>()
  /** Pods that the state does not have on a node: finished, without a node, or changed by the cycle. */
  readonly #others = new Map<PodState, number>()
  #state: ClusterState
  #current = nobody
  #at = 0
  /** How many shapes there were when the first state was worked through. */
  #firstSize: number | undefined
  #requests: ByShape<Requests>
  #demands: ByShape<readonly Demand[]>
  /** Resources that pods ask for, in the order in which they were met. */
  readonly #resources: string[] = []
  /** By list of pods. */
  #sums = new WeakMap<readonly PodState[], Requests>()

  constructor(state: ClusterState) {
    this.#state = state
    this.#requests = this.#memoOfRequests()
    this.#demands = this.#memoOfDemands()
  }

  /** What follows is of the pods of `state`. */
  follow(state: ClusterState): void {
    this.#others.clear()
    this.#current = nobody
    if (state === this.#state) return
    this.#state = state
    this.#firstSize ??= this.#samples.length
    if (this.#samples.length > 2 * this.#firstSize + mostForgotten) this.#forget()
    for (const node of this.#byNode.keys()) if (!state.nodes.has(node)) this.#byNode.delete(node)
  }

  /** What a pod asks for by its spec alone. */
  requests(pod: PodState): Requests {
    return this.#requests(pod)
  }

  /** The sum of `requests`; beyond 2^53 it is not exact. Known for a list that does not change. */
  requestsOfAll(pods: readonly PodState[]): Requests {
    const known = this.#sums.get(pods)
    if (known !== undefined) return known
    const sums: number[] = []
    for (const pod of pods) {
      for (const { resource, amount } of this.#demands(pod)) {
        while (sums.length <= resource) sums.push(0)
        sums[resource] = (sums[resource] ?? 0) + amount
      }
    }
    const requests = requestsOf(sums.map((sum, at) => [this.#resources[at] ?? '', sum]))
    this.#sums.set(pods, requests)
    return requests
  }

  /**
   * `make` of each pod, called once for each shape. It may read of a pod what those of one shape have in common: namespace, labels,
   * annotations, owners, and the spec but for the node.
   */
  memo<Value extends NonNullable<unknown>>(make: (sample: PodState) => Value): ByShape<Value> {
    const values: (Value | undefined)[] = []
    return pod => {
      const shape = this.#shapeOf(pod)
      const known = values[shape]
      if (known !== undefined) return known
      const value = make(pod)
      // An array without gaps stays a fast one.
      while (values.length < shape) values.push(undefined)
      values[shape] = value
      return value
    }
  }

  /** Pods in groups of one shape. */
  grouped(pods: Iterable<PodState>): GroupedPods {
    const groups: Groups = []
    for (const pod of pods) this.#group(pod, groups)
    return new GroupedPods(groups)
  }

  /** As `grouped`, with breaths. */
  *groupedByAndBy(pods: Iterable<PodState>, pace: Pace): Generator<Breath, GroupedPods, unknown> {
    const groups: Groups = []
    for (const pod of pods) {
      this.#group(pod, groups)
      if (pace.isDue()) yield breath
    }
    return new GroupedPods(groups)
  }

  #group(pod: PodState, groups: Groups): void {
    const shape = this.#shapeOf(pod)
    const group = groups[shape]
    if (group !== undefined) {
      group.push(pod)
      return
    }
    while (groups.length < shape) groups.push(undefined)
    groups[shape] = [pod]
  }

  #shapeOf(pod: PodState): number {
    const { pods, shapes } = this.#current
    // The one that was asked for last, or one of those behind it. Nothing of the pod itself is read: that is what makes it cheap.
    for (let at = this.#at; at < pods.length; at++) {
      if (pods[at] !== pod) continue
      this.#at = at
      return shapes[at] ?? 0
    }
    return this.#found(pod)
  }

  #found(pod: PodState): number {
    const other = this.#others.size === 0 ? undefined : this.#others.get(pod)
    if (other !== undefined) return other
    if (pod.nodeName !== undefined) {
      const onNode = this.#on(pod.nodeName)
      const at = onNode.pods.indexOf(pod)
      if (at >= 0) {
        this.#current = onNode
        this.#at = at
        return onNode.shapes[at] ?? 0
      }
    }
    const shape = this.#alike(pod)
    this.#others.set(pod, shape)
    return shape
  }

  #on(node: string): NodeShapes {
    const known = this.#byNode.get(node)
    const pods = this.#state.podsOn(node)
    if (known?.pods === pods) return known
    const onNode = { pods, shapes: pods.map(pod => this.#alike(pod)) }
    this.#byNode.set(node, onNode)
    return onNode
  }

  #forget(): void {
    this.#byContainers = new Map()
    this.#samples = []
    this.#byNode.clear()
    this.#firstSize = undefined
    this.#requests = this.#memoOfRequests()
    this.#demands = this.#memoOfDemands()
  }

  #memoOfRequests(): ByShape<Requests> {
    return this.memo(({ object }) => specRequests(object))
  }

  #memoOfDemands(): ByShape<readonly Demand[]> {
    return this.memo(pod =>
      Object.entries(this.requests(pod)).map(([resource, amount]) => ({ resource: this.#numberOf(resource), amount })),
    )
  }

  #numberOf(resource: string): number {
    const at = this.#resources.indexOf(resource)
    return at >= 0 ? at : this.#resources.push(resource) - 1
  }

  #alike(pod: PodState): number {
    const { containers } = pod.object.spec
    const shapes = this.#byContainers.get(containers) ?? []
    if (shapes.length === 0) this.#byContainers.set(containers, shapes)
    for (let at = shapes.length - 1; at >= 0 && at >= shapes.length - mostLookedAt; at--) {
      const shape = shapes[at]
      if (shape !== undefined && isAlike(pod, this.#samples[shape])) return shape
    }
    const shape = this.#samples.push(pod) - 1
    shapes.push(shape)
    return shape
  }
}

/** Pods of one shape together: a selector is asked once for all of them. */
export class GroupedPods {
  readonly #byNamespace: ReadonlyMap<string, readonly (readonly PodState[])[]>

  constructor(groups: readonly (readonly PodState[] | undefined)[]) {
    this.#byNamespace = Map.groupBy(
      groups.filter(group => group !== undefined),
      group => group[0]?.namespace ?? '',
    )
  }

  /** Those of a namespace whose labels a selector matches. */
  *matching(namespace: string, selector: Selector): Generator<PodState> {
    for (const pods of this.#byNamespace.get(namespace) ?? []) if (selector.matches(pods[0]?.object.metadata.labels)) yield* pods
  }
}

function isAlike(pod: PodState, sample: PodState | undefined): boolean {
  if (sample === undefined || pod.namespace !== sample.namespace) return false
  const [one, other] = [pod.object.metadata, sample.object.metadata]
  return (
    one.labels === other.labels &&
    one.ownerReferences === other.ownerReferences &&
    one.annotations === other.annotations &&
    isSameSpec(pod.object.spec, sample.object.spec)
  )
}

/** The very same parts under the same names, the node apart. */
function isSameSpec(one: PodSpec, other: PodSpec): boolean {
  // What tells most of those apart that have the same containers.
  if (one.affinity !== other.affinity || one.priority !== other.priority) return false
  let count = 0
  for (const name in one) {
    if (name === 'nodeName') continue
    if (one[name] !== other[name]) return false
    count++
  }
  for (const name in other) if (name !== 'nodeName') count--
  return count === 0
}
