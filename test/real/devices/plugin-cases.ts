// Machines and flags on which upstream's plugins and ours are asked the same.

import { type Files, intelCard, merged, npu } from './device-trees.ts'

export interface PluginCase {
  readonly name: string
  readonly program: 'intel-gpu-plugin' | 'intel-npu-plugin' | 'amd-gpu-plugin'
  readonly flags: readonly string[]
  readonly files: Files
}

const igpu = (driver: string, more: object = {}) => intelCard(0, { address: '0000:00:02.0', render: 128, driver, ...more })
const arc = (number = 1, more: object = {}) =>
  intelCard(number, { address: `0000:0${number + 2}:00.0`, render: 128 + number, driver: 'xe', id: '0x56a0', ...more })
const links = (...addresses: readonly string[]): Files =>
  Object.fromEntries(
    addresses.flatMap((address, at) =>
      ['card', 'render'].map(kind => [`dev/dri/by-path/pci-${address}-${kind}`, { link: `../card${at}` }] as const),
    ),
  )
const gpu = (name: string, flags: readonly string[], ...parts: readonly Files[]): PluginCase => ({
  name,
  program: 'intel-gpu-plugin',
  flags,
  files: merged({ 'sys/class/drm/version': 'drm 1.1.0\n', 'dev/dri': { directory: true } }, ...parts),
})
const five = ['-shared-dev-num', '5']

export const pluginCases: readonly PluginCase[] = [
  gpu('a NUC', [], igpu('i915', { control: true }), links('0000:00:02.0')),
  gpu('a NUC that five share', five, igpu('xe'), links('0000:00:02.0')),
  gpu('no driver', [], intelCard(0, { address: '0000:00:02.0', render: 128 })),
  gpu('two cards, watched', [...five, '-enable-monitoring'], igpu('i915', { mei: ['mei0'] }), arc(1, { mei: ['mei1'] })),
  gpu('two cards, watched apart', ['-enable-monitoring', '-monitoring-mode=split'], igpu('i915'), arc()),
  gpu('two cards, balanced', [...five, '-allocation-policy=balanced'], igpu('xe'), arc()),
  gpu('two cards, packed', ['-shared-dev-num=12', '-allocation-policy=packed'], igpu('xe'), arc()),
  gpu('two cards, no policy', [...five, '-allocation-policy=none'], igpu('xe'), arc(), links('0000:00:02.0', '0000:03:00.0')),
  gpu('all links', ['-bypath=all'], igpu('i915'), links('0000:00:02.0', '0000:03:00.0')),
  gpu('no links', ['-bypath', 'none'], igpu('i915'), links('0000:00:02.0')),
  gpu('some other word for links', ['--bypath=some'], igpu('i915'), links('0000:00:02.0', '0000:03:00.0')),
  gpu('only the card in the slot', ['-allow-ids', '0x56a0'], igpu('xe'), arc()),
  gpu('not the card in the slot', ['-deny-ids', '0x56a0, 0x1234'], igpu('xe'), arc()),
  gpu(
    'virtual functions',
    [],
    igpu('i915', { functions: '2' }),
    intelCard(1, { address: '0000:00:02.1', render: 129, driver: 'i915' }),
    intelCard(2, { address: '0000:00:02.2', render: 130, driver: 'i915' }),
  ),
  gpu('virtual functions that are off', [], igpu('i915', { functions: '0' })),
  gpu('a card of another vendor beside', [], igpu('i915', { vendor: '0x1002' }), arc()),
  gpu('another driver', [], igpu('vfio-pci')),
  gpu('no card', []),
  {
    name: 'an NPU',
    program: 'intel-npu-plugin',
    flags: ['-shared-dev-num', '2'],
    files: merged({ dev: { directory: true } }, npu(0, '0x7d1d')),
  },
  {
    name: 'an NPU that nobody knows',
    program: 'intel-npu-plugin',
    flags: [],
    files: merged({ dev: { directory: true } }, npu(0, '0x1111')),
  },
]
