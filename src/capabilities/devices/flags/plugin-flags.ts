// The command lines of Intel's and AMD's plugins as values: Go's own flags, which take one dash or two.

import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { type DevicesConfig, devicesConfiguration } from '../config.ts'

/** The programs whose command lines are read, by their images' names. */
export type PluginProgram = 'intel-gpu-plugin' | 'intel-npu-plugin' | 'amd-gpu-plugin'

interface PluginSettings {
  readonly config: DevicesConfig
  /** In front of `/dev` and `/sys`. */
  readonly prefix: string
  readonly verbosity: number
  readonly warnings: readonly string[]
}

type Forms = Readonly<Record<string, FlagForm>>

// biome-ignore format: a table
const forms: Readonly<Record<PluginProgram, Forms>> = {
  'intel-gpu-plugin': {
    'shared-dev-num': 'whole', 'allocation-policy': 'text', 'enable-monitoring': 'bool', 'monitoring-mode': 'text', bypath: 'text', 'allow-ids': 'text', 'deny-ids': 'text',
    'health-management': 'bool', 'xpumd-endpoint': 'text', 'temp-limit': 'whole', 'gpu-temp-limit': 'whole', 'memory-temp-limit': 'whole', wsl: 'bool', prefix: 'text', v: 'level',
  },
  'intel-npu-plugin': { 'shared-dev-num': 'whole', prefix: 'text', v: 'level' },
  'amd-gpu-plugin': { pulse: 'whole', resource_naming_strategy: 'text', v: 'level', prefix: 'text' },
}

// biome-ignore format: a table
export const loggingFlags: Forms = {
  vmodule: 'text', add_dir_header: 'bool', alsologtostderr: 'bool', log_backtrace_at: 'text', log_dir: 'text', log_file: 'text', log_file_max_size: 'whole', logtostderr: 'bool',
  one_output: 'bool', skip_headers: 'bool', skip_log_headers: 'bool', stderrthreshold: 'text', legacy_stderr_threshold_behavior: 'bool',
}

const usualTemperature = 100

/** Keys of our configuration, and the flags that say them. */
const names: Readonly<Record<string, string>> = {
  sharedDevNum: 'shared-dev-num',
  allocationPolicy: 'allocation-policy',
  monitoringMode: 'monitoring-mode',
  allowIDs: 'allow-ids',
  denyIDs: 'deny-ids',
  tempLimit: 'temp-limit',
  gpuTempLimit: 'gpu-temp-limit',
  memoryTempLimit: 'memory-temp-limit',
  resourceNamingStrategy: 'resource_naming_strategy',
}
/** Those that only name what is wrong. */
const furtherNames: Readonly<Record<string, string>> = {
  xpumd: 'xpumd-endpoint',
  socket: 'xpumd-endpoint',
  health: 'health-management',
  enableMonitoring: 'enable-monitoring',
}

/** What `words`, which follow the program's name, say. @throws InputError with everything that is wrong */
export function pluginSettings(program: PluginProgram, words: readonly string[]): PluginSettings {
  const dashed = words.map(word => (/^-[A-Za-z]/.test(word) ? `-${word}` : word))
  const table = { program, forms: forms[program], unused: loggingFlags, letters: {}, words: 'refused' } as const
  const { values, unused, problems } = readFlags(dashed, table)
  const given = new GivenFlags(values)
  const idle = limitsWithXpumd(given, values)
  const checked = checkAgainst(devicesConfiguration, sectionOf(program, given, values), '')
  const wrong = checked.ok ? [] : checked.problems.map(flagProblem)
  const all = [...problems, ...idle, ...wrong]
  if (all.length > 0 || !checked.ok) throw new InputError(all)
  const verbosity = values.get('v')
  return {
    config: checked.value,
    prefix: given.text('prefix'),
    verbosity: typeof verbosity === 'number' ? verbosity : 0,
    warnings: unused,
  }
}

function sectionOf(program: PluginProgram, { text, flag }: GivenFlags, values: ReadonlyMap<string, unknown>): object {
  const over = (key: string) => (values.has(names[key] ?? '') ? { [key]: values.get(names[key] ?? '') } : {})
  const off = { enabled: false }
  if (program === 'intel-npu-plugin') return { gpu: off, amd: off, npu: over('sharedDevNum') }
  if (program === 'amd-gpu-plugin') {
    const pulse = values.get('pulse')
    const health = typeof pulse === 'number' && pulse > 0 ? 'kfd' : 'none'
    // Upstream asks the exporter at each pulse, where its socket is.
    return { gpu: off, npu: off, amd: { health, exporter: { enabled: health === 'kfd' }, ...over('resourceNamingStrategy') } }
  }
  const bypath = text('bypath', 'single')
  const xpumd = text('xpumd-endpoint')
  const gpu = {
    ...Object.assign(
      {},
      ...Object.keys(names)
        .filter(key => key !== 'resourceNamingStrategy')
        .map(over),
    ),
    enableMonitoring: flag('enable-monitoring'),
    // Upstream takes any other word for this one.
    bypathMode: bypath === 'all' || bypath === 'none' ? bypath : 'single',
    health: flag('health-management') ? 'level-zero' : 'none',
    ...(xpumd === '' ? {} : { xpumd: { enabled: true, socket: xpumd.replace(/^unix:\/\//, '') } }),
    wsl: flag('wsl'),
  }
  return { npu: off, amd: off, gpu }
}

/** As upstream's: limits of temperature would not count. */
function limitsWithXpumd(given: GivenFlags, values: ReadonlyMap<string, unknown>): readonly Problem[] {
  if (given.text('xpumd-endpoint') === '') return []
  return ['temp-limit', 'gpu-temp-limit', 'memory-temp-limit']
    .filter(name => (values.get(name) ?? usualTemperature) !== usualTemperature)
    .map(name => ({
      code: 'flag-value',
      where: `--${name}`,
      found: String(values.get(name)),
      expected: 'it left out: with --xpumd-endpoint xpumd judges temperatures',
    }))
}

/** The path of a setting as the flag that says it. */
function flagProblem({ where, found, expected }: Problem): Problem {
  const key = where.split('.').at(-1) ?? ''
  return { code: 'flag-value', where: `--${names[key] ?? furtherNames[key] ?? key}`, found, expected }
}
