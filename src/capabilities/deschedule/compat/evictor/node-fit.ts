// Upstream's own idea of whether a pod fits a node (`nodeFit`): cordon, node selector and required node affinity, taints, the pod's own
// required anti-affinity against the pods of that very node, requests. Not looked at: pod affinity, anti-affinity of others, spread,
// ports, volumes. Nothing is reserved between pods, zero requests are compared too, and `namespaceSelector` of terms is ignored.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { addRequests, type Requests, requestsOf } from '#cluster/requests.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Taint, Toleration } from '#kube/objects.ts'
import { tolerates } from '#kube/tolerations.ts'
import type { NodeFit } from '../contract.ts'
import type { CyclePods } from '../cycle-pods.ts'
import { AntiAffinityIndex } from './anti-affinity-index.ts'

/** Pods of one class are refused alike by everything but requests and neighbours. */
interface PodClass {
  /** By node name; the empty text: it passes. */
  readonly refusals: Map<string, string>
  readonly refusalBy: (node: NodeState) => string
}

/** The first nodes of a list that fit all pods of one class and size: two are enough to answer for a pod on any node. */
interface Fitting {
  readonly nodes: NodeState[]
  /** How many of the shrunk nodes it has looked at again. */
  seen: number
}

/** What is known of a list of nodes that was asked about. */
interface NodeList {
  readonly byName: ReadonlyMap<string, NodeState>
  /** By class and requests of the pods. */
  readonly fitting: Map<string, Fitting>
}

export class CompatNodeFit implements NodeFit {
  readonly #pods: CyclePods
  readonly #antiAffinity: AntiAffinityIndex
  readonly #classes = new Map<string, PodClass>()
  readonly #classOfPod = new Map<PodState, { readonly key: string; readonly podClass: PodClass }>()
  readonly #used = new Map<string, { readonly pods: readonly PodState[]; readonly requests: Requests }>()
  readonly #lists = new WeakMap<readonly NodeState[], NodeList>()

  constructor(pods: CyclePods) {
    this.#pods = pods
    this.#antiAffinity = new AntiAffinityIndex(pods)
  }

  refusal(pod: PodState, node: NodeState): string | undefined {
    const fixed = this.#fixedRefusal(pod, node)
    if (fixed !== '') return fixed
    if (this.#antiAffinity.isViolatedOn(pod, node)) return 'pod matches inter-pod anti-affinity rule of other pod on node'
    return pod.nodeName === node.name ? undefined : this.#requestRefusal(pod, node)
  }

  fitsAny(pod: PodState, nodes: readonly NodeState[]): boolean {
    if (hasAntiAffinity(pod)) return nodes.some(node => this.refusal(pod, node) === undefined)
    const own = this.#listOf(nodes).byName.get(pod.nodeName ?? '')
    return (own !== undefined && this.#fixedRefusal(pod, own) === '') || this.#fittingNodes(pod, nodes).length > 0
  }

  fitsAnyOther(pod: PodState, nodes: readonly NodeState[]): boolean {
    if (hasAntiAffinity(pod)) return nodes.some(node => node.name !== pod.nodeName && this.refusal(pod, node) === undefined)
    return this.#fittingNodes(pod, nodes).some(node => node.name !== pod.nodeName)
  }

  /** At most two nodes that fit the pod if it came from elsewhere. */
  #fittingNodes(pod: PodState, nodes: readonly NodeState[]): readonly NodeState[] {
    const { fitting: known } = this.#listOf(nodes)
    const key = `${this.#classOf(pod).key}|${requestsKey(this.#pods.requests(pod))}`
    const { shrunkNodes } = this.#pods
    const fits = (node: NodeState) => this.#fixedRefusal(pod, node) === '' && this.#requestRefusal(pod, node) === undefined
    const fitting = known.get(key)
    if (fitting === undefined) {
      const found: NodeState[] = []
      for (const node of nodes) {
        if (fits(node)) found.push(node)
        if (found.length === 2) break
      }
      known.set(key, { nodes: found, seen: shrunkNodes.length })
      return found
    }
    // Pods only leave, so what fitted still fits, and what did not may fit where one left.
    if (fitting.nodes.length < 2 && fitting.seen < shrunkNodes.length) {
      const shrunk = new Set(shrunkNodes.slice(fitting.seen))
      for (const node of nodes) {
        if (fitting.nodes.length < 2 && shrunk.has(node.name) && !fitting.nodes.includes(node) && fits(node))
          fitting.nodes.push(node)
      }
      fitting.seen = shrunkNodes.length
    }
    return fitting.nodes
  }

  #listOf(nodes: readonly NodeState[]): NodeList {
    const list = this.#lists.get(nodes) ?? { byName: new Map(nodes.map(node => [node.name, node])), fitting: new Map() }
    this.#lists.set(nodes, list)
    return list
  }

