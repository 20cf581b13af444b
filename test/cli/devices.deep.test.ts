// `ballast devices` and the plugins' command lines as their users run them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { intelCard, merged, npu } from '../real/devices/device-trees.ts'
import { writeTree } from '../real/features/tree-files.ts'
import { runBallast } from './run-ballast.ts'

let root = ''
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ballast-devices-cli-'))
  writeTree(root, {
    files: merged(
      intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' }),
      intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe', functions: '3' }),
      npu(0, '0x7d1d'),
    ),
  })
  writeFileSync(join(root, 'ballast.yaml'), 'capabilities:\n  devices:\n    enabled: true\n    gpu: {sharedDevNum: 5}\n')
  writeFileSync(join(root, 'wrong.yaml'), 'capabilities:\n  devices:\n    gpu: {sharedDevNum: 0, allowedIDs: 0x56a0}\n')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('what a machine offers is a table, with what is left out and why', async () => {
  const { code, output } = await runBallast(['devices', '--root', root, '--config', join(root, 'ballast.yaml')])
  expect(code).toBe(0)
  expect(output).toMatch(/gpu\.intel\.com\/i915 +5 +card0/)
  expect(output).toContain('/dev/dri/card0 /dev/dri/renderD128')
  expect(output).toMatch(/card1 +it has 3 virtual functions/)
})

test('and a document for programs', async () => {
  const { code, output } = await runBallast(['devices', '--root', root, '-o', 'json'])
  expect(code).toBe(0)
  expect(JSON.parse(output)).toMatchObject({
    resources: [
      { resource: 'gpu.intel.com/i915', count: 1, devices: [{ id: 'card0-0', cdi: 'intel.cdi.k8s.io/gpu=card0' }] },
      { resource: 'npu.intel.com/accel', devices: [{ files: ['/dev/accel/accel0'] }] },
    ],
    leftOut: [{ id: 'card1' }],
  })
})

test.each([
  [['devices', '--root', 'docs'], 'holds no machine'],
  [['devices', '--root', '/nowhere'], 'holds no machine'],
  [['intel-gpu-plugin', '-shared-dev-num', '0'], '--shared-dev-num: found "0", expected at least 1'],
  [['intel-npu-plugin', '-bogus'], 'expected a flag of the intel-npu-plugin'],
  [['amd-gpu-plugin', '-pulse', 'often'], '--pulse: found "often", expected a whole number'],
])('%j is refused in words', async (args, why) => {
  const { code, output, words } = await runBallast(args)
  expect(code).toBe(2)
  expect(output).toBe('')
  expect(words).toContain(why)
})

test('a configuration that is wrong is told with its path', async () => {
  const { code, words } = await runBallast(['devices', '--root', root, '--config', join(root, 'wrong.yaml')])
  expect(code).toBe(2)
  expect(words).toContain('capabilities.devices: gpu.sharedDevNum: found "0", expected at least 1')
  expect(words).toContain('did you mean "allowIDs"?')
})
