// Pools of devices as one node sees them. Rules of dynamic-resource-allocation's structured allocator, 0.34 and 0.36.

import type { Node, NodeSelector } from '#kube/objects/objects.ts'
import type { SchedulerVersion } from '../scheduler-settings.ts'
import { nodeSelectorTest } from '../scheduling/node-selector.ts'
import type { Device, ResourceSlice } from './device-shapes.ts'

/** What feature gates at their defaults make of a version. */
export interface DeviceFeatures {
  /** Shared counters, and devices with nodes of their own. */
  readonly partitions: boolean
  readonly taints: boolean
  /** Devices that several requests share by their capacity. */
  readonly consumableCapacity: boolean
  /** Devices that are bound to a node only once a driver says so. */
  readonly bindingConditions: boolean
  /** A pool that is being written gives no devices. Before, it gave those that were there already. */
  readonly waitsForPools: boolean
  /** Nodes get more points where an earlier alternative was found. */
  readonly scores: boolean
}

export function deviceFeatures(version: SchedulerVersion): DeviceFeatures {
  const isLater = version !== '1.34'
  return {
    partitions: isLater,
    taints: isLater,
    consumableCapacity: isLater,
    bindingConditions: isLater,
    waitsForPools: isLater,
    scores: isLater,
  }
}

export interface DevicePool {
  /** `driver/pool`. */
  readonly id: string
  readonly driver: string
  readonly name: string
  readonly isIncomplete: boolean
  /** Why nothing of it can be given; `undefined` where it can. */
  readonly invalidReason: string | undefined
  /** With devices for the node, in order of name. */
  readonly slices: readonly ResourceSlice[]
  /** With devices for other nodes: they may use the same counters. */
  readonly otherSlices: readonly ResourceSlice[]
  readonly counterSets: ReadonlyMap<string, Readonly<Record<string, { readonly value: string | number }>>>
}

interface Placing {
  readonly nodeName?: string
  readonly allNodes?: boolean
  readonly nodeSelector?: NodeSelector
}

/** Whether a slice, or a device that says so itself, is for `node`. */
export function isForNode({ nodeName, allNodes, nodeSelector }: Placing, node: Node): boolean {
  if (nodeName) return nodeName === node.metadata.name
  if (allNodes === true) return true
  return nodeSelector !== undefined && nodeSelectorTest(nodeSelector)(node)
}

/** The slices of one pool. */
interface PoolSlices {
  /** `driver/pool`. */
  readonly id: string
  readonly slices: readonly ResourceSlice[]
}

/** All slices by pool, and the pools by the only node that they have devices for: most drivers write one pool a node. */
export class PoolIndex {
  readonly #ofNode = new Map<string, PoolSlices[]>()
  readonly #ofSeveral: PoolSlices[] = []

  constructor(slices: readonly ResourceSlice[]) {
    const sorted = slices.toSorted((a, b) => compare(a.metadata.name, b.metadata.name))
    for (const [id, own] of Map.groupBy(sorted, slice => `${slice.spec.driver}/${slice.spec.pool.name}`)) {
      const nodes = new Set(own.map(({ spec }) => spec.nodeName ?? ''))
      const [only = ''] = nodes
      if (nodes.size > 1 || only === '') this.#ofSeveral.push({ id, slices: own })
      else this.#ofNode.set(only, [...(this.#ofNode.get(only) ?? []), { id, slices: own }])
    }
  }

