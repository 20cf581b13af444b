import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { type PluginProgram, pluginSettings } from './plugin-flags.ts'

function problems(program: PluginProgram, words: readonly string[]): readonly string[] {
  try {
    pluginSettings(program, words)
    return []
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(({ where, expected }) => `${where}: ${expected}`)
    throw error
  }
}

test("flags of Intel's GPU plugin, with one dash or two", () => {
  const words =
    '-shared-dev-num 5 --allocation-policy=packed -enable-monitoring -monitoring-mode split -bypath all -deny-ids 0x56a0 -temp-limit=90 -health-management -prefix=/p -v 2'
  const { config, prefix, verbosity } = pluginSettings('intel-gpu-plugin', words.split(' '))
  expect(config.gpu).toMatchObject({
    sharedDevNum: 5,
    allocationPolicy: 'packed',
    enableMonitoring: true,
    monitoringMode: 'split',
    bypathMode: 'all',
    denyIDs: '0x56a0',
    tempLimit: 90,
    health: 'level-zero',
  })
  expect(config.npu.enabled || config.amd.enabled).toBe(false)
  expect({ prefix, verbosity }).toEqual({ prefix: '/p', verbosity: 2 })
})

test('without flags the defaults of each program hold, and only its own devices are offered', () => {
  const enabled = (program: PluginProgram) => {
    const { gpu, npu, amd } = pluginSettings(program, []).config
    return [gpu.enabled, npu.enabled, amd.enabled]
  }
  expect(enabled('intel-gpu-plugin')).toEqual([true, false, false])
  expect(enabled('intel-npu-plugin')).toEqual([false, true, false])
  expect(enabled('amd-gpu-plugin')).toEqual([false, false, true])
  expect(pluginSettings('intel-gpu-plugin', []).config.gpu).toMatchObject({
    sharedDevNum: 1,
    allocationPolicy: 'none',
    enableMonitoring: false,
    monitoringMode: 'single',
    bypathMode: 'single',
    health: 'none',
  })
})

test("xpumd and Windows, by Intel's flags", () => {
  const gpu = (...words: readonly string[]) => pluginSettings('intel-gpu-plugin', words).config.gpu
  const xpumd = { enabled: true, socket: '/run/xpumd/intelxpuinfo.sock' }
  expect(gpu('-xpumd-endpoint=/run/xpumd/intelxpuinfo.sock', '-temp-limit', '100')).toMatchObject({ health: 'none', xpumd })
  expect(gpu('-xpumd-endpoint', 'unix:///run/x.sock').xpumd.socket).toBe('/run/x.sock')
  expect(gpu('-wsl', '-shared-dev-num', '3')).toMatchObject({ wsl: true, sharedDevNum: 3, health: 'none' })
  expect(gpu()).toMatchObject({ wsl: false, xpumd: { enabled: false } })
})

test("flags of AMD's plugin", () => {
  expect(pluginSettings('amd-gpu-plugin', ['-pulse', '10']).config.amd.exporter.enabled).toBe(true)
  expect(pluginSettings('amd-gpu-plugin', []).config.amd.exporter.enabled).toBe(false)
  expect(pluginSettings('amd-gpu-plugin', ['-pulse', '10']).config.amd.health).toBe('kfd')
  expect(pluginSettings('amd-gpu-plugin', ['-pulse=0', '-resource_naming_strategy=mixed']).config.amd).toMatchObject({
    health: 'none',
    resourceNamingStrategy: 'mixed',
  })
})

test('flags of its log are taken, and told to be without effect', () => {
  expect(pluginSettings('intel-gpu-plugin', ['-logtostderr', '-stderrthreshold=INFO']).warnings).toEqual([
    '--logtostderr is taken and has no effect',
    '--stderrthreshold is taken and has no effect',
  ])
})

describe.each<readonly [PluginProgram, string, readonly string[]]>([
  ['intel-gpu-plugin', '-shared-dev-num 0', ['--shared-dev-num: at least 1']],
  ['intel-gpu-plugin', '-shared-dev-num many', ['--shared-dev-num: a whole number']],
  ['intel-gpu-plugin', '-allocation-policy most', ['--allocation-policy: one of "none", "balanced", "packed"']],
  ['intel-gpu-plugin', '-monitoring-mode both', ['--monitoring-mode: one of "single", "split"']],
  [
    'intel-gpu-plugin',
    '-allow-ids 0x56A0',
    ['--allow-ids: a list of ids of four lower-case hexadecimal digits, such as "0x56a0,0x7d51"'],
  ],
  [
    'intel-gpu-plugin',
    '-allow-ids 0x56a0 -deny-ids 0x56a1',
    ['--deny-ids: one of allowIDs and denyIDs: they exclude each other'],
  ],
  ['intel-gpu-plugin', '-wsl -enable-monitoring', ['--enable-monitoring: false: below Windows there is no monitoring']],
  ['intel-gpu-plugin', '-wsl -health-management', ['--health-management: none: below Windows nobody says how a GPU is']],
  ['intel-gpu-plugin', '-wsl -xpumd-endpoint /run/x.sock', ['--health-management: none: below Windows nobody says how a GPU is']],
  [
    'intel-gpu-plugin',
    '-xpumd-endpoint /run/x.sock -health-management',
    ['--xpumd-endpoint: one of xpumd and the Level-Zero sidecar: they exclude each other'],
  ],
  ['intel-gpu-plugin', '-xpumd-endpoint run/x.sock', ['--xpumd-endpoint: an absolute path']],
  [
    'intel-gpu-plugin',
    '-xpumd-endpoint /run/x.sock -temp-limit 90',
    ['--temp-limit: it left out: with --xpumd-endpoint xpumd judges temperatures'],
  ],
  ['intel-gpu-plugin', '-pulse 3 extra', ['intel-gpu-plugin: a flag of the intel-gpu-plugin']],
  ['intel-npu-plugin', '-allow-ids 0x7d1d', ['intel-npu-plugin: a flag of the intel-npu-plugin']],
  ['amd-gpu-plugin', '-resource_naming_strategy all', ['--resource_naming_strategy: one of "single", "mixed"']],
])('%s %s', (program, words, expected) => {
  test('is refused with the flag', () => {
    expect(problems(program, words.split(' ')).slice(0, expected.length)).toEqual(expected)
  })
})
