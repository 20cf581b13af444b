// What becomes of each key of the chart `node-feature-discovery`, 0.17 to 0.19: the table of `ballast migrate values --from nfd`.

import { parse } from 'yaml'
import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import {
  converted,
  dropped,
  isEmpty,
  lostUnlessEmpty,
  type RowContext,
  type Step,
  same,
  type ValuesRow,
} from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { masterTold, type Told, workerTold } from './nfd-told.ts'

/** Charts whose keys are recorded, oldest first. */
export const nfdVersions: readonly string[] = [
  ...['0.17.0', '0.17.1', '0.17.2', '0.17.3', '0.17.4'],
  ...['0.18.0', '0.18.1', '0.18.2', '0.18.3'],
  '0.19.0',
]

const master = (key: string) => `capabilities.features.master.${key}`
const worker = (key: string) => `capabilities.features.worker.${key}`

const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"
const ofController = 'the controller labels nodes, with pods of its own (controller)'
const ofAgents = 'a container of our agents looks at nodes, with settings of its own (agent)'
const collectsItself = 'the controller collects, each hour and when a node goes'
const ofUpdater = 'it belongs to topologyUpdater.enable'

const carried = (to: string, value: unknown): Step => ({ kind: 'carried', to, value })
const lost = (why: string): Step => ({ kind: 'lost', why })
const left = (why: string): Step => ({ kind: 'dropped', why })

/** Flags of the master, and the keys of ours that they set. */
const masterFlags: Readonly<Record<string, string>> = {
  instance: 'instance',
  'extra-label-ns': 'extraLabelNs',
  'deny-label-ns': 'denyLabelNs',
  'label-whitelist': 'labelWhiteList',
  'enable-taints': 'enableTaints',
  'no-publish': 'noPublish',
  'resync-period': 'resyncPeriod',
  'nfd-api-parallelism': 'nfdApiParallelism',
}

const workerFlags: Readonly<Record<string, string>> = {
  'no-publish': 'noPublish',
  'owner-refs': 'ownerRefs',
  'no-owner-refs': 'noOwnerRefs',
  'feature-sources': 'featureSources',
  'label-sources': 'labelSources',
  'no-publish-features': 'noPublishFeatures',
}

/** Keys of nfd-master.conf that mean nothing to ours, in lower case. */
const masterUnused: Readonly<Record<string, string>> = {
  klog: 'logs follow process.logLevel',
  informerpagesize: 'features are asked for node by node',
  leaderelection: "the controller's Lease has times of its own (process.leaderElect…)",
}

/** What is told by files and flags together, under the keys that `of` names. */
function effective<Settings>(
  found: Told<Settings>,
  keys: readonly string[],
  of: (settings: Settings, key: string) => Step | undefined,
): readonly Step[] {
  if (!found.ok) return [lost(found.why)]
  return keys.flatMap(key => of(found.settings, key) ?? [])
}

type MasterTold = ReturnType<typeof masterTold>
type SettingsOf<Of> = Of extends { readonly ok: true; readonly settings: infer Settings } ? Settings : never

function ofMaster({ config }: SettingsOf<MasterTold>, key: string): Step | undefined {
  const known = Object.keys(config.master).find(one => one.toLowerCase() === key.toLowerCase())
  if (known === undefined) return left(masterUnused[key.toLowerCase()] ?? 'upstream knows no such key, either')
  return carried(master(known), valueAt(config.master, [known]))
}

function ofCore({ config }: SettingsOf<ReturnType<typeof workerTold>>, key: string): Step | undefined {
  if (key === 'klog') return left('logs follow process.logLevel')
  const value = valueAt(config.core, [key])
  return value === undefined ? left('upstream knows no such key, either') : carried(worker(`core.${key}`), value)
}

/** The content of a file that a value is. */
function contentOf(value: unknown): ValuesTree {
  const content: unknown = typeof value === 'string' ? parse(value) : value
  return isTree(content) ? content : {}
}

