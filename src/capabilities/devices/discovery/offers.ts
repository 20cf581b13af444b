// What is offered to the kubelet: for each resource the ids of its shares, and for each id what a container gets by it. A pure function of what
// was found, of the configuration, and of how devices are.

import type { HostTree } from '#machines/host-tree.ts'
import { pluginCdi } from '../cdi/cdi-spec.ts'
import type { Alias, AllocationPolicy, DevicesConfig } from '../config.ts'
import { intelGpuDomain } from '../names.ts'
import { amdGpus } from './amd-gpu.ts'
import { type ComputeNode, computeNodes } from './compute-topology.ts'
import type { DeviceNode, FoundDevice, PassedOver } from './found-device.ts'
import { firmwareNodes, intelGpus } from './intel-gpu.ts'
import { intelNpus } from './intel-npu.ts'
import { windowsGpus } from './windows-gpu.ts'

/** One id that the kubelet may give to a container. */
export interface Share {
  readonly id: string
  readonly device: string
  readonly isHealthy: boolean
  readonly numaNodes: readonly number[]
  readonly nodes: readonly DeviceNode[]
  readonly mounts: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** The device by the name that it has for CDI; absent where it has none. */
  readonly cdi?: string
}

export interface Offer {
  readonly resource: string
  readonly policy: AllocationPolicy | 'links'
  readonly shares: ReadonlyMap<string, Share>
}

export interface Machine {
  readonly devices: readonly FoundDevice[]
  readonly passedOver: readonly PassedOver[]
  readonly compute: readonly ComputeNode[]
  /** Files of each card beyond those that a container gets, for who watches all of them. */
  readonly firmware: ReadonlyMap<string, readonly DeviceNode[]>
}

/**
 * Looks at the machine.
 * @param windows numbers of GPUs where Linux runs below Windows; absent: nobody was asked for them
 */
export function lookAt(tree: HostTree, config: DevicesConfig, windows?: readonly number[]): Machine {
  const compute = config.amd.enabled ? computeNodes(tree) : []
  const found = [
    ...(config.gpu.enabled ? [config.gpu.wsl ? windowsGpus(tree, config.gpu, windows) : intelGpus(tree, config.gpu)] : []),
    ...(config.npu.enabled ? [intelNpus(tree, config.npu)] : []),
    ...(config.amd.enabled ? [amdGpus(tree, config.amd, compute)] : []),
  ]
  const devices = found.flatMap(one => one.devices)
  const isWatched = config.gpu.enableMonitoring
  return {
    devices,
    passedOver: found.flatMap(one => one.passedOver),
    compute,
    firmware: new Map(
      devices.filter(one => isWatched && isIntelGpu(one)).map(device => [device.id, firmwareNodes(tree, device)] as const),
    ),
  }
}

const isIntelGpu = ({ vendor, kind }: FoundDevice): boolean => vendor === 'intel' && kind === 'gpu'

/** The id of the one device that stands for all. */
const allDevices = 'all'

/**
 * All resources with their ids, in the order in which devices were found.
 * @param ill ids of devices that are not well
 */
export function offersOf(
  { devices, firmware }: Pick<Machine, 'devices' | 'firmware'>,
  config: DevicesConfig,
  ill: ReadonlySet<string>,
): ReadonlyMap<string, Offer> {
  const offers = new Map<string, Offer & { readonly shares: Map<string, Share> }>()
  const add = (resource: string, policy: Offer['policy'], shares: readonly Share[]) => {
    const offer = offers.get(resource) ?? { resource, policy, shares: new Map<string, Share>() }
    offers.set(resource, offer)
    for (const share of shares) offer.shares.set(share.id, share)
  }
  // Claims give these away: neither side would know what the other one gave.
  const byPlugin = config.dra.enabled && !config.dra.alsoByPlugin ? [] : devices
  for (const device of byPlugin) {
    const policy = device.vendor === 'amd' ? 'links' : device.kind === 'npu' ? 'none' : config.gpu.allocationPolicy
    const shares = sharesOf(device, !ill.has(device.id), config)
    const aliases = config.resources.filter(alias => fits(alias, device))
    if (!aliases.some(({ exclusive }) => exclusive)) add(device.resource, policy, shares)
    for (const { name } of aliases) if (name !== device.resource) add(name, policy, shares)
  }
  if (config.gpu.enableMonitoring)
    for (const device of devices.filter(isIntelGpu)) {
      const resource = `${intelGpuDomain}/${config.gpu.monitoringMode === 'split' ? `${device.driver}_` : ''}monitoring`
      const before = offers.get(resource)?.shares.get(allDevices)?.nodes ?? []
      const nodes = [...before, ...device.nodes, ...(firmware.get(device.id) ?? [])]
      add(resource, 'none', [{ id: allDevices, device: allDevices, isHealthy: true, numaNodes: [], nodes, mounts: [] }])
    }
  return offers
}

function fits({ ids, drivers }: Alias, { pciId, driver }: FoundDevice): boolean {
  return (ids.length === 0 || ids.includes(pciId)) && (drivers.length === 0 || drivers.includes(driver))
}

/** AMD's own plugin shares nothing, and its ids have no number: so have ours where nothing is shared. */
function sharesOf(device: FoundDevice, isHealthy: boolean, { cdi }: DevicesConfig): readonly Share[] {
  const { id, nodes, mounts, numaNodes, environment } = device
  const name = cdi.enabled ? pluginCdi(device) : undefined
  const common = {
    device: id,
    isHealthy,
    numaNodes,
    nodes,
    mounts,
    ...(environment === undefined ? {} : { environment }),
    ...(name === undefined ? {} : { cdi: `${name.kind}=${name.name}` }),
  }
  if (device.vendor === 'amd' && device.shares === 1) return [{ id, ...common }]
  return Array.from({ length: device.shares }, (_, number) => ({ id: `${id}-${number}`, ...common }))
}
