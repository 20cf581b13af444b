// GPUs of AMD and their partitions, by its driver's list and the compute driver's.

import { basename } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'
import type { DevicesConfig } from '../config.ts'
import { amdDomain } from '../names.ts'
import type { ComputeNode } from './compute-topology.ts'
import { byNumber, type DeviceNode, type Found, type FoundDevice, type PassedOver } from './found-device.ts'
import { deviceNode } from './intel-gpu.ts'

const driverDirectory = 'sys/module/amdgpu/drivers/pci:amdgpu'
const partitionDirectory = 'sys/devices/platform'
const wholeResource = `${amdDomain}/gpu`

interface Candidate {
  readonly id: string
  readonly directory: string
  readonly numa: number
  /** `spx_nps1`; empty where the device knows no partitions. */
  readonly style: string
  readonly location: string | undefined
  readonly nodes: readonly DeviceNode[]
}

export function amdGpus(tree: HostTree, config: DevicesConfig['amd'], compute: readonly ComputeNode[]): Found {
  const passedOver: PassedOver[] = []
  const addresses = (tree.names(tree.host(driverDirectory)) ?? []).filter(name => /^[0-9a-fA-F]{4}:/.test(name))
  if (addresses.length === 0) return { devices: [], passedOver }
  const hasCompute = tree.exists(tree.host('sys/class/kfd'))
  if (config.requireKfd && !hasCompute)
    return {
      devices: [],
      passedOver: addresses.map(id => ({ id, reason: 'the kernel has no compute driver (/sys/class/kfd), see amd.requireKfd' })),
    }
  const byMinor = new Map(compute.filter(({ renderMinor }) => renderMinor > 0).map(node => [node.renderMinor, node]))
  const found: Candidate[] = []
  for (const id of [...addresses].sort(byNumber)) {
    const directory = tree.host(`${driverDirectory}/${id}`)
    const numa = /^-?\d+$/.exec(tree.text(`${directory}/numa_node`) ?? '')?.[0]
    const nodes = filesOf(tree, directory)
    if (numa === undefined) passedOver.push({ id, reason: 'its numa_node cannot be read' })
    else if (nodes.length === 0) passedOver.push({ id, reason: 'it has no file in /dev/dri' })
    else
      found.push({
        id,
        directory,
        numa: Number(numa),
        style: styleOf(tree, directory),
        location: minorOf(nodes, byMinor)?.location,
        nodes,
      })
  }
  const partitions = (tree.names(tree.host(partitionDirectory)) ?? []).filter(name => name.startsWith('amdgpu_xcp_'))
  for (const id of [...partitions].sort(byNumber)) {
    const directory = tree.host(`${partitionDirectory}/${id}`)
    const nodes = filesOf(tree, directory)
    const node = minorOf(nodes, byMinor)
    const whole = found.find(({ location, style }) => style !== '' && location !== undefined && location === node?.location)
    if (node === undefined) passedOver.push({ id, reason: 'the compute driver does not know it' })
    else if (whole === undefined || whole.numa === -1)
      passedOver.push({ id, reason: 'no GPU whose NUMA node is known is partitioned into it' })
    else found.push({ id, directory, numa: whole.numa, style: whole.style, location: node.location, nodes })
  }
  const styles = new Set(found.map(({ style }) => style).filter(style => style !== ''))
  if (config.resourceNamingStrategy === 'single' && styles.size > 1)
    return {
      devices: [],
      passedOver: [
        ...passedOver,
        ...found.map(({ id, style }) => ({
          id,
          reason: `partitions differ (${[...styles].sort().join(', ')}; this one: ${style || 'none'}), which needs resourceNamingStrategy mixed`,
        })),
      ],
    }
  const common = deviceNode(tree, 'kfd')
  const devices = found.map((candidate): FoundDevice => deviceOf(tree, candidate, config, hasCompute ? common : undefined))
  return { devices, passedOver }
}

function deviceOf(
  tree: HostTree,
  candidate: Candidate,
  config: DevicesConfig['amd'],
  common: DeviceNode | undefined,
): FoundDevice {
  const { id, directory, numa, style, nodes } = candidate
  const isMixed = config.resourceNamingStrategy === 'mixed' && style !== ''
  return {
    id,
    resource: isMixed ? `${amdDomain}/${style}` : wholeResource,
    address: id,
    pciId: tree.text(`${directory}/device`) ?? '',
    vendor: 'amd',
    kind: 'gpu',
    driver: 'amdgpu',
    nodes: common === undefined ? nodes : [common, ...nodes],
    mounts: [],
    numaNodes: numa < 0 ? [] : [numa],
    directory,
    shares: config.sharedDevNum,
  }
}

function styleOf(tree: HostTree, directory: string): string {
  const read = (name: string) => (tree.text(`${directory}/${name}`) ?? '').toLowerCase()
  const compute = read('current_compute_partition')
  const memory = read('current_memory_partition')
  return compute === '' || memory === '' ? '' : `${compute}_${memory}`
}

function filesOf(tree: HostTree, directory: string): readonly DeviceNode[] {
  return (tree.names(`${directory}/drm`) ?? [])
    .filter(name => /^(card|renderD)\d+$/.test(name))
    .flatMap(name => deviceNode(tree, `dri/${name}`) ?? [])
}

function minorOf(nodes: readonly DeviceNode[], byMinor: ReadonlyMap<number, ComputeNode>): ComputeNode | undefined {
  for (const { path } of nodes) {
    const minor = /^renderD(\d+)$/.exec(basename(path))?.[1]
    const node = minor === undefined ? undefined : byMinor.get(Number(minor))
    if (node !== undefined) return node
  }
  return undefined
}
