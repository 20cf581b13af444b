// The cluster as the verifier sees it: read from the raw objects by its own small arithmetic, and changed move by move.

import type { Container, KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import { unboundPod } from './unbound-pod.ts'

export type Sums = Record<string, number>

export interface StandingPod {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly object: Pod
  readonly requests: Readonly<Sums>
  readonly isReady: boolean
  readonly isTerminating: boolean
}

export interface StandingNode {
  readonly name: string
  readonly object: Node
  readonly allocatable: Readonly<Sums>
  readonly pods: Map<string, StandingPod>
}

export class World {
  readonly nodes: ReadonlyMap<string, StandingNode>
  readonly #objects: ReadonlyMap<string, KubeObject>

  constructor(objects: Iterable<KubeObject>) {
    const all = [...objects]
    this.#objects = new Map(all.map(object => [objectKey(object.kind, object.metadata.namespace, object.metadata.name), object]))
    this.nodes = new Map(
      all.filter(isNode).flatMap(object => {
        const node = readable(() => standingNode(object))
        return node === undefined ? [] : [[object.metadata.name, node] as const]
      }),
    )
    for (const object of all.filter(isPod)) {
      const phase = object.status?.phase
      if (phase === 'Succeeded' || phase === 'Failed') continue
      const pod = readable(() => standingPod(unboundPod(object, this.#ownerOf(object))))
      if (pod !== undefined) this.nodes.get(object.spec.nodeName ?? '')?.pods.set(pod.key, pod)
    }
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(objectKey(kind, namespace, name))
  }

  objects(kind: string): readonly KubeObject[] {
    return [...this.#objects.values()].filter(object => object.kind === kind)
  }

  pods(): readonly StandingPod[] {
    return [...this.nodes.values()].flatMap(node => [...node.pods.values()])
  }

  nodeOf(podKey: string): StandingNode | undefined {
    return [...this.nodes.values()].find(node => node.pods.has(podKey))
  }

  #ownerOf({ metadata }: Pod): KubeObject | undefined {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
    return owner && this.object(owner.kind, metadata.namespace, owner.name)
  }

  /** Requested on a node, with `pods` as their number. */
  used(node: StandingNode): Sums {
    const sum: Sums = { cpu: 0, memory: 0, pods: node.pods.size }
    for (const pod of node.pods.values()) add(sum, pod.requests)
    return sum
  }
}

export function add(sum: Sums, amounts: Readonly<Sums>): void {
  for (const [resource, amount] of Object.entries(amounts)) sum[resource] = (sum[resource] ?? 0) + amount
}

function objectKey(kind: string, namespace: string | undefined, name: string): string {
  return `${kind} ${namespace ?? ''}/${name}`
}

function isNode(object: KubeObject): object is Node {
  return object.kind === 'Node'
}

function isPod(object: KubeObject): object is Pod {
  return object.kind === 'Pod'
}

function standingNode(object: Node): StandingNode {
  return {
    name: object.metadata.name,
    object,
    allocatable: amountsOf(object.status?.allocatable ?? object.status?.capacity),
    pods: new Map(),
  }
}

function standingPod(object: Pod): StandingPod {
  const namespace = object.metadata.namespace ?? 'default'
  const conditions = object.status?.conditions
  const isByHand = object.status?.phase === undefined && conditions === undefined
  return {
    key: `${namespace}/${object.metadata.name}`,
    namespace,
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    object,
    requests: requestsOf(object),
    isReady: isByHand || (conditions ?? []).some(condition => condition.type === 'Ready' && condition.status === 'True'),
    isTerminating: object.metadata.deletionTimestamp !== undefined && object.metadata.deletionTimestamp !== null,
  }
}

/** An amount that no machine has. Whoever plans sets such an object aside; so does whoever verifies. */
class Unreadable extends Error {}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

function amountsOf(list: Readonly<Record<string, string | number>> | undefined): Sums {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([resource, text]) => {
      const amount = resource === 'cpu' ? cpuMillicores(text, resource) : wholeNumber(text, resource)
      if (!amount.ok) throw new Unreadable(amount.problem.code)
      return [resource, amount.value]
    }),
  )
}

/** What a pod requests (rebalancing 3.11): containers and sidecars together, or the largest need of its start, by resource; overhead on top. */
function requestsOf(pod: Pod): Sums {
  const total: Sums = {}
  for (const container of pod.spec.containers) add(total, containerAmounts(pod, container))
  const sidecars: Sums = {}
  const start: Sums = {}
  for (const container of pod.spec.initContainers ?? []) {
    const own = containerAmounts(pod, container)
    if (container.restartPolicy === 'Always') add(sidecars, own)
    const need: Sums = { ...sidecars }
    if (container.restartPolicy !== 'Always') add(need, own)
    raise(start, need)
  }
  add(total, sidecars)
  raise(total, start)
  for (const [resource, amount] of Object.entries(amountsOf(pod.spec.resources?.requests))) {
    if (resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-')) total[resource] = amount
  }
  add(total, amountsOf(pod.spec.overhead))
  return total
}

function raise(sum: Sums, amounts: Readonly<Sums>): void {
  for (const [resource, amount] of Object.entries(amounts)) sum[resource] = Math.max(sum[resource] ?? 0, amount)
}

/** A bound container's requests while it is resized in place: the largest of what is wished, granted and in force. */
function containerAmounts(pod: Pod, container: Container): Sums {
  const wished = amountsOf(container.resources?.requests)
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
  const status = statuses.find(each => each.name === container.name)
  if (status?.resources?.requests === undefined && status?.allocatedResources === undefined) return wished
  const largest: Sums = pod.status?.resize === 'Infeasible' ? {} : wished
  raise(largest, amountsOf(status.allocatedResources))
  raise(largest, amountsOf(status.resources?.requests))
  return largest
}
