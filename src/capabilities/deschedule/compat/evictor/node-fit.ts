// Upstream's own idea of whether a pod fits a node (`nodeFit`): cordon, node selector and required node affinity, taints, the pod's own
// required anti-affinity against the pods of that very node, requests. Not looked at: pod affinity, anti-affinity of others, spread,
// ports, volumes. Nothing is reserved between pods, zero requests are compared too, and `namespaceSelector` of terms is ignored.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { Requests } from '#cluster/requests.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Taint, Toleration } from '#kube/objects/objects.ts'
import { tolerates } from '#kube/objects/tolerations.ts'
import type { NodeFit } from '../contract.ts'
import type { CyclePods } from '../cycle-pods.ts'
import { type Breath, Pace } from '../pace.ts'
import type { ByShape } from '../pod-shapes.ts'
import { AntiAffinityIndex } from './anti-affinity-index.ts'

/** Pods of one class are refused alike by everything but requests and neighbours. */
interface PodClass {
  readonly key: string
  /** By node name; the empty text: it passes. */
  readonly refusals: Map<string, string>
  readonly refusalBy: (node: NodeState) => string
}

/** Pods of one class that ask for the same: neighbours apart, they fit the same nodes. */
interface FitKind {
  readonly podClass: PodClass
  readonly requests: readonly (readonly [string, number])[]
  /** By list of nodes that was asked about. */
  readonly fitting: Map<readonly NodeState[], Fitting>
}

/** The first nodes of a list that fit all pods of one kind: two are enough to answer for a pod on any node. */
interface Fitting {
  readonly nodes: NodeState[]
  /** How many of the shrunk nodes it has looked at again. */
  seen: number
}

export class CompatNodeFit implements NodeFit {
  readonly #pods: CyclePods
  readonly #pace: Pace
  readonly #antiAffinity: AntiAffinityIndex
  readonly #classes = new Map<string, PodClass>()
  readonly #kinds = new Map<string, FitKind>()
  readonly #kindOf: ByShape<FitKind>
  readonly #byName = new Map<readonly NodeState[], ReadonlyMap<string, NodeState>>()

  /** What it looks at is counted by `pace`. */
  constructor(pods: CyclePods, pace: Pace = new Pace()) {
    this.#pods = pods
    this.#pace = pace
    this.#antiAffinity = new AntiAffinityIndex(pods)
    this.#kindOf = pods.shapes.memo(pod => this.#madeKind(pod))
  }

  /** What takes longest is done before the first question, with breaths. */
  prepared(): Generator<Breath, void, unknown> {
    return this.#antiAffinity.prepared(this.#pace)
  }

