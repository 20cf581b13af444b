// What the kernel says of AMD's GPUs beyond what a container needs: for the labels of a node. Nothing is asked of a driver by its own calls: files say it.

import { basename } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'
import { devicesConfiguration } from '../config.ts'
import { amdGpus } from '../discovery/amd-gpu.ts'
import { computeNodes, propertiesOf } from '../discovery/compute-topology.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import { amdDomain } from '../names.ts'

/** One GPU, or one partition of it. What nobody says is undefined. */
export interface GpuFacts {
  /** `73bf`. */
  readonly deviceId: string | undefined
  readonly productName: string | undefined
  readonly driverVersion: string | undefined
  readonly driverSourceVersion: string | undefined
  readonly vramBytes: number | undefined
  readonly simdCount: number | undefined
  readonly simdPerCu: number | undefined
  /** `90402` is gfx942. */
  readonly gfxVersion: number | undefined
  /** `spx_nps1`. */
  readonly style: string | undefined
  /** By parts of the card, such as `MEC`. */
  readonly firmware: ReadonlyMap<string, number>
}

export interface NodeGpus {
  readonly gpus: readonly GpuFacts[]
  readonly canPartitionCompute: boolean
  readonly canPartitionMemory: boolean
}

/** Parts whose firmware upstream tells, by their files. */
const firmwareFiles: Readonly<Record<string, string>> = {
  VCE: 'vce',
  UVD: 'uvd',
  MC: 'mc',
  ME: 'me',
  PFP: 'pfp',
  CE: 'ce',
  RLC: 'rlc',
  MEC: 'mec',
  SMC: 'smc',
  SDMA0: 'sdma',
}
/** Names of cards by their ids, as the user's part of the driver has them. */
const marketingNames = 'usr/share/libdrm/amdgpu.ids'

/** All of them, partitions too; none where the driver has no device. */
export function gpusOfNode(tree: HostTree): NodeGpus {
  // Nothing is left out for how it would be offered.
  const { amd } = devicesConfiguration.parse({ amd: { requireKfd: false, resourceNamingStrategy: 'mixed' } })
  const compute = computeNodes(tree)
  const numbers = new Map(compute.map(({ renderMinor, number }) => [renderMinor, number]))
  const { devices } = amdGpus(tree, amd, compute)
  const names = devices.some(({ directory }) => productName(tree, directory) === undefined)
    ? namesById(tree)
    : new Map<string, string>()
  const [first] = devices.filter(({ id }) => !id.startsWith('amdgpu_xcp_'))
  const isThere = (name: string) => first !== undefined && tree.exists(`${first.directory}/${name}`)
  return {
    gpus: devices.map(device => factsOf(tree, device, numbers.get(numberIn(device, 'renderD') ?? -1), names)),
    canPartitionCompute: isThere('available_compute_partition'),
    canPartitionMemory: isThere('available_memory_partition'),
  }
}

function factsOf(tree: HostTree, device: FoundDevice, node: number | undefined, names: ReadonlyMap<string, string>): GpuFacts {
  const { directory, resource } = device
  const place = `${tree.host('sys/class/kfd/kfd/topology/nodes')}/${node}`
  const properties = node === undefined ? undefined : propertiesOf(tree, `${place}/properties`)
  const bank = node === undefined ? undefined : propertiesOf(tree, `${place}/mem_banks/0/properties`)
  const deviceId = tree.text(`${directory}/device`)?.replace(/^0x/, '')
  const revision = tree.text(`${directory}/revision`)?.replace(/^0x/, '')
  const style = resource === `${amdDomain}/gpu` ? undefined : resource.slice(amdDomain.length + 1)
  return {
    deviceId,
    productName: productName(tree, directory) ?? names.get(`${deviceId} ${revision}`.toUpperCase()),
    driverVersion: tree.text(`${directory}/driver/module/version`),
    driverSourceVersion: tree.text(`${directory}/driver/module/srcversion`),
    vramBytes: bank?.get('size_in_bytes'),
    simdCount: properties?.get('simd_count'),
    simdPerCu: properties?.get('simd_per_cu'),
    gfxVersion: properties?.get('gfx_target_version'),
    style,
    firmware: firmwareOf(tree, directory),
  }
}

function firmwareOf(tree: HostTree, directory: string): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(firmwareFiles).flatMap(([part, file]): readonly [string, number][] => {
      const text = tree.text(`${directory}/fw_version/${file}_fw_version`)
      return text !== undefined && /^0x[0-9a-f]{1,8}$/i.test(text) ? [[part, Number(text)]] : []
    }),
  )
}

function productName(tree: HostTree, directory: string): string | undefined {
  return tree.text(`${directory}/product_name`) || undefined
}

/** Lines such as `73BF,\tC1,\tAMD Radeon RX 6800 XT`, by id and revision. */
function namesById(tree: HostTree): ReadonlyMap<string, string> {
  const text = tree.text(tree.own(marketingNames)) ?? tree.text(tree.host(marketingNames)) ?? ''
  return new Map(
    text.split('\n').flatMap((line): readonly [string, string][] => {
      const [, id = '', revision = '', name = ''] = /^([0-9A-F]{1,4}),\s*([0-9A-F]{1,2}),\s*(.+)$/i.exec(line) ?? []
      return name === '' ? [] : [[`${id.toUpperCase()} ${revision.toUpperCase().padStart(2, '0')}`, name.trim()]]
    }),
  )
}

/** The number of its file `renderD128`. */
function numberIn({ nodes }: FoundDevice, kind: string): number | undefined {
  const [found] = nodes.flatMap(({ path }) => new RegExp(`^${kind}(\\d+)$`).exec(basename(path))?.[1] ?? [])
  return found === undefined ? undefined : Number(found)
}
