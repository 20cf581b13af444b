// The NUMA node of a device: asked of the nearest device above it that says one, and doubted where nobody says which processors are near.

import { dirname } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'

/** From a device in sysfs to the root there are few. */
const mostParents = 32

/**
 * In rising order; empty where the kernel says none (-1), or cannot be asked.
 * @param directories places in sysfs, as this process sees them
 */
export function numaNodes(tree: HostTree, directories: readonly string[]): readonly number[] {
  const top = tree.resolved(tree.host('sys/devices'))
  const found = new Set<number>()
  for (const directory of directories) {
    const place = tree.resolved(directory)
    if (top === undefined || place === undefined) return []
    const { node } = nearest(tree, { top, place, left: mostParents })
    if (node !== undefined) found.add(node)
  }
  return [...found].sort((left, right) => left - right)
}

interface Said {
  readonly node?: number
  /** Processors beside the device, as the kernel lists them. */
  readonly near: string
}

/** A number without a list of processors is that of a socket, as some firmware has it: the devices above are asked, else it counts for nothing. */
function nearest(tree: HostTree, { top, place, left }: { top: string; place: string; left: number }): Said {
  if (left === 0 || !place.startsWith(`${top}/`)) return { near: '' }
  const above = () => nearest(tree, { top, place: dirname(place), left: left - 1 })
  const near = tree.text(`${place}/local_cpulist`) ?? ''
  const node = numberOf(tree.text(`${place}/numa_node`))
  if (node === undefined) return near === '' ? above() : { near }
  if (near !== '') return { node, near }
  const parent = above()
  return parent.near === '' ? { near: '' } : { node: parent.node ?? node, near: parent.near }
}

const numberOf = (said: string | undefined): number | undefined =>
  said !== undefined && /^\d{1,6}$/.test(said) ? Number(said) : undefined