  /** Those that may have something for a node of that name, in the order in which they are searched: by driver, then by pool. */
  of(node: string): readonly PoolSlices[] {
    const all = [...(this.#ofNode.get(node) ?? []), ...this.#ofSeveral]
    return all.sort((a, b) => poolOrder(a.slices[0], b.slices[0]))
  }
}

function poolOrder(a: ResourceSlice | undefined, b: ResourceSlice | undefined): number {
  if (a === undefined || b === undefined) return 0
  return compare(a.spec.driver, b.spec.driver) || compare(a.spec.pool.name, b.spec.pool.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The pools that have something for `node`, in the order in which they are searched. */
export function poolsFor(node: Node, index: PoolIndex, features: DeviceFeatures): readonly DevicePool[] {
  return index.of(node.metadata.name).flatMap(({ id, slices }) => {
    const pool = poolFor(node, id, { slices, features })
    return pool === undefined ? [] : [pool]
  })
}

interface PoolParts {
  readonly slices: readonly ResourceSlice[]
  readonly features: DeviceFeatures
}

function poolFor(node: Node, id: string, { slices, features }: PoolParts): DevicePool | undefined {
  const relevant = slices.filter(slice => isRelevant(slice, node, features))
  const newest = relevant.reduce((most, slice) => Math.max(most, slice.spec.pool.generation), Number.NEGATIVE_INFINITY)
  const own = relevant.filter(slice => slice.spec.pool.generation === newest)
  const [first] = own
  if (first === undefined) return undefined
  const { driver } = first.spec
  const { name, resourceSliceCount: count } = first.spec.pool
  const base = { id, driver, name, invalidReason: undefined, slices: [], otherSlices: [], counterSets: new Map() }
  if (!features.waitsForPools)
    return { ...base, isIncomplete: own.length !== count, invalidReason: nameProblem(own), slices: own }
  if (own.length === count) return builtPool({ ...base, isIncomplete: false }, own, [])
  // A newer generation has nothing for this node: what is left of the old one is gone soon.
  if (slices.some(slice => slice.spec.pool.generation > newest)) return undefined
  const all = slices.filter(slice => slice.spec.pool.generation === newest)
  if (all.length !== count) return { ...base, isIncomplete: true }
  return builtPool(
    { ...base, isIncomplete: false },
    own,
    all.filter(slice => !own.includes(slice)),
  )
}

function isRelevant({ spec }: ResourceSlice, node: Node, features: DeviceFeatures): boolean {
  const hasCounters = (spec.sharedCounters ?? []).length > 0
  if (!features.partitions && (spec.perDeviceNodeSelection !== undefined || hasCounters)) return false
  if (hasCounters) return true
  if (spec.nodeName || spec.allNodes === true || spec.nodeSelector !== undefined) return isForNode(spec, node)
  return spec.perDeviceNodeSelection === true && (spec.devices ?? []).some(device => isForNode(device, node))
}

function builtPool(base: DevicePool, own: readonly ResourceSlice[], others: readonly ResourceSlice[]): DevicePool {
  const withCounters = own.filter(slice => (slice.spec.sharedCounters ?? []).length > 0)
  const slices = own.filter(slice => !withCounters.includes(slice))
  const counterSets = new Map<string, Readonly<Record<string, { readonly value: string | number }>>>()
  let invalidReason = nameProblem(slices)
  for (const { name, counters } of withCounters.flatMap(slice => slice.spec.sharedCounters ?? [])) {
    if (counterSets.has(name)) invalidReason ??= `duplicate counter set name ${name}`
    counterSets.set(name, counters ?? {})
  }
  invalidReason ??= counterProblem([...own, ...others], counterSets)
  return { ...base, invalidReason, slices, otherSlices: others, counterSets }
}

function nameProblem(slices: readonly ResourceSlice[]): string | undefined {
  const names = new Set<string>()
  for (const { name } of devicesOf(slices)) {
    if (names.has(name)) return `duplicate device name ${name}`
    names.add(name)
  }
  return undefined
}

function counterProblem(slices: readonly ResourceSlice[], sets: DevicePool['counterSets']): string | undefined {
  for (const device of devicesOf(slices)) {
    for (const { counterSet, counters } of device.consumesCounters ?? []) {
      const set = sets.get(counterSet)
      if (set === undefined) return `counter set ${counterSet} not found`
      const unknown = Object.keys(counters ?? {}).find(counter => !Object.hasOwn(set, counter))
      if (unknown !== undefined) return `counter ${unknown} not found in counter set ${counterSet}`
    }
  }
  return undefined
}

function devicesOf(slices: readonly ResourceSlice[]): readonly Device[] {
  return slices.flatMap(slice => slice.spec.devices ?? [])
}
