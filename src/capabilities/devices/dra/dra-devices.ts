// Devices as claims know them: each with the driver that gives it away, a name that stays while the device is where it is, and what selectors may ask for.

import { basename, dirname } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'
import type { DevicesConfig } from '../config.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import { pciAddress } from '../discovery/intel-gpu.ts'
import type { Complaint } from '../health/card-health.ts'
import { draDrivers } from '../names.ts'

export type DraDriverName = (typeof draDrivers)[keyof typeof draDrivers]['name']

export interface DraDevice {
  /** `0000-00-02-0-0x7d51`. Unique on the machine. */
  readonly name: string
  readonly driver: DraDriverName
  readonly found: FoundDevice
  /** `pci0000:00`; absent where the kernel does not say it. */
  readonly pcieRoot?: string
  readonly isVirtualFunction: boolean
  /** It has virtual functions, or could have. */
  readonly canSplit: boolean
  /** The size of its own memory, in bytes; absent where it has none or nobody says. */
  readonly memory?: bigint
  /** Somebody asks how it is. */
  readonly isWatched: boolean
  /** What is wrong with it; absent where it is well. */
  readonly complaint?: Complaint
}

const longestName = 63

/** All devices with their drivers. What has the name of another device of its driver is left out: a claim could not say which is meant. */
export function draDevices(
  tree: HostTree,
  found: readonly FoundDevice[],
  { complaints, config }: { readonly complaints: ReadonlyMap<string, Complaint>; readonly config: DevicesConfig },
): readonly DraDevice[] {
  const seen = new Set<string>()
  return found.flatMap((one): readonly DraDevice[] => {
    const address = one.address ?? addressOf(tree, one)
    const device = address === undefined ? one : { ...one, address }
    const driver = driverOf(device)
    const name = nameOf(device)
    const key = `${driver}/${name}`
    // What a device needs beside files no claim can give.
    if (name === '' || seen.has(key) || one.environment !== undefined) return []
    seen.add(key)
    const pcieRoot = rootOf(tree, device)
    const memory = memoryOf(tree, device)
    const complaint = complaints.get(device.id)
    return [
      {
        name,
        driver,
        found: device,
        isWatched: device.kind === 'gpu' && isWatched(device.vendor, config),
        isVirtualFunction: tree.exists(`${device.directory}/physfn`),
        canSplit: Number(tree.text(`${device.directory}/sriov_totalvfs`) ?? 0) > 0,
        ...(pcieRoot === undefined ? {} : { pcieRoot }),
        ...(memory === undefined ? {} : { memory }),
        ...(complaint === undefined ? {} : { complaint }),
      },
    ]
  })
}

function driverOf({ vendor, kind }: FoundDevice): DraDriverName {
  if (vendor === 'amd') return draDrivers.amdGpu.name
  return kind === 'npu' ? draDrivers.intelNpu.name : draDrivers.intelGpu.name
}

function isWatched(vendor: FoundDevice['vendor'], { gpu, amd }: DevicesConfig): boolean {
  return vendor === 'amd' ? amd.health !== 'none' || amd.exporter.enabled : gpu.health !== 'none' || gpu.xpumd.enabled
}

/** The folder of a device on PCI is called by its address. */
function addressOf(tree: HostTree, { directory }: FoundDevice): string | undefined {
  const name = basename(tree.resolved(directory) ?? '')
  return pciAddress.test(name) ? name : undefined
}

/** By its place, since the kernel numbers cards anew at each start. */
function nameOf({ id, address, pciId }: FoundDevice): string {
  const text = `${address ?? id}-${pciId}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return text
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, longestName)
    .replace(/-+$/, '')
}

function rootOf(tree: HostTree, { directory }: FoundDevice): string | undefined {
  for (let place = tree.resolved(directory) ?? '/'; place !== '/' && place !== '.'; place = dirname(place))
    if (/^pci[0-9a-f]{4}:[0-9a-f]{2}$/.test(basename(place))) return basename(place)
  return undefined
}

/** AMD's driver and Intel's i915 each say it in a file of their own. */
function memoryOf(tree: HostTree, { directory, id }: FoundDevice): bigint | undefined {
  const text = tree.text(`${directory}/mem_info_vram_total`) ?? tree.text(`${directory}/drm/${id}/lmem_total_bytes`)
  if (text === undefined || !/^(0x[0-9a-f]{1,16}|\d{1,18})$/i.test(text)) return undefined
  const bytes = BigInt(text)
  return bytes > 0n ? bytes : undefined
}
