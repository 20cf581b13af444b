// Which pods stand in each other's way: for each required anti-affinity term the pods it means, by node and by value of its topology key.
// Pods of equal terms share what is found, so that a look is one lookup however many pods there are.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { PodAffinityTerm } from '#kube/objects.ts'
import { labelSelectorOf } from '#kube/selector.ts'

/** How many pods of a name there are in one place: namesakes of other namespaces are passed over as upstream does. */
type Names = Map<string, number>

interface Meant {
  matches(pod: PodState): boolean
  /** By node and by topology value. */
  readonly places: Map<string, Names>
  readonly topologyKey: string
}

export class AntiAffinityIndex {
  readonly #nodes: ReadonlyMap<string, NodeState>
  readonly #pods: readonly PodState[]
  #grouped: ReadonlyMap<string, Set<PodState>> | undefined
  readonly #terms = new Map<string, Meant | undefined>()

  /** `pods` are all that may stand in the way. */
  constructor(nodes: readonly NodeState[], pods: readonly PodState[]) {
    this.#nodes = new Map(nodes.map(node => [node.name, node]))
    this.#pods = pods
  }

  /** Whether one of the pod's own terms means another pod on its node or in its node's domain. A term that does not parse ends the look. */
  isViolator(pod: PodState): boolean {
    for (const term of pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const meant = this.#meant(term, pod.namespace)
      if (meant === undefined) return false
      for (const place of this.#placesOf(pod, meant.topologyKey)) if (hasOther(meant.places.get(place), pod.name)) return true
    }
    return false
  }

  /** Takes a pod out of the picture. */
  remove(pod: PodState): void {
    this.#byNamespace().get(pod.namespace)?.delete(pod)
    for (const meant of this.#terms.values()) if (meant?.matches(pod) === true) this.#count(meant, pod, -1)
  }

  /** Made when a term first asks: in most clusters none does. */
  #byNamespace(): ReadonlyMap<string, Set<PodState>> {
    this.#grouped ??= new Map(
      Array.from(
        Map.groupBy(this.#pods, pod => pod.namespace),
        ([name, of]) => [name, new Set(of)],
      ),
    )
    return this.#grouped
  }

  #meant(term: PodAffinityTerm, ownNamespace: string): Meant | undefined {
    const { labelSelector, namespaces = [], topologyKey } = term
    const names = namespaces.length === 0 ? [ownNamespace] : [...new Set(namespaces)].sort()
    const identity = JSON.stringify([topologyKey, names, labelSelector])
    if (this.#terms.has(identity)) return this.#terms.get(identity)
    const selector = labelSelectorOf(labelSelector)
    const meant: Meant | undefined = selector.ok
      ? {
          matches: pod => names.includes(pod.namespace) && selector.value.matches(pod.object.metadata.labels),
          places: new Map(),
          topologyKey,
        }
      : undefined
    this.#terms.set(identity, meant)
    if (meant === undefined) return undefined
    for (const name of names)
      for (const pod of this.#byNamespace().get(name) ?? []) if (meant.matches(pod)) this.#count(meant, pod, 1)
    return meant
  }

  #count(meant: Meant, pod: PodState, by: 1 | -1): void {
    for (const place of this.#placesOf(pod, meant.topologyKey)) {
      const names = meant.places.get(place) ?? new Map<string, number>()
      meant.places.set(place, names)
      const count = (names.get(pod.name) ?? 0) + by
      if (count === 0) names.delete(pod.name)
      else names.set(pod.name, count)
    }
  }

  /** Its node, and its node's value of the key where there is one. No place for pods on nodes that the cycle leaves out. */
  #placesOf(pod: PodState, topologyKey: string): readonly string[] {
    const node = this.#nodes.get(pod.nodeName ?? '')
    if (node === undefined) return []
    const { labels = {} } = node.object.metadata
    const value = Object.hasOwn(labels, topologyKey) ? labels[topologyKey] : undefined
    return value === undefined ? [`node ${node.name}`] : [`node ${node.name}`, `value ${value}`]
  }
}

function hasOther(names: Names | undefined, name: string): boolean {
  if (names === undefined) return false
  return names.size > 1 || (names.size === 1 && !names.has(name))
}
