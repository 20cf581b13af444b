// How busy devices are, by files of the kernel.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { HostTree } from '#machines/host-tree.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { lookAt } from '../src/capabilities/devices/discovery/offers.ts'
import { DeviceUses } from '../src/capabilities/devices/health/device-use.ts'
import { amdCard, type Files, intelCard, kfd, merged } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

function machine(files: Files) {
  const root = mkdtempSync(join(tmpdir(), 'ballast-devices-'))
  roots.push(root)
  writeTree(root, { files })
  const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
  const uses = new DeviceUses()
  return (nowMs: number, changed: Files = {}) => {
    writeTree(root, { files: changed })
    return Object.fromEntries(uses.look(tree, lookAt(tree, devicesConfiguration.parse({})).devices, nowMs))
  }
}

const place = 'sys/devices/pci0000:00/0000:00:02.0'
const card = intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' })

test('AMD says it itself, and how much memory is used', () => {
  const device = 'sys/devices/pci0000:00/0000:05:00.0'
  const look = machine(
    merged(kfd(), amdCard({ address: '0000:05:00.0', card: 1, render: 129, numa: '0' }), {
      [`${device}/gpu_busy_percent`]: '37\n',
      [`${device}/mem_info_vram_used`]: '1048576\n',
      [`${device}/mem_info_vram_total`]: '8589934592\n',
    }),
  )
  expect(look(0)).toEqual({ '0000:05:00.0': { busy: 0.37, memoryUsedBytes: 1_048_576, memoryBytes: 8_589_934_592 } })
})

test.each([
  ['the old place of i915', ['drm/card0/power/rc6_residency_ms']],
  ['the new one, by the part that slept least', ['drm/card0/gt/gt0/rc6_residency_ms', 'drm/card0/gt/gt1/rc6_residency_ms']],
  ['that of xe', ['tile0/gt0/gtidle/idle_residency_ms', 'tile0/gt1/gtidle/idle_residency_ms']],
])('Intel by the time in which a card slept: %s', (_name, paths) => {
  const at = (least: number, most = least + 5_000) =>
    Object.fromEntries(paths.map((path, index) => [`${place}/${path}`, `${index === 0 ? least : most}\n`]))
  const look = machine(merged(card, at(1_000)))
  expect(look(10_000)).toEqual({})
  expect(look(15_000, at(5_000))['card0']?.busy).toBeCloseTo(0.2)
  expect(look(20_000, at(10_500))['card0']?.busy).toBe(0)
  // A driver that was loaded anew begins to count anew.
  expect(look(25_000, at(10))).toEqual({})
  expect(look(30_000, at(10))['card0']?.busy).toBe(1)
})

test('where nobody says it there is no figure', () => {
  const look = machine(card)
  expect([look(0), look(5_000)]).toEqual([{}, {}])
  expect(look(10_000, { [`${place}/gpu_busy_percent`]: 'unknown\n' })).toEqual({})
})
