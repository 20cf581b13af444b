// Machines with GPUs of AMD and flags on which AMD's plugin and ours are asked the same. Numbers of the larger ones are those of machines with MI210 and
// MI300: which node lies where, and what links it has.

import { amdCard, computeNode, type Files, kfd, merged } from './device-trees.ts'
import type { PluginCase } from './plugin-cases.ts'

const pcie = 2
const xgmi = 11
const gfx = 90_402

interface Gpu {
  readonly address: string
  readonly numa: string
  readonly compute?: string
  readonly memory?: string
  /** How many it is partitioned into. */
  readonly parts?: number
}

/** Which kind of link lies between two GPUs, by their places; none where it says so. */
type LinkOf = (one: number, other: number) => number | undefined

/** The number of a device's place as the compute driver has it. */
function locationOf(address: string): { readonly domain: number; readonly location_id: number } {
  const [domain = '', bus = '', rest = ''] = address.split(':')
  const [device = '', part = ''] = rest.split('.')
  const number = (text: string) => Number.parseInt(text, 16)
  return { domain: number(domain), location_id: (number(bus) << 8) | (number(device) << 3) | number(part) }
}

/** GPUs with their nodes, from node 1 on, and files from `card0` and `renderD128` on; partitions beyond the first are devices of the platform. */
export function gpus(all: readonly Gpu[], linkOf: LinkOf = () => undefined): Files {
  const nodes = all.flatMap((gpu, at) => Array.from({ length: gpu.parts ?? 1 }, (_, part) => ({ gpu, at, part })))
  const linksOf = ({ at, part }: (typeof nodes)[number]) =>
    Object.fromEntries(
      nodes.flatMap((other, index) => {
        if (other.at === at && other.part === part) return []
        const kind = other.at === at ? xgmi : linkOf(at, other.at)
        return kind === undefined ? [] : [[index + 1, kind] as const]
      }),
    )
  return merged(
    kfd(),
    computeNode(0, { cpu_cores_count: 16, simd_count: 0, drm_render_minor: 0, location_id: 0, domain: 0, gfx_target_version: 0 }),
    ...nodes.map((node, index) => {
      const { gpu, part } = node
      const minor = 128 + index
      const { domain, location_id } = locationOf(gpu.address)
      const properties = {
        cpu_cores_count: 0,
        simd_count: 152,
        simd_per_cu: 4,
        location_id: location_id + part,
        domain,
        drm_render_minor: minor,
        gfx_target_version: gfx,
      }
      return merged(
        computeNode(index + 1, properties, linksOf(node)),
        part === 0 ? amdCard({ ...gpu, card: index, render: minor }) : partition(index, minor),
      )
    }),
  )
}

function partition(number: number, minor: number): Files {
  return Object.fromEntries(
    [`card${number}`, `renderD${minor}`].flatMap(name => [
      [`sys/devices/platform/amdgpu_xcp_${number}/drm/${name}`, { directory: true }] as const,
      [`dev/dri/${name}`, ''] as const,
    ]),
  )
}

const amd = (name: string, files: Files, ...flags: readonly string[]): PluginCase => ({
  name,
  program: 'amd-gpu-plugin',
  flags,
  files: merged({ 'sys/module/amdgpu/drivers/pci:amdgpu': { directory: true }, 'dev/dri': { directory: true } }, files),
})
const mixed = '-resource_naming_strategy=mixed'
const apu = { address: '0000:05:00.0', numa: '-1' }
const left = { address: '0000:43:00.0', numa: '0' }
const right = { address: '0000:63:00.0', numa: '1' }
const pair = [left, right]
const cpx = { compute: 'CPX', memory: 'NPS4', parts: 4 }
const spx = { compute: 'SPX', memory: 'NPS1' }
/** Four in each of two sockets, linked by XGMI within. */
const eight = ['63', '43', '03', '26', 'e3', 'c3', '83', 'a3'].map((bus, at) => ({
  address: `0000:${bus}:00.0`,
  numa: at < 4 ? '0' : '1',
}))
const bySockets: LinkOf = (one, other) => (one < 4 === other < 4 ? xgmi : pcie)
const instinct = ['05', '27', '45', '66', '85', 'a7', 'c5', 'e6'].map((bus, at) => ({
  address: `0000:${bus}:00.0`,
  numa: at < 4 ? '0' : '1',
}))
const all =
  (kind: number): LinkOf =>
  () =>
    kind

export const amdCases: readonly PluginCase[] = [
  amd('an APU', gpus([apu])),
  amd('an APU without the compute driver', amdCard({ ...apu, card: 0, render: 128 })),
  amd('the compute driver without a GPU', kfd()),
  amd('two GPUs linked by XGMI', gpus(pair, all(xgmi))),
  amd('two GPUs linked by PCIe, mixed', gpus(pair, all(pcie)), mixed),
  amd(
    'another domain',
    gpus(
      [
        { address: '0001:c3:00.0', numa: '2' },
        { address: '0001:c3:08.0', numa: '3' },
      ],
      all(pcie),
    ),
  ),
  amd('one whose NUMA node cannot be read', gpus([{ ...left, numa: 'none' }, right])),
  amd('eight MI210 in two sockets', gpus(eight, bySockets)),
  amd(
    'two in one partition each',
    gpus(
      pair.map(one => ({ ...one, ...spx })),
      all(xgmi),
    ),
  ),
  amd(
    'two in one partition each, mixed',
    gpus(
      pair.map(one => ({ ...one, ...spx })),
      all(xgmi),
    ),
    mixed,
  ),
  amd(
    'two in four partitions each',
    gpus(
      pair.map(one => ({ ...one, ...cpx })),
      all(xgmi),
    ),
  ),
  amd(
    'two in four partitions each, mixed',
    gpus(
      pair.map(one => ({ ...one, ...cpx })),
      all(xgmi),
    ),
    mixed,
  ),
  amd(
    'a partition that the compute driver does not know',
    merged(
      gpus(
        pair.map(one => ({ ...one, ...cpx })),
        all(xgmi),
      ),
      partition(30, 158),
    ),
  ),
  amd(
    'two styles of partitions',
    gpus(
      [
        { ...left, ...cpx },
        { ...right, ...spx },
      ],
      all(pcie),
    ),
  ),
  amd(
    'two styles of partitions, mixed',
    gpus(
      [
        { ...left, ...cpx },
        { ...right, ...spx },
      ],
      all(pcie),
    ),
    mixed,
  ),
  amd(
    'a style of memory alone',
    gpus(
      pair.map(one => ({ ...one, memory: 'NPS1' })),
      all(xgmi),
    ),
    mixed,
  ),
  amd(
    'eight MI300 in eight partitions each',
    gpus(
      instinct.map(one => ({ ...one, compute: 'CPX', memory: 'NPS4', parts: 8 })),
      all(xgmi),
    ),
  ),
]

const plain = { address: '0000:83:00.0', numa: '1' }
/** Where ours answers otherwise on purpose: see the table in docs/devices.md. */
export const amdOtherwise = {
  unlinked: amd(
    'four GPUs, of which two each are linked',
    gpus(eight.slice(2, 6), (one, other) => (one < 2 === other < 2 ? xgmi : undefined)),
  ),
  oneStyle: amd(
    'one in a single partition beside one that knows none, mixed',
    gpus([{ ...left, ...spx }, plain], all(pcie)),
    mixed,
  ),
  twoStyles: amd(
    'two styles of partitions beside one that knows none, mixed',
    gpus([{ ...left, ...cpx }, { ...right, ...spx }, plain], all(pcie)),
    mixed,
  ),
} as const