  #fixedRefusal(pod: PodState, node: NodeState): string {
    const { podClass } = this.#classOf(pod)
    const known = podClass.refusals.get(node.name)
    if (known !== undefined) return known
    const refusal = podClass.refusalBy(node)
    podClass.refusals.set(node.name, refusal)
    return refusal
  }

  #classOf(pod: PodState): { readonly key: string; readonly podClass: PodClass } {
    const known = this.#classOfPod.get(pod)
    if (known !== undefined) return known
    const { nodeSelector, affinity, tolerations } = pod.object.spec
    const key = JSON.stringify([
      nodeSelector,
      affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
      tolerations,
    ])
    const podClass = this.#classes.get(key) ?? { refusals: new Map(), refusalBy: fixedRules(pod) }
    this.#classes.set(key, podClass)
    const found = { key, podClass }
    this.#classOfPod.set(pod, found)
    return found
  }

  #requestRefusal(pod: PodState, node: NodeState): string | undefined {
    const used = this.#usedOn(node.name)
    const room = (node.allocatable['pods'] ?? 0) - used.pods.length
    if (room < 1) return 'insufficient pods'
    const requests = this.#pods.requests(pod)
    for (const resource in requests) {
      const free = (node.allocatable[resource] ?? 0) - freeable(used.requests, resource, node)
      if ((requests[resource] ?? 0) > free) return `insufficient ${resource}`
    }
    return undefined
  }

  #usedOn(node: string): { readonly pods: readonly PodState[]; readonly requests: Requests } {
    const pods = this.#pods.activePods(node)
    const known = this.#used.get(node)
    if (known?.pods === pods) return known
    let requests = requestsOf([])
    for (const pod of pods) requests = addRequests(requests, this.#pods.requests(pod))
    const used = { pods, requests }
    this.#used.set(node, used)
    return used
  }
}

/** What pods use of a resource; of one that the node does not have, nothing counts. */
function freeable(used: Requests, resource: string, node: NodeState): number {
  const isBasic = resource === 'cpu' || resource === 'memory'
  return isBasic || node.allocatable[resource] !== undefined ? (used[resource] ?? 0) : 0
}

function hasAntiAffinity(pod: PodState): boolean {
  const terms = pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return terms !== undefined && terms.length > 0
}

/** What a node says to all pods with this node selector, node affinity and these tolerations; the empty text: nothing. */
function fixedRules(pod: PodState): (node: NodeState) => string {
  const isPicked = requiredNodes(pod.object)
  const { tolerations = [] } = pod.object.spec
  return node => {
    if (!node.isSchedulable) return 'node is not schedulable'
    if (!isPicked(node.object)) return 'pod node selector does not match the node label'
    const taints = node.object.spec?.taints ?? []
    return taints.some(taint => isHard(taint) && !isCovered(taint, tolerations)) ? 'pod does not tolerate taints on the node' : ''
  }
}

function isHard({ effect }: Taint): boolean {
  return effect === 'NoSchedule' || effect === 'NoExecute'
}

function isCovered(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some(toleration => tolerates(toleration, taint, { comparisons: true }))
}

function requestsKey(requests: Requests): string {
  return Object.keys(requests)
    .sort()
    .map(resource => `${resource}=${requests[resource]}`)
    .join()
}
