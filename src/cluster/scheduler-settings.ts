// How the scheduler of a cluster is set up: its version's formulas, weights, disabled plugins and arguments.
// Defaults of kube-scheduler 1.34 and 1.36.

import type { NodeAffinity, TopologySpreadConstraint } from '#kube/objects/objects.ts'
import type { Parsed, Problem } from '#kube/problem.ts'

const schedulerVersions = ['1.34', '1.36'] as const
export type SchedulerVersion = (typeof schedulerVersions)[number]

/** The default filters, in the order they are asked. */
export const filterPlugins = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeRestrictions',
  'NodeVolumeLimits',
  'VolumeBinding',
  'VolumeZone',
  'PodTopologySpread',
  'InterPodAffinity',
] as const
export type FilterPlugin = (typeof filterPlugins)[number]

/** The default scores. */
export const scorePlugins = [
  'TaintToleration',
  'NodeAffinity',
  'NodeResourcesFit',
  'PodTopologySpread',
  'InterPodAffinity',
  'NodeResourcesBalancedAllocation',
  'ImageLocality',
] as const
export type ScorePlugin = (typeof scorePlugins)[number]

interface WeightedResource {
  readonly name: string
  readonly weight: number
}

export type FitStrategy =
  | { readonly kind: 'LeastAllocated' | 'MostAllocated'; readonly resources: readonly WeightedResource[] }
  | {
      readonly kind: 'RequestedToCapacityRatio'
      readonly resources: readonly WeightedResource[]
      /** Points of the broken line: utilisation 0 to 100, score 0 to 10. */
      readonly shape: readonly { readonly utilization: number; readonly score: number }[]
    }

export interface SchedulerSettings {
  readonly version: SchedulerVersion
  /** 0 switches a score off. */
  readonly weights: Readonly<Record<ScorePlugin, number>>
  readonly disabledFilters: readonly FilterPlugin[]
  /** 0: by the number of nodes, as the scheduler does by default. */
  readonly percentageOfNodesToScore: number
  readonly fit: FitStrategy
  /** Extended resources, and prefixes of them, that the fit filter does not look at. */
  readonly ignoredResources: readonly string[]
  readonly ignoredResourceGroups: readonly string[]
  readonly balancedResources: readonly string[]
  /** For pods without constraints of their own. `system`: the scheduler's own defaults, under which nodes need not have the labels. */
  readonly defaultConstraints:
    | { readonly kind: 'system' }
    | { readonly kind: 'list'; readonly constraints: readonly TopologySpreadConstraint[] }
  readonly hardPodAffinityWeight: number
  readonly ignorePreferredTermsOfExistingPods: boolean
  /** Node affinity that every pod of the profile has on top of its own. */
  readonly addedAffinity: NodeAffinity | undefined
  /** Feature gate TaintTolerationComparisonOperators (1.35+, off by default): `Lt` and `Gt` in tolerations. */
  readonly tolerationComparisons: boolean
}

const cpuAndMemory = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
] as const

/** What kube-scheduler of `version` does without a configuration. */
export function defaultSettings(version: SchedulerVersion): SchedulerSettings {
  return {
    version,
    weights: {
      TaintToleration: 3,
      NodeAffinity: 2,
      NodeResourcesFit: 1,
      PodTopologySpread: 2,
      InterPodAffinity: 2,
      NodeResourcesBalancedAllocation: 1,
      ImageLocality: 1,
    },
    disabledFilters: [],
    percentageOfNodesToScore: 0,
    fit: { kind: 'LeastAllocated', resources: cpuAndMemory },
    ignoredResources: [],
    ignoredResourceGroups: [],
    balancedResources: ['cpu', 'memory'],
    defaultConstraints: { kind: 'system' },
    hardPodAffinityWeight: 1,
    ignorePreferredTermsOfExistingPods: false,
    addedAffinity: undefined,
    tolerationComparisons: false,
  }
}

