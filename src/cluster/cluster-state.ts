// A cluster as one immutable value: nodes, pods, and every other object by kind. Objects that cannot be right are set aside and named;
// the rest stands without them.

import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'
import { type ClusterProblem, checkedObject, placeOf } from './cluster-checks.ts'
import { ObjectIndex, type ObjectLookup } from './object-index.ts'
import { topmostController } from './ownership.ts'
import { podRequests, type Requests, requestsOf } from './requests.ts'
import type { ClusterState, NodeState, OwnerLookup, PodState } from './state-shapes.ts'

export interface ClusterReading {
  readonly state: ClusterState
  /** In the order of the objects. Where one is fatal the state is not what the user meant. */
  readonly problems: readonly ClusterProblem[]
}

interface DumpReading extends ClusterReading {
  /** Those that stand, in the order in which they came: what is set aside is not among them. */
  readonly objects: readonly KubeObject[]
}

interface ClusterStateOptions {
  /** File and document of an object, for problems: `cluster/nodes.yaml: document 3`. */
  readonly where?: (object: KubeObject) => string | undefined
}

/**
 * The cluster that `objects` are, and what is wrong with them. A second object of one kind, namespace and name is set aside (of nodes:
 * fatal), so are pods on nodes that are not there, objects with negative or absurd quantities, selectors that do not parse, oversized
 * annotations, unknown kinds of built-in groups.
 */
export function buildClusterState(objects: Iterable<KubeObject>, options: ClusterStateOptions = {}): DumpReading {
  const problems: ClusterProblem[] = []
  const index = new ObjectIndex()
  const places = new Map<KubeObject, string>()
  const asideNodes = new Set<string>()
  for (const object of objects) {
    const place = placeOf(object, options.where?.(object))
    const found = checkedObject(object, place)
    if (found.length > 0) {
      problems.push(...found)
      if (object?.kind === 'Node' && typeof object.metadata?.name === 'string') asideNodes.add(object.metadata.name)
      continue
    }
    if (!index.add(object)) {
      problems.push(duplicate(object, place))
      continue
    }
    places.set(object, place)
  }
  const read = index.snapshot()
  // `checkedObject` passes only what has the shape of its kind, here and below.
  const nodes = new Map(read.objects('Node').map(object => [object.metadata.name, nodeState(object as Node)]))
  const pods = new Map<string, PodState>()
  for (const object of read.objects('Pod')) {
    const pod = podState(read, object as Pod)
    if (isPlaceless(pod, nodes)) {
      problems.push(placelessPod(pod, places.get(object) ?? '', asideNodes))
      index.remove(object)
      places.delete(object)
    } else pods.set(pod.key, pod)
  }
  return { state: new IndexedCluster(index.snapshot(), nodes, pods), objects: [...places.keys()], problems }
}

/** What is said of a second object of one name. */
export function duplicate(object: KubeObject, place: string): ClusterProblem {
  const isNode = object.kind === 'Node'
  return {
    code: isNode ? 'node-duplicate' : 'object-duplicate',
    where: `${place}: metadata.name`,
    found: object.metadata.name,
    expected: isNode ? 'a name that no other node has' : `a name that no other ${object.kind} of its namespace has`,
    isFatal: isNode,
  }
}

/** On a node that is not there: such a pod cannot be counted anywhere. */
export function isPlaceless(pod: PodState, nodes: { get(name: string): NodeState | undefined }): boolean {
  return pod.nodeName !== undefined && !pod.isFinished && nodes.get(pod.nodeName) === undefined
}

/** What is said of a pod on a node that is not there. */
export function placelessPod(pod: PodState, place: string, asideNodes: { has(name: string): boolean }): ClusterProblem {
  const { nodeName = '' } = pod
  return {
    code: 'pod-node-missing',
    where: `${place}: spec.nodeName`,
    found: nodeName,
    expected: asideNodes.has(nodeName) ? 'a node that is not set aside' : 'the name of a node of this cluster',
    isFatal: false,
  }
}

/** A pod as the model sees it. `owners` finds the controllers above it. @throws RangeError where a quantity does not parse. */
export function podState(owners: OwnerLookup, object: Pod): PodState {
  const namespace = object.metadata.namespace ?? 'default'
  const nodeName = object.spec.nodeName === undefined || object.spec.nodeName === '' ? undefined : object.spec.nodeName
  const phase = object.status?.phase
  return {
    key: `${namespace}/${object.metadata.name}`,
    namespace,
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    object,
    requests: podRequests(object),
    nodeName,
    workload: topmostController(owners, object),
    isTerminating: object.metadata.deletionTimestamp !== undefined && object.metadata.deletionTimestamp !== null,
    isFinished: phase === 'Succeeded' || phase === 'Failed',
    isReady: isPodReady(object, nodeName !== undefined),
    priority: object.spec.priority ?? 0,
  }
}

/** The Ready condition. A bound pod without any status was written by hand and is taken to run. */
function isPodReady(pod: Pod, isBound: boolean): boolean {
  const { phase, conditions } = pod.status ?? {}
  if (phase === undefined && conditions === undefined) return isBound
  return conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') ?? false
}

/** A node as the model sees it. @throws RangeError where a quantity does not parse. */
export function nodeState(object: Node): NodeState {
  const conditions = object.status?.conditions
  return {
    name: object.metadata.name,
    object,
    allocatable: allocatableOf(object),
    // A node without any condition was written by hand.
    isReady: conditions === undefined || conditions.some(condition => condition.type === 'Ready' && condition.status === 'True'),
    isSchedulable: object.spec?.unschedulable !== true,
  }
}

/** Allocatable amounts, by default the capacity as the API server defaults it. @throws RangeError where a quantity does not parse. */
export function allocatableOf(node: Node): Requests {
  const list = node.status?.allocatable ?? node.status?.capacity ?? {}
  return requestsOf(
    Object.entries(list).map(([resource, text]) => [resource, resource === 'cpu' ? parseMilli(text) : parseWhole(text)]),
  )
}

class IndexedCluster implements ClusterState {
  readonly nodes: ReadonlyMap<string, NodeState>
  readonly pods: ReadonlyMap<string, PodState>
  readonly #objects: ObjectLookup
  readonly #podsByNode = new Map<string, PodState[]>()
  /** Made when they are first asked for. */
  #podsByWorkload: ReadonlyMap<string, readonly PodState[]> | undefined

  constructor(objects: ObjectLookup, nodes: ReadonlyMap<string, NodeState>, pods: ReadonlyMap<string, PodState>) {
    this.#objects = objects
    this.nodes = nodes
    this.pods = pods
    for (const pod of pods.values()) {
      if (pod.nodeName === undefined || pod.isFinished) continue
      const onNode = this.#podsByNode.get(pod.nodeName)
      if (onNode === undefined) this.#podsByNode.set(pod.nodeName, [pod])
      else onNode.push(pod)
    }
  }

  podsOn(node: string): readonly PodState[] {
    return this.#podsByNode.get(node) ?? []
  }

  podsOf(workloadUid: string): readonly PodState[] {
    this.#podsByWorkload ??= Map.groupBy(this.pods.values(), pod => pod.workload?.uid ?? '')
    return workloadUid === '' ? [] : (this.#podsByWorkload.get(workloadUid) ?? [])
  }

  objectsIn(kind: string, namespace: string): readonly KubeObject[] {
    return this.#objects.objectsIn(kind, namespace)
  }

  objects(kind: string): readonly KubeObject[] {
    return this.#objects.objects(kind)
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.object(kind, namespace, name)
  }
}

export type { ClusterState, NodeState, PodState, WorkloadReference } from './state-shapes.ts'
