// Memory: NUMA nodes, swap, persistent memory, huge pages.

import { formatQuantity, parseQuantity } from '#kube/values/quantity.ts'
import type { FeatureSet } from '../matching/feature-set.ts'
import { attributesOf, Found, type Labels, type Machine, wholeNumber } from './source.ts'

export function discoverMemory({ tree, tell }: Machine): FeatureSet {
  const found = new Found('memory')
  const nodes = tree.names(tree.host('sys/bus/node/devices'))
  if (nodes === undefined) tell('NUMA nodes cannot be listed', { path: 'sys/bus/node/devices' })
  else
    found.attributes('numa', [
      ['is_numa', String(nodes.length > 1)],
      ['node_count', String(nodes.length)],
    ])
  const swaps = tree.rawText(tree.host('proc/swaps'))
  if (swaps === undefined) tell('swap cannot be read', { path: 'proc/swaps' })
  // The first line is a heading.
  else found.attributes('swap', [['enabled', String(swaps.split('\n').filter(line => line.trim() !== '').length > 1)]])
  found.instances('nv', persistentMemory({ tree }))
  found.attributes('hugepages', hugePages({ tree, tell }))
  return found.features
}

export function memoryLabels(features: FeatureSet): Labels {
  const labels = new Map<string, string>()
  if (attributesOf(features, 'memory.numa').get('is_numa') === 'true') labels.set('numa', 'true')
  if (attributesOf(features, 'memory.swap').get('enabled') === 'true') labels.set('swap', 'true')
  const devices = features.instances.get('memory.nv') ?? []
  if (devices.length > 0) labels.set('nv.present', 'true')
  if (devices.some(device => device.get('devtype') === 'nd_dax')) labels.set('nv.dax', 'true')
  return labels
}

function persistentMemory({ tree }: Pick<Machine, 'tree'>): readonly ReadonlyMap<string, string>[] {
  const directory = tree.host('sys/bus/nd/devices')
  return (tree.names(directory) ?? []).map(name => {
    const device = new Map([['name', name]])
    for (const attribute of ['devtype', 'mode']) {
      const value = tree.text(`${directory}/${name}/${attribute}`)
      if (value !== undefined) device.set(attribute, value)
    }
    return device
  })
}

function hugePages({ tree, tell }: Pick<Machine, 'tree' | 'tell'>): ReadonlyMap<string, string> {
  const directory = tree.host('sys/kernel/mm/hugepages')
  const pages = new Map([['enabled', 'false']])
  for (const name of tree.names(directory) ?? []) {
    if (!tree.isDirectory(`${directory}/${name}`)) continue
    const size = parseQuantity(`${name.replace(/^hugepages-/, '').replace(/[kB]+$/, '')}Ki`)
    if (!size.ok) {
      tell('a size of huge pages cannot be read', { name })
      continue
    }
    const count = tree.text(`${directory}/${name}/nr_hugepages`)
    if (count === undefined) tell('huge pages cannot be counted', { name })
    pages.set(`hugepages-${formatQuantity(size.value)}`, count ?? '')
    if ((wholeNumber(count ?? '') ?? 0) > 0) pages.set('enabled', 'true')
  }
  return pages
}
