// Machines with GPUs and NPUs as the kernel shows them: devices where their bus has them, and links to them from their classes.

import type { Tree } from '../features/trees.ts'

export type Files = Tree['files']

export const merged = (...parts: readonly Files[]): Files => Object.assign({}, ...parts)

interface IntelCard {
  readonly address: string
  readonly render: number
  readonly vendor?: string
  readonly id?: string
  readonly driver?: string
  readonly numa?: string
  readonly cpus?: string
  readonly functions?: string
  readonly control?: boolean
  readonly noNodes?: boolean
  readonly mei?: readonly string[]
}

/** A card of Intel, or of another vendor, with its files in `/dev/dri`. */
export function intelCard(number: number, card: IntelCard): Files {
  const { address, render, vendor = '0x8086', id = '0x7d51', driver, numa = '-1', cpus = '0-3', functions, mei = [] } = card
  const device = `sys/devices/pci0000:00/${address}`
  const names = [`card${number}`, `renderD${render}`, ...(card.control === true ? [`controlD${number + 64}`] : [])]
  return {
    [`${device}/vendor`]: `${vendor}\n`,
    [`${device}/device`]: `${id}\n`,
    [`${device}/numa_node`]: `${numa}\n`,
    ...(cpus === '' ? {} : { [`${device}/local_cpulist`]: `${cpus}\n` }),
    ...(functions === undefined ? {} : { [`${device}/sriov_numvfs`]: `${functions}\n` }),
    ...(driver === undefined
      ? {}
      : {
          [`sys/bus/pci/drivers/${driver}`]: { directory: true },
          [`${device}/driver`]: { link: `../../../bus/pci/drivers/${driver}` },
        }),
    ...Object.fromEntries(names.map(name => [`${device}/drm/${name}/dev`, `226:${number}\n`])),
    [`${device}/drm/card${number}/device`]: { link: '../..' },
    [`sys/class/drm/card${number}`]: { link: `../../devices/pci0000:00/${address}/drm/card${number}` },
    ...Object.fromEntries(mei.map((name, at) => [`${device}/i915.mei-gsc.${at}/mei/${name}`, { directory: true } as const])),
    ...(card.noNodes === true ? {} : Object.fromEntries(names.map(name => [`dev/dri/${name}`, '']))),
  }
}

export function npu(number: number, id: string): Files {
  const device = 'sys/devices/pci0000:00/0000:00:0b.0'
  return {
    [`${device}/vendor`]: '0x8086\n',
    [`${device}/device`]: `${id}\n`,
    [`${device}/accel/accel${number}/device`]: { link: '../..' },
    [`sys/class/accel/accel${number}`]: { link: `../../devices/pci0000:00/0000:00:0b.0/accel/accel${number}` },
    [`dev/accel/accel${number}`]: '',
  }
}

interface AmdCard {
  readonly address: string
  readonly card: number
  readonly render: number
  readonly numa: string
  readonly compute?: string
  readonly memory?: string
}

export function amdCard({ address, card, render, numa, compute, memory }: AmdCard): Files {
  const device = `sys/devices/pci0000:00/${address}`
  return {
    [`${device}/vendor`]: '0x1002\n',
    [`${device}/device`]: '0x15d8\n',
    [`${device}/numa_node`]: `${numa}\n`,
    ...(compute === undefined ? {} : { [`${device}/current_compute_partition`]: `${compute}\n` }),
    ...(memory === undefined ? {} : { [`${device}/current_memory_partition`]: `${memory}\n` }),
    [`${device}/drm/card${card}`]: { directory: true },
    [`${device}/drm/renderD${render}`]: { directory: true },
    [`sys/module/amdgpu/drivers/pci:amdgpu/${address}`]: { link: `../../../../devices/pci0000:00/${address}` },
    [`dev/dri/card${card}`]: '',
    [`dev/dri/renderD${render}`]: '',
  }
}

/** What labels say of a card of AMD whose node of the compute driver is known. */
export function cardDetails(
  address: string,
  number: number,
  more: { readonly name?: string; readonly id?: string; readonly gibibytes?: number } = {},
): Files {
  const { name = 'Instinct MI300X', id = '0x74a1', gibibytes = 64 } = more
  const device = `sys/devices/pci0000:00/${address}`
  return {
    [`${device}/device`]: `${id}\n`,
    [`${device}/product_name`]: `${name}\n`,
    [`${device}/fw_version/mec_fw_version`]: '0x00000096\n',
    [`${device}/drm/card${number - 1}/device`]: { link: '../..' },
    [`${device}/driver`]: { link: '../../../bus/pci/drivers/amdgpu' },
    'sys/bus/pci/drivers/amdgpu/module': { link: '../../../../module/amdgpu' },
    'sys/module/amdgpu/version': '6.10.5\n',
    'sys/module/amdgpu/srcversion': '0AB1C2D3\n',
    [`sys/class/drm/card${number - 1}`]: { link: `../../devices/pci0000:00/${address}/drm/card${number - 1}` },
    [`sys/class/kfd/kfd/topology/nodes/${number}/mem_banks/0/properties`]: `heap_type 1\nsize_in_bytes ${gibibytes * 1024 ** 3 - 16 * 1024 ** 2}\n`,
  }
}

/** The compute driver of AMD. */
export const kfd = (): Files => ({ 'sys/class/kfd/kfd/topology/nodes': { directory: true }, 'dev/kfd': '' })

/** A node of it, with kinds of links to others. */
export function computeNode(
  number: number,
  properties: Readonly<Record<string, number>>,
  links: Readonly<Record<number, number>> = {},
): Files {
  const directory = `sys/class/kfd/kfd/topology/nodes/${number}`
  const lines = (values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .map(([key, value]) => `${key} ${value}\n`)
      .join('')
  return {
    [`${directory}/properties`]: lines(properties),
    ...Object.fromEntries(
      Object.entries(links).map(([to, type], at) => [
        `${directory}/io_links/${at}/properties`,
        lines({ type, node_from: number, node_to: Number(to) }),
      ]),
    ),
  }
}
