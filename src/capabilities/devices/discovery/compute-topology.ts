// What AMD's compute driver (KFD) says of its nodes: which of them are GPUs, and what lies between each two.

import type { HostTree } from '#machines/host-tree.ts'

export interface ComputeNode {
  /** Its number among the nodes. */
  readonly number: number
  /** The minor number of its file `renderD<M>`; 0 or less for processors. */
  readonly renderMinor: number
  /** Domain, bus and device, as text: partitions of one GPU share it. */
  readonly location: string
  readonly isGpu: boolean
  /** Kinds of links to other nodes, by their numbers. */
  readonly links: ReadonlyMap<number, number>
}

const mostNodes = 1_024

/** The nodes of a machine, in no order; none where there is no such driver. */
export function computeNodes(tree: HostTree): readonly ComputeNode[] {
  const directory = tree.host('sys/class/kfd/kfd/topology/nodes')
  return (tree.names(directory) ?? [])
    .filter(name => /^[0-9]+$/.test(name))
    .slice(0, mostNodes)
    .flatMap(name => {
      const properties = propertiesOf(tree, `${directory}/${name}/properties`)
      if (properties === undefined) return []
      const place = properties.get('location_id') ?? 0
      const location = `${properties.get('domain') ?? 0}:${(place >> 8) & 0xff}:${(place >> 3) & 0x1f}`
      return {
        number: Number(name),
        renderMinor: properties.get('drm_render_minor') ?? 0,
        location,
        isGpu: (properties.get('cpu_cores_count') ?? 0) === 0 && (properties.get('gfx_target_version') ?? 0) > 0,
        links: linksOf(tree, `${directory}/${name}`),
      }
    })
}

function linksOf(tree: HostTree, directory: string): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  for (const kind of ['io_links', 'p2p_links'])
    for (const name of (tree.names(`${directory}/${kind}`) ?? []).slice(0, mostNodes)) {
      const link = propertiesOf(tree, `${directory}/${kind}/${name}/properties`)
      const to = link?.get('node_to')
      if (to !== undefined) found.set(to, link?.get('type') ?? 0)
    }
  return found
}

/** Lines such as `drm_render_minor 128`. */
export function propertiesOf(tree: HostTree, path: string): ReadonlyMap<string, number> | undefined {
  const text = tree.text(path)
  if (text === undefined) return undefined
  return new Map(
    text.split('\n').flatMap((line): readonly [string, number][] => {
      const [, key = '', value = ''] = /^(\w+)\s+(-?\d+)\s*$/.exec(line) ?? []
      return key === '' ? [] : [[key, Number(value)]]
    }),
  )
}
