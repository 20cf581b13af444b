// The command line of nfd-master as values: Go's own flags over nfd-master.conf, which is read once.

import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { durationMs, formatDurationMs } from '#kube/time/duration.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, type FlagValues, readFlags } from '#process/drop-ins/pflags.ts'
import { type FeaturesConfig, featuresConfiguration, mostParallel, resyncLimits } from '../config.ts'
import { listed, oldPortForms, standardPort } from './go-words.ts'
import { type MasterFile, masterConfigPath, readMasterConfig } from './master-config.ts'

interface MasterSettings {
  readonly config: FeaturesConfig
  /** One of several acts. */
  readonly elects: boolean
  readonly election: MasterFile['leaderElection']
  /** So many objects are in a page of a list; 0: all. */
  readonly pageSize: number
  readonly kubeconfig: string
  readonly prune: boolean
  readonly version: boolean
  readonly port: number
  /** Where v0.17 had its metrics. */
  readonly oldPort: number | undefined
  readonly verbosity: number
  readonly warnings: readonly string[]
}

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  config: 'text', options: 'text', instance: 'text', prune: 'bool', 'enable-leader-election': 'bool', 'extra-label-ns': 'text', 'deny-label-ns': 'text', 'label-whitelist': 'text',
  'enable-taints': 'bool', 'no-publish': 'bool', 'resync-period': 'duration', 'nfd-api-parallelism': 'whole', 'informer-page-size': 'whole', kubeconfig: 'text', port: 'whole',
  metrics: 'whole', 'feature-gates': 'gates', version: 'bool', v: 'level',
}

const { metrics: _served, ...oldPorts } = oldPortForms
const unused: Readonly<Record<string, FlagForm>> = { ...oldPorts, ...logForms }

/** Gates of upstream: what each is where nobody says. */
const gates = { NodeFeatureAPI: true, DisableAutoPrefix: false, NodeFeatureGroupAPI: false } as const

/**
 * What `words`, which follow the program's name, say over the configuration; `read` yields the text of a file, `undefined` where it is not there.
 *
 * @throws InputError with everything that is wrong
 */
export function masterSettings(words: readonly string[], read: (path: string) => string | undefined): MasterSettings {
  const table = { program: 'nfd-master', forms, unused, letters: {}, words: 'refused' } as const
  const { values, unused: without, problems } = readFlags(withTwoDashes(words, { ...forms, ...unused }), table)
  const { text, flag, number } = new GivenFlags(values)
  const gated = gatesOf(values)
  if (problems.length + gated.problems.length > 0) throw new InputError([...problems, ...gated.problems])
  const path = text('config', masterConfigPath)
  const given = path === '' ? undefined : read(path)
  const warnings = [...without]
  if (given === undefined && path !== '') warnings.push(`there is no configuration ${path}: the standards hold`)
  const overlay = text('options') === '' ? undefined : { text: text('options'), path: '--options' }
  const file = readMasterConfig(given ?? '', path, { overlay, tell: warning => void warnings.push(warning) })
  const said = overFile(file, values)
  const bounded = withinBounds(said, warnings)
  const { informerPageSize: pageSize, leaderElection: election, klog, ...master } = bounded
  const config = checkAgainst(
    featuresConfiguration,
    { master: { ...master, ...gated.settings, instance: text('instance') } },
    'nfd-master',
  )
  if (!config.ok) throw new InputError(config.problems)
  if (pageSize < 0) throw new InputError([wrong('--informer-page-size', pageSize, '0 or more')])
  if (values.has('metrics')) warnings.push('--metrics is of v0.17: the same is served at --port')
  const told = Number(klog['v'] ?? 0)
  return {
    config: config.value,
    elects: flag('enable-leader-election'),
    election,
    pageSize,
    kubeconfig: text('kubeconfig'),
    prune: flag('prune'),
    version: flag('version'),
    port: number('port', standardPort),
    oldPort: values.has('metrics') ? number('metrics', 0) : undefined,
    verbosity: number('v', Number.isInteger(told) ? told : 0),
    warnings,
  }
}

function overFile(file: MasterFile, values: FlagValues): MasterFile {
  const { text, flag, number } = new GivenFlags(values)
  const over = <Key extends keyof MasterFile>(key: Key, name: string, value: () => MasterFile[Key]) =>
    values.has(name) ? { [key]: value() } : {}
  return {
    ...file,
    ...over('noPublish', 'no-publish', () => flag('no-publish')),
    ...over('denyLabelNs', 'deny-label-ns', () => listed(text('deny-label-ns'))),
    ...over('extraLabelNs', 'extra-label-ns', () => listed(text('extra-label-ns'))),
    ...over('labelWhiteList', 'label-whitelist', () => text('label-whitelist')),
    ...over('enableTaints', 'enable-taints', () => flag('enable-taints')),
    ...over('resyncPeriod', 'resync-period', () => formatDurationMs(number('resync-period', 0))),
    ...over('nfdApiParallelism', 'nfd-api-parallelism', () => number('nfd-api-parallelism', 0)),
    ...over('informerPageSize', 'informer-page-size', () => number('informer-page-size', 0)),
  }
}

/** What upstream takes and ours bounds goes on with the nearest that ours takes, and is told. */
function withinBounds(file: MasterFile, warnings: string[]): MasterFile {
  const { leastMs, mostMs } = resyncLimits
  const periodMs = durationMs(file.resyncPeriod)
  // Upstream never looks at all nodes again with 0.
  const heldMs = periodMs <= 0 ? mostMs : Math.min(mostMs, Math.max(leastMs, periodMs))
  const resyncPeriod = heldMs === periodMs ? file.resyncPeriod : formatDurationMs(heldMs)
  if (heldMs !== periodMs) warnings.push(`resyncPeriod ${file.resyncPeriod}: ${resyncPeriod} holds, the nearest that is taken`)
  const nfdApiParallelism = Math.min(file.nfdApiParallelism, mostParallel)
  if (nfdApiParallelism < file.nfdApiParallelism)
    warnings.push(`nfdApiParallelism ${file.nfdApiParallelism}: ${mostParallel} holds, the most that is taken`)
  return { ...file, resyncPeriod, nfdApiParallelism }
}

/** The gates as settings of ours; what upstream would not start with is refused. */
function gatesOf(values: FlagValues) {
  const given = values.get('feature-gates')
  const said = new Map(given instanceof Map ? given : [])
  const problems: Problem[] = []
  const known = [...Object.keys(gates), 'AllAlpha', 'AllBeta']
  for (const [name, value] of said) {
    if (!known.includes(name)) problems.push(wrong('--feature-gates', name, `gates among ${known.join(', ')}`))
    if (name === 'NodeFeatureAPI' && !value)
      problems.push(wrong('--feature-gates', `${name}=false`, 'true: it is no choice any more'))
  }
  const isOn = (name: 'DisableAutoPrefix' | 'NodeFeatureGroupAPI') => said.get(name) ?? said.get('AllAlpha') ?? gates[name]
  const settings = { autoPrefix: !isOn('DisableAutoPrefix'), nodeFeatureGroups: isOn('NodeFeatureGroupAPI') }
  return { settings, problems }
}

function wrong(where: string, found: string | number, expected: string): Problem {
  return { code: 'flag-value', where, found: String(found), expected }
}