/** What flags besides say, each by its key of ours. */
function flagSteps<Settings>(
  value: unknown,
  found: Told<Settings>,
  keys: Readonly<Record<string, string>>,
  of: (settings: Settings, key: string) => Step | undefined,
): readonly Step[] {
  if (isEmpty(value)) return []
  const names = flagsIn(Array.isArray(value) ? value : []).map(({ name }) => name)
  const known = [...new Set(names.flatMap(name => keys[name] ?? []))]
  const others = found.ok ? names.filter(name => keys[name] === undefined) : []
  return [
    ...effective(found, known, of),
    ...(others.includes('options') ? [lost('-options in extraArgs is not taken apart: write it into the file (config)')] : []),
    ...others.filter(name => name !== 'options').map(name => left(`-${name} is not about what nodes get`)),
  ]
}

const toldOfMaster = (key: string): ValuesRow =>
  converted(`master.${key}`, (value, { read }) => (isEmpty(value) ? [] : effective(masterTold(read), [key], ofMaster)))

const masterRows: readonly ValuesRow[] = [
  converted('master.enable', value => [
    value === false ? lost('without a master nothing was labelled; our controller labels nodes') : left(ofController),
  ]),
  converted('master.config', (value, { read }) => effective(masterTold(read), Object.keys(contentOf(value)), ofMaster)),
  ...['instance', 'resyncPeriod', 'denyLabelNs', 'extraLabelNs', 'enableTaints', 'nfdApiParallelism'].map(toldOfMaster),
  converted('master.extraArgs', (value, { read }) => flagSteps(value, masterTold(read), masterFlags, ofMaster)),
  converted('featureGates', (value, { read }) =>
    effective(masterTold(read), Object.keys(Object(value)), ({ config }, gate) => {
      if (gate === 'DisableAutoPrefix') return carried(master('autoPrefix'), config.master.autoPrefix)
      if (gate === 'NodeFeatureGroupAPI') return carried(master('nodeFeatureGroups'), config.master.nodeFeatureGroups)
      return left('it is no choice any more')
    }),
  ),
  ...['featureApi', 'featureRulesController', 'metricsPort', 'healthPort'].map(key =>
    dropped(`master.${key}`, 'newer charts do not know it, either'),
  ),
  ...[
    ...['extraEnvs', 'hostNetwork', 'hostUsers', 'dnsPolicy', 'port', 'replicaCount', 'deploymentAnnotations', 'annotations'],
    ...['labels', 'podSecurityContext', 'securityContext', 'initContainers', 'serviceAccount', 'revisionHistoryLimit', 'rbac'],
    ...['resources', 'nodeSelector', 'tolerations', 'affinity', 'podDisruptionBudget', 'networkPolicy'],
    ...['startupProbe', 'livenessProbe', 'readinessProbe'],
  ].map(key => dropped(`master.${key}`, ofController)),
]

/** Kernels' sources, which a worker looks at where they are mounted. */
const sources = { name: 'usr-src', path: '/usr/src', at: '/host-usr/src' } as const

const workerRows: readonly ValuesRow[] = [
  converted('worker.enable', value => [
    value === false ? lost('without a worker others published NodeFeatures; our agents look at each node') : left(ofAgents),
  ]),
  converted('worker.config', (value, { read }) => {
    const { core, sources: given } = contentOf(value)
    const found = workerTold(read)
    if (!found.ok) return [lost(found.why)]
    return [
      ...effective(found, Object.keys(Object(core)), ofCore),
      ...Object.entries(Object(given))
        .filter(([, one]) => one !== null)
        .map(([key, one]) => carried(worker(`sources.${key}`), one)),
    ]
  }),
  converted('worker.ownerRefs', (_value, { read }) => effective(workerTold(read), ['ownerRefs'], ofCore), {
    since: '0.19.0',
    upstreamDefault: ['pod', 'ds'],
  }),
  converted('worker.extraArgs', (value, { read }) => flagSteps(value, workerTold(read), workerFlags, ofCore)),
  converted('worker.mountUsrSrc', value =>
    value === true
      ? [
          { ...carried('agent.extraVolumes', { name: sources.name, hostPath: { path: sources.path } }), isItem: true },
          { ...carried('agent.extraVolumeMounts', { name: sources.name, mountPath: sources.at, readOnly: true }), isItem: true },
        ]
      : [],
  ),
  // Ours is on every node unless somebody says where else.
  ...['nodeSelector', 'affinity'].map(key =>
    converted(`worker.${key}`, value => (isEmpty(value) ? [] : [carried(`agent.${key}`, value)])),
  ),
  dropped('worker.tolerations', 'our agents tolerate every taint (agent.tolerations)'),
  ...['metricsPort', 'healthPort'].map(key => dropped(`worker.${key}`, 'newer charts do not know it, either')),
  ...[
    ...['extraEnvs', 'hostNetwork', 'hostUsers', 'dnsPolicy', 'port', 'daemonsetAnnotations', 'annotations', 'labels'],
    ...['podSecurityContext', 'securityContext', 'initContainers', 'serviceAccount', 'revisionHistoryLimit', 'rbac', 'resources'],
    ...['priorityClassName', 'updateStrategy', 'networkPolicy', 'livenessProbe', 'readinessProbe'],
  ].map(key => dropped(`worker.${key}`, ofAgents)),
]

