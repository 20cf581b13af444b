// Where pods can be spread to: the values of topology keys, the nodes that have them and count. Looked up once for all constraints that
// ask for the same.
import type { NodeState } from '#cluster/cluster-state.ts'
import { includesNode, type SpreadConstraint } from './spread-constraints.ts'

/** What counts for the constraints of one topology key and one inclusion of nodes. */
interface Counting {
  /** Those that have the key. */
  readonly nodes: readonly NodeState[]
  /** Values of these nodes, each once. */
  readonly values: ReadonlySet<string>
  /** The nodes below the mean, by the values that are. */
  readonly targets: Map<string, readonly NodeState[]>
}

/** A list of nodes is remembered for so few values: with hostnames no two constraints are alike. */
const mostValues = 16

export class SpreadTopology {
  readonly #nodes: readonly NodeState[]
  readonly #values = new Map<string, ReadonlyMap<string, string>>()
  readonly #counting = new Map<string, Counting>()

  constructor(nodes: readonly NodeState[]) {
    this.#nodes = nodes
  }

  /** The value of a key by node, of nodes that have it. */
  valuesOf(key: string): ReadonlyMap<string, string> {
    const known = this.#values.get(key)
    if (known !== undefined) return known
    const values = new Map<string, string>()
    for (const { name, object } of this.#nodes) {
      const { labels } = object.metadata
      const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined
      if (value !== undefined) values.set(name, value)
    }
    this.#values.set(key, values)
    return values
  }

  /** The values on nodes that count for a constraint. */
  domains(constraint: SpreadConstraint): ReadonlySet<string> {
    return this.#countingFor(constraint).values
  }

  /** The nodes that count for a constraint and have one of these values. The same list for the same question, as far as that can be. */
  targets(constraint: SpreadConstraint, values: ReadonlySet<string>): readonly NodeState[] {
    const { nodes, targets } = this.#countingFor(constraint)
    const valueByNode = this.valuesOf(constraint.topologyKey)
    const chosen = () => nodes.filter(({ name }) => values.has(valueByNode.get(name) ?? ''))
    if (values.size > mostValues) return chosen()
    const identity = JSON.stringify([...values].sort())
    const known = targets.get(identity) ?? chosen()
    targets.set(identity, known)
    return known
  }

  #countingFor({ topologyKey, inclusion }: SpreadConstraint): Counting {
    const identity = JSON.stringify([topologyKey, inclusion.identity])
    const known = this.#counting.get(identity)
    if (known !== undefined) return known
    const valueByNode = this.valuesOf(topologyKey)
    const nodes = this.#nodes.filter(node => valueByNode.has(node.name) && includesNode(inclusion, node))
    const values = new Set(nodes.map(({ name }) => valueByNode.get(name) ?? ''))
    const counting = { nodes, values, targets: new Map() }
    this.#counting.set(identity, counting)
    return counting
  }
}
