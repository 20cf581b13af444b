// How many pods a cycle evicts at most: altogether, from a node, from a namespace.
import type { PodState } from '#cluster/cluster-state.ts'
import type { BackgroundEvictions } from './eviction-in-background.ts'
import type { EvictionLimits } from './policy/args.ts'

/** What a limit says: upstream's text is the `result` of the counter; `event` ends the Event of a refused eviction. */
export interface LimitRefusal {
  readonly kind: 'total-limit' | 'node-limit' | 'namespace-limit'
  readonly result: string
  readonly event: string
}

/** Counts evictions of one cycle, over all profiles and plugins. Evictions in background count as long as they are under way. */
export class CycleLimits {
  readonly #limits: EvictionLimits
  readonly #background: BackgroundEvictions | undefined
  readonly #perNode = new Map<string, number>()
  readonly #perNamespace = new Map<string, number>()
  #total = 0

  constructor(limits: EvictionLimits, background?: BackgroundEvictions) {
    this.#limits = limits
    this.#background = background
  }

  /** Evicted in this cycle. */
  get total(): number {
    return this.#total
  }

  /** The first limit that one more eviction would break: total, then node, then namespace. A pod without a node has no node limit. */
  refusal({ nodeName, namespace }: PodState): LimitRefusal | undefined {
    const { total, node, namespace: perNamespace } = this.#limits
    if (total !== undefined && this.#total + (this.#background?.total ?? 0) + 1 > total) {
      const result = 'maximum number of evicted pods per a descheduling cycle reached'
      return { kind: 'total-limit', result, event: `total eviction limit exceeded (${total})` }
    }
    if (node !== undefined && nodeName !== undefined && this.#onNode(nodeName) + 1 > node) {
      const result = 'maximum number of evicted pods per node reached'
      return { kind: 'node-limit', result, event: `node eviction limit exceeded (${node})` }
    }
    if (perNamespace !== undefined && this.#inNamespace(namespace) + 1 > perNamespace) {
      const result = 'maximum number of evicted pods per namespace reached'
      return { kind: 'namespace-limit', result, event: `namespace eviction limit exceeded (${perNamespace})` }
    }
    return undefined
  }

  /** One more was evicted. */
  count({ nodeName, namespace }: PodState): void {
    this.#total++
    this.#perNamespace.set(namespace, (this.#perNamespace.get(namespace) ?? 0) + 1)
    if (nodeName !== undefined) this.#perNode.set(nodeName, (this.#perNode.get(nodeName) ?? 0) + 1)
  }

  #onNode(node: string): number {
    return (this.#perNode.get(node) ?? 0) + (this.#background?.onNode(node) ?? 0)
  }

  #inNamespace(namespace: string): number {
    return (this.#perNamespace.get(namespace) ?? 0) + (this.#background?.inNamespace(namespace) ?? 0)
  }
}
