// The NUMA nodes of the machine, as the kernel tells of them in sysfs.

import { formatQuantity, parseQuantity, wholeValue } from '#kube/values/quantity.ts'
import type { HostTree } from '#machines/host-tree.ts'

export interface NumaNode {
  readonly id: number
  /** Numbers of its processors that are online. */
  readonly cpus: readonly number[]
  /** From this node to each node, by id; empty where the kernel does not say. */
  readonly distances: ReadonlyMap<number, number>
  /** Bytes of `memory` and of each size of huge pages, `hugepages-2Mi`. */
  readonly memory: ReadonlyMap<string, number>
}

const directory = 'sys/devices/system/node'
/** A range in a list of processors is no longer: a kernel knows 8,192. */
const mostCpus = 65_536

type Tell = (what: string, about: object) => void

/** In the order of their numbers; none where the kernel knows none. What cannot be read is told and left out. */
export function numaNodes(tree: HostTree, tell: Tell): readonly NumaNode[] {
  const names = tree.names(tree.host(directory)) ?? []
  const ids = names.flatMap(name => (/^node[0-9]{1,5}$/.test(name) ? [Number(name.slice(4))] : [])).sort((a, b) => a - b)
  return ids.map(id => {
    const path = tree.host(`${directory}/node${id}`)
    return {
      id,
      cpus: cpusIn(tree.text(`${path}/cpulist`), path, tell),
      distances: distancesIn(tree.text(`${path}/distance`), { ids, path, tell }),
      memory: memoryOf(tree, path, tell),
    }
  })
}

function cpusIn(text: string | undefined, path: string, tell: Tell): readonly number[] {
  const cpus = text === undefined ? undefined : cpuNumbers(text)
  if (cpus === undefined) tell('the processors of a NUMA node cannot be read', { path })
  return cpus ?? []
}

/** `0-3,8` as numbers; undefined where it is no such list. */
function cpuNumbers(text: string): readonly number[] | undefined {
  const numbers: number[] = []
  for (const part of text.split(',').filter(piece => piece !== '')) {
    const [, first, last = first] = /^([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(part.trim()) ?? []
    if (first === undefined || Number(last) - Number(first) >= mostCpus || numbers.length >= mostCpus) return undefined
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number)
  }
  return numbers
}

interface Around {
  readonly ids: readonly number[]
  readonly path: string
  readonly tell: Tell
}

/** The kernel writes one number for each node that is online, in their order: numbers of nodes may have holes. */
function distancesIn(text: string | undefined, { ids, path, tell }: Around): ReadonlyMap<number, number> {
  const distances = (text ?? '').split(/\s+/).filter(piece => piece !== '')
  if (distances.length !== ids.length || !distances.every(distance => /^[0-9]{1,5}$/.test(distance))) {
    tell('the distances of a NUMA node cannot be read', { path })
    return new Map()
  }
  return new Map(ids.map((id, at) => [id, Number(distances[at])]))
}

function memoryOf(tree: HostTree, path: string, tell: Tell): ReadonlyMap<string, number> {
  const memory = new Map<string, number>()
  const [, kibibytes] = /MemTotal:\s*([0-9]{1,15})\s*kB/.exec(tree.text(`${path}/meminfo`) ?? '') ?? []
  if (kibibytes === undefined) tell('the memory of a NUMA node cannot be read', { path })
  else setWhole(memory, 'memory', Number(kibibytes) * 1024)
  for (const name of tree.names(`${path}/hugepages`) ?? []) {
    const size = parseQuantity(`${name.replace(/^hugepages-/, '').replace(/kB$/, '')}Ki`)
    const pages = tree.text(`${path}/hugepages/${name}/nr_hugepages`)
    if (!size.ok || pages === undefined || !/^[0-9]{1,15}$/.test(pages)) {
      tell('huge pages of a NUMA node cannot be counted', { path, name })
      continue
    }
    setWhole(memory, `hugepages-${formatQuantity(size.value)}`, Number(pages) * Number(wholeValue(size.value)))
  }
  return memory
}

function setWhole(memory: Map<string, number>, name: string, bytes: number): void {
  if (Number.isSafeInteger(bytes)) memory.set(name, bytes)
}

/** The processors of each kind, where there are several: `cpu_core` and `cpu_atom` with their lists, as the kernel writes them. */
export function kindsOfCores(tree: HostTree): readonly (readonly [string, string])[] {
  const devices = 'sys/devices'
  return (tree.names(tree.host(devices)) ?? [])
    .filter(name => name.startsWith('cpu_'))
    .flatMap(name => {
      const cpus = tree.text(tree.host(`${devices}/${name}/cpus`))
      return cpus === undefined ? [] : [[name, cpus] as const]
    })
}
