// The nodes of a cluster as columns: what no placement changes. One table serves a placement and all its forks.

import type { Node } from '#kube/objects/objects.ts'
import type { ClusterState } from '../cluster-state.ts'

/** The nodes by their value of one label. */
export interface Topology {
  /** Domain of each node; -1 where it lacks the label. */
  readonly domainOf: Int32Array
  /** The label's value by domain. */
  readonly values: readonly string[]
}

/** One image name: how big the first node that has it says it is, and which nodes have it. */
interface NodeImage {
  readonly sizeBytes: number
  readonly nodes: readonly number[]
}

/** Nodes in order of their names, with their amounts, label domains and images. */
export class NodeTable {
  /** In order of their names; indexes of nodes count in it. */
  readonly names: readonly string[]
  readonly nodes: readonly Node[]
  readonly indexOf: ReadonlyMap<string, number>
  readonly milliCpu: Float64Array
  readonly memory: Float64Array
  readonly ephemeralStorage: Float64Array
  readonly pods: Float64Array
  /** Allocatable of every node by any resource name. */
  readonly #columns = new Map<string, Float64Array>()
  readonly #state: ClusterState
  readonly #topologies = new Map<string, Topology>()
  #images: ReadonlyMap<string, NodeImage> | undefined

  constructor(state: ClusterState) {
    this.#state = state
    this.names = Array.from(state.nodes.keys())
    this.nodes = Array.from(state.nodes.values(), node => node.object)
    this.indexOf = new Map(this.names.map((name, index) => [name, index]))
    this.milliCpu = this.allocatable('cpu')
    this.memory = this.allocatable('memory')
    this.ephemeralStorage = this.allocatable('ephemeral-storage')
    this.pods = this.allocatable('pods')
  }

  /** The table of a newer state, whose nodes have the same names; this one where they are the same. */
  renewed(state: ClusterState): NodeTable {
    let index = 0
    for (const { object } of state.nodes.values()) if (object !== this.nodes[index++]) return new NodeTable(state)
    return this
  }

  get size(): number {
    return this.names.length
  }

  allocatable(resource: string): Float64Array {
    const known = this.#columns.get(resource)
    if (known !== undefined) return known
    const column = Float64Array.from(this.#state.nodes.values(), node => node.allocatable[resource] ?? 0)
    this.#columns.set(resource, column)
    return column
  }

  topology(key: string): Topology {
    const known = this.#topologies.get(key)
    if (known !== undefined) return known
    const values: string[] = []
    const domains = new Map<string, number>()
    const domainOf = new Int32Array(this.size).fill(-1)
    for (const [index, node] of this.nodes.entries()) {
      const labels = node.metadata.labels
      if (labels === undefined || !Object.hasOwn(labels, key)) continue
      const value = labels[key] ?? ''
      let domain = domains.get(value)
      if (domain === undefined) {
        domain = values.push(value) - 1
        domains.set(value, domain)
      }
      domainOf[index] = domain
    }
    const topology = { domainOf, values }
    this.#topologies.set(key, topology)
    return topology
  }

  /** Images that nodes report, by name. */
  get images(): ReadonlyMap<string, NodeImage> {
    this.#images ??= imagesOf(this.nodes)
    return this.#images
  }
}

function imagesOf(nodes: readonly Node[]): ReadonlyMap<string, NodeImage> {
  const images = new Map<string, { readonly sizeBytes: number; readonly nodes: number[] }>()
  for (const [index, node] of nodes.entries()) {
    for (const { names, sizeBytes } of node.status?.images ?? []) {
      for (const name of names ?? []) {
        const known = images.get(name)
        if (known === undefined) images.set(name, { sizeBytes: sizeBytes ?? 0, nodes: [index] })
        else if (known.nodes.at(-1) !== index) known.nodes.push(index)
      }
    }
  }
  return images
}