const otherRows: readonly ValuesRow[] = [
  ...['repository', 'tag'].map(key => dropped(`image.${key}`, oneImage)),
  same('image.pullPolicy', 'image.pullPolicy'),
  converted('imagePullSecrets', value => (isEmpty(value) ? [] : [carried('imagePullSecrets', value)])),
  converted('global.imagePullSecrets', (value, { read }) =>
    isEmpty(value) || !isEmpty(read('imagePullSecrets')) ? [] : [carried('imagePullSecrets', value)],
  ),
  ...['nameOverride', 'fullnameOverride', 'namespaceOverride'].map(key => dropped(key, ownNames)),
  dropped('checksumValuesOnly', 'a changed configuration starts no pod of ours anew'),
  dropped('priorityClassName', 'our pods have classes of their own (controller.priorityClassName, agent.priorityClassName)'),
  dropped('postDeleteCleanup', 'ours leaves what nodes have when it is uninstalled; nfd-master -prune takes it away'),
  converted('gc.enable', value => [
    value === false
      ? { kind: 'changed', to: 'capabilities.features.enabled', value: true, why: `nothing was collected; ${collectsItself}` }
      : left(collectsItself),
  ]),
  ...[
    ...['interval', 'replicaCount', 'extraArgs', 'extraEnvs', 'hostNetwork', 'hostUsers', 'dnsPolicy', 'port', 'metricsPort'],
    ...['serviceAccount', 'rbac', 'podSecurityContext', 'initContainers', 'livenessProbe', 'readinessProbe', 'resources'],
    ...['nodeSelector', 'tolerations', 'annotations', 'labels', 'deploymentAnnotations', 'affinity', 'podDisruptionBudget'],
    ...['revisionHistoryLimit', 'networkPolicy'],
  ].map(key => dropped(`gc.${key}`, collectsItself)),
  lostUnlessEmpty(
    'topologyUpdater.enable',
    'ours publishes no NodeResourceTopology: keep the topology updater by a release of its own',
  ),
  ...[
    ...['createCRDs', 'updateInterval', 'watchNamespace', 'kubeletStateDir', 'kubeletConfigPath', 'kubeletPodResourcesSockPath'],
    ...['podSetFingerprint', 'config', 'extraArgs', 'extraEnvs', 'hostNetwork', 'hostUsers', 'dnsPolicy', 'port', 'metricsPort'],
    ...['healthPort', 'daemonsetAnnotations', 'annotations', 'labels', 'podSecurityContext', 'securityContext', 'initContainers'],
    ...[
      'serviceAccount',
      'revisionHistoryLimit',
      'rbac',
      'resources',
      'nodeSelector',
      'tolerations',
      'affinity',
      'networkPolicy',
    ],
    ...['livenessProbe', 'readinessProbe'],
  ].map(key => dropped(`topologyUpdater.${key}`, ofUpdater)),
  same('prometheus.enable', 'metrics.serviceMonitor.enabled'),
  same('prometheus.scrapeInterval', 'metrics.serviceMonitor.interval'),
  converted('prometheus.labels', value => (isEmpty(value) ? [] : [carried('metrics.serviceMonitor.labels', value)])),
]

export const nfdRows: readonly ValuesRow[] = [...masterRows, ...workerRows, ...otherRows]

/** Values of ours for the chart's. */
export function convertNfd(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: RowContext['namespace']
}): ConvertedValues {
  return convertValues({ rows: nfdRows, ...input, start: { capabilities: { features: { enabled: true } } } })
}
