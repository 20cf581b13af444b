// The zones of a node: what there is at each NUMA node, what pods may have of it, and what is left. A function of what kubelet, kernel and API server said.

import { formatQuantity, wholeQuantity } from '#kube/values/quantity.ts'
import type { NumaNode } from './numa-nodes.ts'
import type { Allocatable, HeldByPod, HeldDevices, HeldMemory } from './pod-resources-api.ts'

/** What a pod holds, and what of it counts. */
export interface CountedPod {
  readonly held: HeldByPod
  /** Its processors are its own: it is Guaranteed, and a container asks for whole ones. */
  readonly hasOwnCpus: boolean
}

interface ResourceInfo {
  readonly name: string
  readonly capacity: string
  readonly allocatable: string
  readonly available: string
}

interface Zone {
  readonly name: string
  readonly type: 'Node'
  readonly costs?: readonly { readonly name: string; readonly value: number }[]
  readonly resources: readonly ResourceInfo[]
}

interface Given {
  readonly nodes: readonly NumaNode[]
  readonly allocatable: Allocatable
  /** Those alone that count. */
  readonly pods: readonly CountedPod[]
  /** Resources that are left out. */
  readonly excluded: ReadonlySet<string>
}

interface Zones {
  readonly zones: readonly Zone[]
  /** What was left out because it makes no sense, each sentence once. */
  readonly problems: readonly string[]
}

interface Amount {
  readonly allocatable: number
  capacity: number
  available: number
}

/** By resource. */
type Amounts = Map<string, Amount>

const cpu = 'cpu'
const zoneName = (id: number) => `node-${id}`
const isMemory = (resource: string) => resource === 'memory' || resource.startsWith('hugepages-')

/** A zone for each NUMA node, in their order, with its resources by name. */
export function zonesOf(given: Given): Zones {
  const problems = new Set<string>()
  const counting = new Counting(given, why => void problems.add(why))
  for (const pod of given.pods) counting.take(pod)
  const zones = given.nodes.map(({ id, distances }): Zone => {
    const costs = Array.from(distances, ([to, value]) => ({ name: zoneName(to), value }))
    const resources = [...counting.amountsAt(id)]
      .filter(([name]) => !given.excluded.has(name))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, { capacity, allocatable, available }]) => ({
        name,
        capacity: decimal(capacity),
        allocatable: decimal(allocatable),
        available: decimal(available),
      }))
    return { name: zoneName(id), type: 'Node', ...(costs.length === 0 ? {} : { costs }), resources }
  })
  return { zones, problems: [...problems] }
}

const decimal = (value: number) => formatQuantity(wholeQuantity(value))

class Counting {
  readonly #tell: (why: string) => void
  readonly #amounts: ReadonlyMap<number, Amounts>
  /** At which nodes a device or processor was counted, by resource and name: it is missing at each of them while a pod holds it. */
  readonly #places = new Map<string, Map<string, readonly number[]>>()
  /** Containers of one pod may hold the same thing one after the other. */
  readonly #taken = new Map<string, Set<string>>()

