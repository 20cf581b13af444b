// Which active pods a required anti-affinity term matches, by node: found once per term and namespaces, not once per candidate and node.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { PodAffinityTerm } from '#kube/objects.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import type { CyclePods } from '../cycle-pods.ts'

type ByNode = ReadonlyMap<string, readonly PodState[]>

export class AntiAffinityIndex {
  readonly #pods: CyclePods
  readonly #matches = new Map<string, ByNode>()
  #byNamespace: ReadonlyMap<string, readonly PodState[]> | undefined

  constructor(pods: CyclePods) {
    this.#pods = pods
  }

  /**
   * Whether a pod on `node` itself matches a required anti-affinity term of `pod`. A term counts only where the node has its topology
   * key; pods with the candidate's name, of whichever namespace, are passed over.
   */
  isViolatedOn(pod: PodState, node: NodeState): boolean {
    const terms = pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    return terms.some(term => {
      if (!Object.hasOwn(node.object.metadata.labels ?? {}, term.topologyKey)) return false
      const onNode = this.#matching(pod, term).get(node.name) ?? []
      return onNode.some(other => other.name !== pod.name && !this.#pods.isGone(other))
    })
  }

  #matching(pod: PodState, term: PodAffinityTerm): ByNode {
    const given = term.namespaces ?? []
    const namespaces = given.length === 0 ? [pod.namespace] : [...new Set(given)]
    const key = JSON.stringify([namespaces, term.labelSelector ?? null])
    const known = this.#matches.get(key)
    if (known !== undefined) return known
    // A term without a selector matches nothing; one that does not parse was set aside with its pod.
    const selector = labelSelectorOf(term.labelSelector)
    const matches = new Map<string, PodState[]>()
    for (const other of namespaces.flatMap(namespace => this.#podsIn(namespace))) {
      if (other.nodeName === undefined || !selector.ok || !selector.value.matches(other.object.metadata.labels)) continue
      const onNode = matches.get(other.nodeName)
      if (onNode === undefined) matches.set(other.nodeName, [other])
      else onNode.push(other)
    }
    this.#matches.set(key, matches)
    return matches
  }

  /** Those of the namespace that are not finished. What left since is passed over when asked. */
  #podsIn(namespace: string): readonly PodState[] {
    this.#byNamespace ??= Map.groupBy(
      this.#pods.state.pods.values().filter(pod => !pod.isFinished),
      pod => pod.namespace,
    )
    return this.#byNamespace.get(namespace) ?? []
  }
}
