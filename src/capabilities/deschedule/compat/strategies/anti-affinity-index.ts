// Which pods stand in each other's way: for each required anti-affinity term the pods it means, by node and by value of its topology key.
// Pods of equal terms share what is found, so that a look is one lookup however many pods there are.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { PodAffinityTerm } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { StrategyView } from '../contract.ts'
import type { ByShape, GroupedPods } from '../pod-shapes.ts'

/** How many pods of a name there are in one place: namesakes of other namespaces are passed over as upstream does. */
type Names = Map<string, number>

interface Meant {
  matches(pod: PodState): boolean
  readonly topologyKey: string
  readonly byNode: Map<string, Names>
  /** By value of the topology key. */
  readonly byValue: Map<string, Names>
}

export class AntiAffinityIndex {
  readonly #nodes: ReadonlyMap<string, NodeState>
  readonly #pods: GroupedPods
  readonly #removed = new Set<PodState>()
  readonly #meant = new Map<string, Meant | undefined>()
  readonly #termsOf: ByShape<readonly (Meant | undefined)[]>

  /** `pods` are all that may stand in the way. */
  constructor(view: Pick<StrategyView, 'nodes' | 'byShape'>, pods: GroupedPods) {
    this.#nodes = new Map(view.nodes.map(node => [node.name, node]))
    this.#pods = pods
    this.#termsOf = view.byShape(({ object, namespace }) =>
      (object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term =>
        this.#meantBy(term, namespace),
      ),
    )
  }

  /** Whether one of the pod's own terms means another pod on its node or in its node's domain. A term that does not parse ends the look. */
  isViolator(pod: PodState): boolean {
    const node = this.#nodes.get(pod.nodeName ?? '')
    for (const meant of this.#termsOf(pod)) {
      if (meant === undefined || node === undefined) return false
      if (hasOther(meant.byNode.get(node.name), pod.name)) return true
      const value = topologyValue(node, meant.topologyKey)
      if (value !== undefined && hasOther(meant.byValue.get(value), pod.name)) return true
    }
    return false
  }

  /** Takes a pod out of the picture. */
  remove(pod: PodState): void {
    this.#removed.add(pod)
    for (const meant of this.#meant.values()) if (meant?.matches(pod) === true) this.#count(meant, pod, -1)
  }

  #meantBy(term: PodAffinityTerm, ownNamespace: string): Meant | undefined {
    const { labelSelector, namespaces = [], topologyKey } = term
    const names = namespaces.length === 0 ? [ownNamespace] : [...new Set(namespaces)].sort()
    const identity = JSON.stringify([topologyKey, names, labelSelector])
    if (this.#meant.has(identity)) return this.#meant.get(identity)
    const selector = labelSelectorOf(labelSelector)
    const meant: Meant | undefined = selector.ok
      ? {
          matches: pod => names.includes(pod.namespace) && selector.value.matches(pod.object.metadata.labels),
          topologyKey,
          byNode: new Map(),
          byValue: new Map(),
        }
      : undefined
    this.#meant.set(identity, meant)
    if (meant === undefined || !selector.ok) return undefined
    for (const name of names)
      for (const pod of this.#pods.matching(name, selector.value)) if (!this.#removed.has(pod)) this.#count(meant, pod, 1)
    return meant
  }

  /** No place for pods on nodes that the cycle leaves out. */
  #count(meant: Meant, pod: PodState, by: 1 | -1): void {
    const node = this.#nodes.get(pod.nodeName ?? '')
    if (node === undefined) return
    countName(meant.byNode, node.name, pod.name, by)
    const value = topologyValue(node, meant.topologyKey)
    if (value !== undefined) countName(meant.byValue, value, pod.name, by)
  }
}

function topologyValue({ object }: NodeState, key: string): string | undefined {
  const { labels } = object.metadata
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined
}

function countName(places: Map<string, Names>, place: string, name: string, by: 1 | -1): void {
  const names = places.get(place) ?? new Map<string, number>()
  places.set(place, names)
  const count = (names.get(name) ?? 0) + by
  if (count === 0) names.delete(name)
  else names.set(name, count)
}

function hasOther(names: Names | undefined, name: string): boolean {
  if (names === undefined) return false
  return names.size > 1 || (names.size === 1 && !names.has(name))
}