/** The settings of the formulas that hold for a server's version text (`v1.35.2`): up to 1.35 those of 1.34, then those of 1.36. */
export function settingsForServer(gitVersion: string): SchedulerSettings {
  const minor = /^v?1\.([0-9]+)/.exec(gitVersion)?.[1]
  return defaultSettings(minor !== undefined && Number(minor) < 36 ? '1.34' : '1.36')
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The settings of one profile of a `KubeSchedulerConfiguration` (parsed YAML or JSON): weights, disabled plugins, arguments.
 * All problems are found; on any of them the defaults are not silently used.
 */
export function settingsFromConfiguration(
  document: unknown,
  options: { readonly version: SchedulerVersion; readonly schedulerName?: string; readonly where?: string },
): Parsed<SchedulerSettings> {
  const where = options.where ?? 'KubeSchedulerConfiguration'
  const root = fieldsOf(document)
  if (root['kind'] !== 'KubeSchedulerConfiguration') {
    return refused('scheduler-configuration-kind', `${where}: kind`, root['kind'], 'KubeSchedulerConfiguration')
  }
  const name = options.schedulerName ?? 'default-scheduler'
  const profiles = listOf(root['profiles']).map(fieldsOf)
  const profile = profiles.find(candidate => (candidate['schedulerName'] ?? 'default-scheduler') === name)
  if (profile === undefined && profiles.length > 0) {
    return refused('scheduler-profile-unknown', `${where}: profiles`, name, 'the schedulerName of a profile')
  }
  const defaults = defaultSettings(options.version)
  const percentage = profile?.['percentageOfNodesToScore'] ?? root['percentageOfNodesToScore'] ?? 0
  if (typeof percentage !== 'number' || !Number.isInteger(percentage) || percentage < 0 || percentage > 100) {
    return refused('scheduler-percentage', `${where}: percentageOfNodesToScore`, percentage, 'a whole number from 0 to 100')
  }
  const plugins = fieldsOf(profile?.['plugins'])
  const argumentsOf = (plugin: string): Fields =>
    fieldsOf(fieldsOf(listOf(profile?.['pluginConfig']).find(entry => fieldsOf(entry)['name'] === plugin))['args'])
  const fit = fitStrategy(
    fieldsOf(argumentsOf('NodeResourcesFit')['scoringStrategy']),
    `${where}: NodeResourcesFit scoringStrategy`,
  )
  if (!fit.ok) return fit
  const spread = argumentsOf('PodTopologySpread')
  const affinity = argumentsOf('InterPodAffinity')
  const balanced = listOf(argumentsOf('NodeResourcesBalancedAllocation')['resources']).map(entry => fieldsOf(entry)['name'])
  const addedAffinity = argumentsOf('NodeAffinity')['addedAffinity']
  return {
    ok: true,
    value: {
      ...defaults,
      percentageOfNodesToScore: percentage,
      weights: weightsOf(plugins, defaults.weights),
      disabledFilters: filterPlugins.filter(plugin => isDisabled(plugins, ['multiPoint', 'filter'], plugin)),
      fit: fit.value ?? defaults.fit,
      ignoredResources: listOf(argumentsOf('NodeResourcesFit')['ignoredResources']).filter(isText),
      ignoredResourceGroups: listOf(argumentsOf('NodeResourcesFit')['ignoredResourceGroups']).filter(isText),
      balancedResources: balanced.length === 0 ? defaults.balancedResources : balanced.filter(isText),
      // The scheduler validates its own configuration; what is read here is taken as it stands there.
      defaultConstraints:
        spread['defaultingType'] === 'List'
          ? { kind: 'list', constraints: listOf(spread['defaultConstraints']) as readonly TopologySpreadConstraint[] }
          : defaults.defaultConstraints,
      hardPodAffinityWeight: numberOr(affinity['hardPodAffinityWeight'], defaults.hardPodAffinityWeight),
      ignorePreferredTermsOfExistingPods: affinity['ignorePreferredTermsOfExistingPods'] === true,
      addedAffinity: typeof addedAffinity === 'object' && addedAffinity !== null ? (addedAffinity as NodeAffinity) : undefined,
    },
  }
}

function weightsOf(plugins: Fields, defaults: SchedulerSettings['weights']): SchedulerSettings['weights'] {
  const weights = { ...defaults }
  for (const plugin of scorePlugins) {
    const enabled = (point: string) =>
      listOf(fieldsOf(plugins[point])['enabled'])
        .map(fieldsOf)
        .find(entry => entry['name'] === plugin)
    const entry = enabled('score') ?? enabled('multiPoint')
    if (entry !== undefined) weights[plugin] = numberOr(entry['weight'], 0) || defaults[plugin]
    else if (isDisabled(plugins, ['multiPoint', 'score'], plugin)) weights[plugin] = 0
  }
  return weights
}

function isDisabled(plugins: Fields, points: readonly string[], plugin: string): boolean {
  const names = (point: string, list: string) => listOf(fieldsOf(plugins[point])[list]).map(entry => fieldsOf(entry)['name'])
  if (points.some(point => names(point, 'enabled').includes(plugin))) return false
  return points.some(point => names(point, 'disabled').some(name => name === plugin || name === '*'))
}

function fitStrategy(strategy: Fields, where: string): Parsed<FitStrategy | undefined> {
  const kind = strategy['type']
  if (kind === undefined) return { ok: true, value: undefined }
  const given = listOf(strategy['resources']).map(entry => ({
    name: String(fieldsOf(entry)['name']),
    weight: numberOr(fieldsOf(entry)['weight'], 1),
  }))
  const resources = given.length === 0 ? cpuAndMemory : given
  if (kind === 'LeastAllocated' || kind === 'MostAllocated') return { ok: true, value: { kind, resources } }
  if (kind !== 'RequestedToCapacityRatio') {
    return refused(
      'scheduler-strategy-unknown',
      `${where}.type`,
      kind,
      'LeastAllocated, MostAllocated or RequestedToCapacityRatio',
    )
  }
  const points = listOf(fieldsOf(strategy['requestedToCapacityRatio'])['shape']).map(fieldsOf)
  const shape = points.map(point => ({ utilization: numberOr(point['utilization'], 0), score: numberOr(point['score'], 0) }))
  if (shape.length === 0)
    return refused('scheduler-shape-missing', `${where}.requestedToCapacityRatio.shape`, undefined, 'at least one point')
  return { ok: true, value: { kind, resources, shape } }
}

function refused(
  code: string,
  where: string,
  found: unknown,
  expected: string,
): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: { code, where, found: JSON.stringify(found) ?? 'nothing', expected } }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isInteger(value) ? value : otherwise
}
