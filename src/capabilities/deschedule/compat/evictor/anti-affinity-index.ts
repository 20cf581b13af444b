// Which active pods a required anti-affinity term matches, by node: found once per term and namespaces, not once per candidate and node.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import type { PodAffinityTerm } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { CyclePods } from '../cycle-pods.ts'
import type { Breath, Pace } from '../pace.ts'
import type { ByShape, GroupedPods } from '../pod-shapes.ts'

type ByNode = ReadonlyMap<string, readonly PodState[]>

interface Term {
  readonly topologyKey: string
  /** The pods that it matches. */
  readonly matches: ByNode
}

export class AntiAffinityIndex {
  readonly #pods: CyclePods
  readonly #matches = new Map<string, ByNode>()
  readonly #terms: ByShape<readonly Term[]>
  #groups: GroupedPods | undefined

  constructor(pods: CyclePods) {
    this.#pods = pods
    this.#terms = pods.shapes.memo(pod =>
      (pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term => ({
        topologyKey: term.topologyKey,
        matches: this.#matching(pod, term),
      })),
    )
  }

  /** The pods that terms may match are grouped before the first question, with breaths. */
  *prepared(pace: Pace): Generator<Breath, void, unknown> {
    this.#groups ??= yield* this.#pods.shapes.groupedByAndBy(onNodes(this.#pods.state), pace)
  }

  /** Whether the pod has such terms at all. */
  hasTerms(pod: PodState): boolean {
    return this.#terms(pod).length > 0
  }

  /**
   * Whether a pod on `node` itself matches a required anti-affinity term of `pod`. A term counts only where the node has its topology
   * key; pods with the candidate's name, of whichever namespace, are passed over.
   */
  isViolatedOn(pod: PodState, node: NodeState): boolean {
    for (const { topologyKey, matches } of this.#terms(pod)) {
      if (!Object.hasOwn(node.object.metadata.labels ?? {}, topologyKey)) continue
      const onNode = matches.get(node.name)
      if (onNode?.some(other => other.name !== pod.name && !this.#pods.isGone(other))) return true
    }
    return false
  }

  #matching(pod: PodState, term: PodAffinityTerm): ByNode {
    const given = term.namespaces ?? []
    const namespaces = given.length === 0 ? [pod.namespace] : [...new Set(given)]
    const key = JSON.stringify([namespaces, term.labelSelector ?? null])
    const known = this.#matches.get(key)
    if (known !== undefined) return known
    const matches = new Map<string, PodState[]>()
    // A term without a selector matches nothing; one that does not parse was set aside with its pod.
    const selector = labelSelectorOf(term.labelSelector)
    for (const namespace of namespaces)
      for (const other of selector.ok ? this.#unfinished().matching(namespace, selector.value) : []) {
        const { nodeName = '' } = other
        const onNode = matches.get(nodeName)
        if (onNode === undefined) matches.set(nodeName, [other])
        else onNode.push(other)
      }
    this.#matches.set(key, matches)
    return matches
  }

  /** Pods on nodes that are not finished. What left since is passed over when asked. */
  #unfinished(): GroupedPods {
    this.#groups ??= this.#pods.shapes.grouped(onNodes(this.#pods.state))
    return this.#groups
  }
}

function* onNodes(state: ClusterState): Generator<PodState> {
  for (const name of state.nodes.keys()) yield* state.podsOn(name)
}