  refusal(pod: PodState, node: NodeState): string | undefined {
    const kind = this.#kindOf(pod)
    const fixed = fixedRefusal(kind.podClass, node)
    if (fixed !== '') return fixed
    if (this.#antiAffinity.isViolatedOn(pod, node)) return 'pod matches inter-pod anti-affinity rule of other pod on node'
    return pod.nodeName === node.name ? undefined : this.#requestRefusal(kind, node)
  }

  fitsAny(pod: PodState, nodes: readonly NodeState[]): boolean {
    if (this.#antiAffinity.hasTerms(pod)) return this.#someNode(nodes, node => this.refusal(pod, node) === undefined)
    const kind = this.#kindOf(pod)
    const own = this.#nodeOf(pod, nodes)
    return (own !== undefined && fixedRefusal(kind.podClass, own) === '') || this.#fittingNodes(kind, nodes).length > 0
  }

  fitsAnyOther(pod: PodState, nodes: readonly NodeState[]): boolean {
    if (this.#antiAffinity.hasTerms(pod))
      return this.#someNode(nodes, node => node.name !== pod.nodeName && this.refusal(pod, node) === undefined)
    for (const node of this.#fittingNodes(this.#kindOf(pod), nodes)) if (node.name !== pod.nodeName) return true
    return false
  }

  #someNode(nodes: readonly NodeState[], test: (node: NodeState) => boolean): boolean {
    const at = nodes.findIndex(test)
    this.#pace.spend(at < 0 ? nodes.length : at)
    return at >= 0
  }

  #nodeOf({ nodeName }: PodState, nodes: readonly NodeState[]): NodeState | undefined {
    if (nodeName === undefined) return undefined
    let byName = this.#byName.get(nodes)
    if (byName === undefined) {
      byName = new Map(nodes.map(node => [node.name, node]))
      this.#byName.set(nodes, byName)
    }
    return byName.get(nodeName)
  }

  /** At most two nodes that fit pods of this kind if they came from elsewhere. */
  #fittingNodes(kind: FitKind, nodes: readonly NodeState[]): readonly NodeState[] {
    const { shrunkNodes } = this.#pods
    const fits = (node: NodeState) => fixedRefusal(kind.podClass, node) === '' && this.#requestRefusal(kind, node) === undefined
    const fitting = kind.fitting.get(nodes)
    if (fitting === undefined) {
      const found: NodeState[] = []
      for (const node of nodes) {
        this.#pace.spend(1)
        if (fits(node)) found.push(node)
        if (found.length === 2) break
      }
      kind.fitting.set(nodes, { nodes: found, seen: shrunkNodes.length })
      return found
    }
    // Pods only leave, so what fitted still fits, and what did not may fit where one left.
    if (fitting.nodes.length < 2 && fitting.seen < shrunkNodes.length) {
      const shrunk = new Set(shrunkNodes.slice(fitting.seen))
      this.#pace.spend(nodes.length)
      for (const node of nodes) {
        if (fitting.nodes.length < 2 && shrunk.has(node.name) && !fitting.nodes.includes(node) && fits(node))
          fitting.nodes.push(node)
      }
      fitting.seen = shrunkNodes.length
    }
    return fitting.nodes
  }

  #madeKind(pod: PodState): FitKind {
    const podClass = this.#classOf(pod)
    const requests = Object.entries(this.#pods.requests(pod))
    const key = `${podClass.key}|${requestsKey(requests)}`
    const kind = this.#kinds.get(key) ?? { podClass, requests, fitting: new Map() }
    this.#kinds.set(key, kind)
    return kind
  }

  #classOf(pod: PodState): PodClass {
    const { nodeSelector, affinity, tolerations } = pod.object.spec
    const key = JSON.stringify([
      nodeSelector,
      affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
      tolerations,
    ])
    const podClass = this.#classes.get(key) ?? { key, refusals: new Map(), refusalBy: fixedRules(pod) }
    this.#classes.set(key, podClass)
    return podClass
  }

  #requestRefusal(kind: FitKind, node: NodeState): string | undefined {
    const used = this.#pods.use(node.name)
    const room = (node.allocatable['pods'] ?? 0) - used.pods.length
    if (room < 1) return 'insufficient pods'
    for (const [resource, amount] of kind.requests) {
      const free = (node.allocatable[resource] ?? 0) - freeable(used.requests, resource, node)
      if (amount > free) return `insufficient ${resource}`
    }
    return undefined
  }
}

function fixedRefusal({ refusals, refusalBy }: PodClass, node: NodeState): string {
  const known = refusals.get(node.name)
  if (known !== undefined) return known
  const refusal = refusalBy(node)
  refusals.set(node.name, refusal)
  return refusal
}

/** What pods use of a resource; of one that the node does not have, nothing counts. */
function freeable(used: Requests, resource: string, node: NodeState): number {
  const isBasic = resource === 'cpu' || resource === 'memory'
  return isBasic || node.allocatable[resource] !== undefined ? (used[resource] ?? 0) : 0
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

function requestsKey(requests: readonly (readonly [string, number])[]): string {
  return requests
    .map(([resource, amount]) => `${resource}=${amount}`)
    .sort()
    .join()
}
