// What the pods on the nodes hold: the part of the model that binding and removing changes. Forks share it until one of them writes.

import { LayeredMap } from './layered-map.ts'
import type { NodeTable } from './node-table.ts'
import type { HostPort, PodInfo } from './pod-info.ts'

interface PlacedPod {
  readonly info: PodInfo
  readonly node: number
}

/** Amounts by index of the node. */
interface Columns {
  readonly milliCpu: Float64Array
  readonly memory: Float64Array
  readonly ephemeralStorage: Float64Array
  readonly nonZeroMilliCpu: Float64Array
  readonly nonZeroMemory: Float64Array
  readonly pods: Float64Array
}

/** Requests, pods, ports and volumes in use, by node. A copy changes on its own; what neither has changed they share. */
export class NodeLoads {
  readonly columns: Columns
  readonly #size: number
  /** Requested of other resources, made when first asked for. */
  readonly #scalars: Map<string, Float64Array>
  /** By key of the pod. */
  readonly placed: LayeredMap<PlacedPod>
  /** How many pods of each class stand on which node. */
  readonly #classCounts: (Map<number, number> | undefined)[]
  /** Classes whose counts are nobody else's. */
  #ownCounts = new Set<number>()
  readonly #ports: Map<number, readonly HostPort[]>
  /** Pods that use a claim, by `namespace/claim`. */
  readonly #claimUsers: Map<string, number>
  /** Pods with volumes, by node. */
  readonly #volumePods: Map<number, readonly PodInfo[]>

  constructor(table: NodeTable, from?: NodeLoads) {
    this.#size = table.size
    const column = (of?: Float64Array) => (of === undefined ? new Float64Array(table.size) : of.slice())
    const columns = from?.columns
    this.columns = {
      milliCpu: column(columns?.milliCpu),
      memory: column(columns?.memory),
      ephemeralStorage: column(columns?.ephemeralStorage),
      nonZeroMilliCpu: column(columns?.nonZeroMilliCpu),
      nonZeroMemory: column(columns?.nonZeroMemory),
      pods: column(columns?.pods),
    }
    this.#scalars = new Map(
      Array.from(from === undefined ? [] : from.#scalars, ([resource, amounts]) => [resource, amounts.slice()]),
    )
    this.placed = from === undefined ? new LayeredMap() : from.placed.fork()
    this.#classCounts = from === undefined ? [] : from.#classCounts.slice()
    if (from !== undefined) from.#ownCounts = new Set()
    this.#ports = new Map(from === undefined ? [] : from.#ports)
    this.#claimUsers = new Map(from === undefined ? [] : from.#claimUsers)
    this.#volumePods = new Map(from === undefined ? [] : from.#volumePods)
  }

  /** Requested of any resource on each node. */
  requested(resource: string): Float64Array {
    switch (resource) {
      case 'cpu':
        return this.columns.milliCpu
      case 'memory':
        return this.columns.memory
      case 'ephemeral-storage':
        return this.columns.ephemeralStorage
      default:
        return this.#scalars.get(resource) ?? new Float64Array(this.#size)
    }
  }

  /** Nodes and how many pods of class `id` each has; none is 0. */
  classCounts(id: number): ReadonlyMap<number, number> | undefined {
    return this.#classCounts[id]
  }

  ports(node: number): readonly HostPort[] {
    return this.#ports.get(node) ?? []
  }

  /** How many pods use a claim. */
  claimUsers(claim: string): number {
    return this.#claimUsers.get(claim) ?? 0
  }

  volumePods(node: number): readonly PodInfo[] {
    return this.#volumePods.get(node) ?? []
  }

  add(info: PodInfo, node: number): void {
    this.placed.set(info.pod.key, { info, node })
    this.#count(info, node, 1)
    if (info.hostPorts.length > 0) this.#ports.set(node, [...this.ports(node), ...info.hostPorts])
    if (info.hasVolumes) this.#volumePods.set(node, [...this.volumePods(node), info])
  }

  /** @throws Error where no pod of that key is placed. */
  remove(key: string): PlacedPod {
    const placed = this.placed.get(key)
    if (placed === undefined) throw new Error(`remove pod ${key}: it is on no node of this placement`)
    const { info, node } = placed
    this.placed.delete(key)
    this.#count(info, node, -1)
    if (info.hostPorts.length > 0) keep(this.#ports, node, withoutOnce(this.ports(node), info.hostPorts))
    if (info.hasVolumes) keep(this.#volumePods, node, withoutOnce(this.volumePods(node), [info]))
    return placed
  }

  #count(info: PodInfo, node: number, sign: 1 | -1): void {
    const { columns } = this
    for (const resource in info.requests) {
      const amounts = this.#writable(resource)
      amounts[node] = (amounts[node] ?? 0) + sign * (info.requests[resource] ?? 0)
    }
    columns.nonZeroMilliCpu[node] = (columns.nonZeroMilliCpu[node] ?? 0) + sign * info.nonZeroMilliCpu
    columns.nonZeroMemory[node] = (columns.nonZeroMemory[node] ?? 0) + sign * info.nonZeroMemory
    columns.pods[node] = (columns.pods[node] ?? 0) + sign
    addCount(this.#countsOf(info.podClass.id), node, sign)
    if (!info.hasVolumes) return
    for (const volume of info.pod.object.spec.volumes ?? []) {
      const claim = volume.persistentVolumeClaim?.claimName
      if (claim !== undefined) addCount(this.#claimUsers, `${info.pod.namespace}/${claim}`, sign)
    }
  }

  #countsOf(id: number): Map<number, number> {
    const known = this.#classCounts[id]
    if (known !== undefined && this.#ownCounts.has(id)) return known
    const counts = new Map(known)
    this.#classCounts[id] = counts
    this.#ownCounts.add(id)
    return counts
  }

  #writable(resource: string): Float64Array {
    if (resource === 'cpu' || resource === 'memory' || resource === 'ephemeral-storage') return this.requested(resource)
    const known = this.#scalars.get(resource)
    if (known !== undefined) return known
    const made = new Float64Array(this.#size)
    this.#scalars.set(resource, made)
    return made
  }
}

function addCount<Key>(counts: Map<Key, number>, key: Key, change: number): void {
  const count = (counts.get(key) ?? 0) + change
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}

function keep<Item>(lists: Map<number, readonly Item[]>, node: number, items: readonly Item[]): void {
  if (items.length === 0) lists.delete(node)
  else lists.set(node, items)
}

/** `items` less one of each of `gone`. */
function withoutOnce<Item>(items: readonly Item[], gone: readonly Item[]): readonly Item[] {
  const left = items.slice()
  for (const item of gone) {
    const at = left.indexOf(item)
    if (at >= 0) left.splice(at, 1)
  }
  return left
}
