// One profile of a policy: its plugins' arguments, and which of them run where and in which order.
import type { DefaultEvictorArgs, PluginArgs, PolicyProfile, StrategyArgs, StrategyName } from './args.ts'
import { defaultEvictorArgs, type PriorityOf } from './evictor-args.ts'
import { FieldReader } from './fields.ts'
import { strategyReaders } from './strategy-args.ts'

const evictorName = 'DefaultEvictor'

/** By extension point, the strategies that it has. */
const strategiesAt: Readonly<Record<'deschedule' | 'balance', readonly StrategyName[]>> = {
  deschedule: [
    'RemovePodsViolatingInterPodAntiAffinity',
    'RemovePodsViolatingNodeAffinity',
    'RemovePodsViolatingNodeTaints',
    'RemovePodsHavingTooManyRestarts',
    'PodLifeTime',
    'RemoveFailedPods',
  ],
  balance: ['LowNodeUtilization', 'HighNodeUtilization', 'RemoveDuplicates', 'RemovePodsViolatingTopologySpreadConstraint'],
}

/** Each profile of `profiles`; problems go to the reader's findings. */
export function readProfile(given: FieldReader, priorityOf: PriorityOf): PolicyProfile {
  const name = given.text('name') ?? ''
  const profile = given.under(`in profile ${name}: `)
  const configured = pluginConfigs(profile, priorityOf)
  const points = extensionPoints(profile)
  for (const point of ['filter', 'preEvictionFilter'] as const)
    checkNames(profile, { point, enabled: points[point], known: [evictorName] })
  const strategies = (point: 'deschedule' | 'balance'): readonly StrategyArgs[] => {
    const enabled = points[point]
    checkNames(profile, { point, enabled, known: strategiesAt[point] })
    return enabled.flatMap(plugin => strategyOf(profile, { plugin, point, configured }))
  }
  return {
    name,
    deschedule: strategies('deschedule'),
    balance: strategies('balance'),
    evictor: evictorOf(configured) ?? defaultEvictorArgs(emptyReader(profile), priorityOf),
  }
}

type Configured = ReadonlyMap<string, PluginArgs>

/** The arguments by plugin; of several entries for one plugin the first counts, all are checked. */
function pluginConfigs(profile: FieldReader, priorityOf: PriorityOf): Configured {
  const read = new Map<string, PluginArgs>()
  for (const entry of profile.maps('pluginConfig', 'v1alpha2.PluginConfig')) {
    const plugin = entry.text('name') ?? ''
    const args = argsOf(entry, { plugin, priorityOf })
    if (args !== undefined && !read.has(plugin)) read.set(plugin, args)
  }
  return read
}

function argsOf(
  entry: FieldReader,
  { plugin, priorityOf }: { readonly plugin: string; readonly priorityOf: PriorityOf },
): PluginArgs | undefined {
  if (plugin !== evictorName && !isStrategy(plugin)) {
    entry.value('args')
    return entry.refusePlugin({
      field: 'name',
      found: plugin,
      expected: `any of ${[evictorName, ...Object.keys(strategyReaders)].join(', ')}`,
      message: `plugin ${plugin} in pluginConfig not registered`,
    })
  }
  const args = entry.strictMap('args', `${plugin}Args`)
  const read = plugin === evictorName ? defaultEvictorArgs(args, priorityOf) : strategyReaders[plugin](args)
  refuseUnknown(args, plugin)
  return read
}

function isStrategy(plugin: string): plugin is StrategyName {
  return Object.hasOwn(strategyReaders, plugin)
}

/** Arguments are strict: a field that the plugin does not have is an error. */
function refuseUnknown(args: FieldReader, plugin: string): void {
  // A type's own name is no argument and is not looked at.
  const unknown = args.unknownNames().filter(name => name !== 'apiVersion' && name !== 'kind')
  if (unknown.length === 0) return
  args.refuseUnknown({
    found: unknown.join(', '),
    expected: `an argument of ${plugin}`,
    message: `plugin ${plugin}: strict decoding error: ${unknown.map(name => `unknown field "${name}"`).join(', ')}`,
  })
}

type Point = 'deschedule' | 'balance' | 'filter' | 'preEvictionFilter'

/** The enabled plugins by extension point. `sort`, `presort` and every `disabled` are read and have no effect, as upstream. */
function extensionPoints(profile: FieldReader): Readonly<Record<Point, readonly string[]>> {
  const plugins = profile.map('plugins', 'v1alpha2.Plugins')
  const enabled = (field: string): readonly string[] => {
    const set = plugins?.map(field, 'v1alpha2.PluginSet')
    set?.texts('disabled')
    return set?.texts('enabled') ?? []
  }
  for (const field of ['presort', 'sort']) enabled(field)
  return {
    deschedule: enabled('deschedule'),
    balance: enabled('balance'),
    filter: enabled('filter'),
    preEvictionFilter: [...enabled('preevictionfilter'), ...enabled('preEvictionFilter')],
  }
}

function checkNames(
  profile: FieldReader,
  given: { readonly point: Point; readonly enabled: readonly string[]; readonly known: readonly string[] },
): void {
  const { point, enabled, known } = given
  const unknown = [...new Set(enabled)].filter(name => !known.includes(name)).toSorted()
  if (unknown.length === 0) return
  const name = profile.text('name') ?? ''
  const listed = unknown.map(plugin => `${plugin}:{}`).join(' ')
  profile.refusePlugin({
    field: `plugins.${point}.enabled`,
    found: unknown.join(', '),
    expected: `any of ${known.join(', ')}`,
    message: `profile "${name}" configures ${point} extension point of non-existing plugins: map[${listed}]`,
  })
}

function strategyOf(
  profile: FieldReader,
  given: { readonly plugin: string; readonly point: 'deschedule' | 'balance'; readonly configured: Configured },
): readonly StrategyArgs[] {
  const { plugin, point, configured } = given
  const args = configured.get(plugin)
  if (args !== undefined && args.plugin !== evictorName) return [args]
  const isKnown = strategiesAt[point].some(name => name === plugin)
  if (args === undefined && isKnown) {
    profile.refusePlugin({
      field: `plugins.${point}.enabled`,
      found: plugin,
      expected: `an entry for ${plugin} in pluginConfig, which needs no args`,
      message: `unable to build ${plugin} plugin: unable to find "${plugin}" plugin config`,
    })
  }
  return []
}

function evictorOf(configured: Configured): DefaultEvictorArgs | undefined {
  const args = configured.get(evictorName)
  return args?.plugin === evictorName ? args : undefined
}

function emptyReader(profile: FieldReader): FieldReader {
  return new FieldReader({}, profile.place)
}