  constructor({ nodes, allocatable, excluded }: Given, tell: (why: string) => void) {
    this.#tell = tell
    const sums = new Map(nodes.map(({ id }) => [id, new Map<string, number>()]))
    const add = (id: number, resource: string, amount: number) => {
      const sum = sums.get(id)
      sum?.set(resource, (sum.get(resource) ?? 0) + amount)
    }
    const known = new Set(sums.keys())
    const nodeOfCpu = new Map(nodes.flatMap(({ id, cpus }) => cpus.map(one => [String(one), id] as const)))
    for (const device of allocatable.devices) this.#place(this.#judged(device), known, add)
    for (const one of new Set(allocatable.cpuIds.map(String))) {
      const id = nodeOfCpu.get(one)
      if (id === undefined) tell(`processor ${one} is at no NUMA node`)
      else this.#place({ resourceName: cpu, deviceIds: [one], topology: { nodes: [{ id }] } }, known, add)
    }
    for (const memory of allocatable.memory) {
      if (!this.#isWhole(memory)) continue
      for (const id of this.#nodesOf(memory, known)) add(id, memory.memoryType, memory.size)
    }
    this.#amounts = new Map(
      nodes.map(node => {
        const ofNode = new Map([...(sums.get(node.id) ?? [])].filter(([resource]) => !excluded.has(resource)))
        return [node.id, this.#start(node, ofNode)]
      }),
    )
  }

  amountsAt(id: number): Amounts {
    return this.#amounts.get(id) ?? new Map()
  }

  /** Counts what a pod holds as gone. */
  take({ held, hasOwnCpus }: CountedPod): void {
    for (const { cpuIds, devices, memory } of held.containers) {
      if (hasOwnCpus) for (const id of cpuIds) this.#takeOne(cpu, String(id))
      for (const { resourceName, deviceIds } of devices) for (const id of deviceIds) this.#takeOne(resourceName, id)
      for (const block of memory) if (this.#isWhole(block)) this.#takeMemory(block)
    }
  }

  #start({ id, cpus, memory }: NumaNode, allocatable: ReadonlyMap<string, number>): Amounts {
    const places = this.#places.get(cpu)
    const reserved = cpus.filter(one => places?.get(String(one))?.includes(id) !== true).length
    // Where pods may have nothing all processors are reserved: the zone says so, and says nothing else.
    if (allocatable.size === 0) return new Map([[cpu, { allocatable: 0, available: 0, capacity: reserved }]])
    return new Map(
      Array.from(allocatable, ([resource, amount]) => {
        const whole = isMemory(resource) ? (memory.get(resource) ?? amount) : amount
        const capacity = resource === cpu ? amount + reserved : whole
        return [resource, { allocatable: amount, available: amount, capacity }]
      }),
    )
  }

  /** Without what is no device. */
  #judged({ resourceName, deviceIds, topology }: HeldDevices): HeldDevices {
    if (resourceName !== '' && resourceName !== cpu) return { resourceName, deviceIds, topology }
    this.#tell(`devices of the resource ${JSON.stringify(resourceName)} are none`)
    return { resourceName, deviceIds: [], topology }
  }

  #place(devices: HeldDevices, known: ReadonlySet<number>, add: (id: number, resource: string, amount: number) => void): void {
    const { resourceName, deviceIds } = devices
    if (deviceIds.length === 0) return
    const places = this.#places.get(resourceName) ?? new Map<string, readonly number[]>()
    this.#places.set(resourceName, places)
    const nodes = this.#nodesOf(devices, known)
    for (const device of deviceIds) {
      // Some kubelets name a device once for each of its nodes.
      const before = places.get(device) ?? []
      const more = nodes.filter(id => !before.includes(id))
      places.set(device, [...before, ...more])
      for (const id of more) add(id, resourceName, 1)
    }
  }

  /** Each once, in the order in which the kubelet has them. */
  #nodesOf(
    { topology }: Pick<HeldDevices, 'topology'>,
    known: Pick<ReadonlySet<number>, 'has'> = this.#amounts,
  ): readonly number[] {
    const ids = [...new Set((topology?.nodes ?? []).map(({ id }) => id))]
    for (const id of ids) if (!known.has(id)) this.#tell(`the kernel knows no NUMA node ${id}`)
    return ids.filter(id => known.has(id))
  }

  #isWhole({ memoryType, size }: HeldMemory): boolean {
    if (isMemory(memoryType) && Number.isSafeInteger(size) && size >= 0) return true
    this.#tell(`${size} bytes of ${JSON.stringify(memoryType)} are no memory`)
    return false
  }

  #takeOne(resource: string, name: string): void {
    const taken = this.#taken.get(resource) ?? new Set<string>()
    this.#taken.set(resource, taken)
    if (taken.has(name)) return
    taken.add(name)
    const places = this.#places.get(resource)?.get(name)
    // A device that no pod may have any more is held until its pod ends: it is missing nowhere.
    if (places === undefined) this.#tell(`${resource} ${JSON.stringify(name)} is held and not to be had`)
    for (const id of places ?? []) {
      const amount = this.#amounts.get(id)?.get(resource)
      if (amount !== undefined) amount.available -= 1
    }
  }

  /** The kubelet fills one node after the other, in this order. */
  #takeMemory(block: HeldMemory): void {
    let rest = block.size
    for (const id of this.#nodesOf(block)) {
      const amount = this.#amounts.get(id)?.get(block.memoryType)
      if (amount === undefined) continue
      const here = Math.min(rest, amount.available)
      amount.available -= here
      rest -= here
    }
    if (rest > 0 && rest < block.size) this.#tell(`pods hold more of ${block.memoryType} than there is`)
  }
}
