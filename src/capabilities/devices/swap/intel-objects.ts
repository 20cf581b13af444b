// What Intel's plugins are told in a cluster, as values of ours: by objects of its operator, and by DaemonSets of plain manifests.

import { isDeepStrictEqual } from 'node:util'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { type ConvertedValues, convertValues, type ReportLine } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import type { Around } from '#upstreams/upstream.ts'
import { converted, dropped, type Step, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { pluginSettings } from '../flags/plugin-flags.ts'
import { chosenNodes, isSplitOnly, onlyOf } from './intel-rows.ts'

/** The devices of Intel that ours offers. */
type Device = 'gpu' | 'npu'

/** Kinds of upstream's operator whose plugins ours replaces. */
const ownKinds: Readonly<Record<string, Device>> = { GpuDevicePlugin: 'gpu', NpuDevicePlugin: 'npu' }

export const pluginGroup = 'deviceplugin.intel.com'

const isOfOperator = (object: unknown): object is ValuesTree =>
  isTree(object) && String(object['apiVersion']).startsWith(`${pluginGroup}/`)

const kindOf = (object: unknown): string => textAt(object, 'kind') ?? ''

/** The container that runs a plugin of Intel, by its image: whatever else its pod has. */
function pluginContainer(workload: unknown, device: Device): ValuesTree | undefined {
  const image = new RegExp(`(^|/)intel-${device}-plugin([:@].*)?$`)
  const containers = listAt(workload, 'spec', 'template', 'spec', 'containers').filter(isTree)
  return containers.find(container => image.test(textAt(container, 'image') ?? ''))
}

/** What a DaemonSet offers as a plugin of Intel; `undefined`: it is none that ours replaces. */
export function deviceOf(workload: unknown): Device | undefined {
  return (['gpu', 'npu'] as const).find(device => pluginContainer(workload, device) !== undefined)
}

/** Is it what `ballast migrate values` takes: an object of the operator, or a plugin's DaemonSet? */
export const isPluginObject = (object: unknown): boolean =>
  isOfOperator(object) || (kindOf(object) === 'DaemonSet' && deviceOf(object) !== undefined)

/** One plugin, as it is told. */
interface Plugin {
  readonly device: Device
  /** `GpuDevicePlugin igpu`. */
  readonly named: string
  /** Our section for its device. */
  readonly section: ValuesTree
  readonly nodes: ValuesTree
  readonly report: readonly ReportLine[]
}

/** Objects of a cluster, or of a file, among which `workload` is one. */
export function convertIntelObjects(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const all = [...new Map([workload, ...beside].filter(isTree).map(object => [keyOf(object), object])).values()]
  const objects = all.filter(isOfOperator)
  const known = new Set(objects.map(nameIn))
  const sets = all.filter(object => kindOf(object) === 'DaemonSet' && !known.has(ownerOf(object) ?? ''))
  const plugins = [
    ...objects.flatMap(object => ofObject(object, namespace)),
    ...sets.flatMap(set => ofSet(set, namespace)),
  ].toSorted((a, b) => (a.named < b.named ? -1 : 1))
  const others = objects.filter(object => ownKinds[kindOf(object)] === undefined).map(otherLine)
  const devices = (['gpu', 'npu'] as const).filter(device => plugins.some(plugin => plugin.device === device))
  const sections = Object.fromEntries(devices.map(device => [device, { enabled: true, ...first(plugins, device)?.section }]))
  const around = nodesOf(plugins)
  const report = [
    ...plugins.flatMap(plugin => [...plugin.report, ...differences(plugin, first(plugins, plugin.device))]),
    ...around.report,
    ...others,
  ]
  return {
    values: { capabilities: { devices: { enabled: true, ...onlyOf(...devices), ...sections } }, ...around.values },
    report,
    isLossy: report.some(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed'),
  }
}

const keyOf = (object: unknown): string => `${kindOf(object)} ${textAt(object, 'metadata', 'namespace') ?? ''}/${nameIn(object)}`
const nameIn = (object: unknown): string => `${kindOf(object)} ${textAt(object, 'metadata', 'name') ?? ''}`

/** The operator's object that a DaemonSet is made of: it says the same. */
function ownerOf(set: unknown): string | undefined {
  const owner = listAt(set, 'metadata', 'ownerReferences').find(one => valueAt(one, ['controller']) === true)
  return owner === undefined ? undefined : `${textAt(owner, 'kind')} ${textAt(owner, 'name')}`
}

const first = (plugins: readonly Plugin[], device: Device): Plugin | undefined => plugins.find(one => one.device === device)

function otherLine(object: ValuesTree): ReportLine {
  const why = 'ours has no such plugin: its object, its DaemonSet and the operator stay as they are'
  return { from: nameIn(object), kind: 'dropped', why }
}

/** Ours has one setting for all nodes. */
function differences({ device, named, section }: Plugin, told: Plugin | undefined): readonly ReportLine[] {
  if (told === undefined || told.named === named) return []
  const keys = [...new Set([...Object.keys(section), ...Object.keys(told.section)])]
  return keys
    .filter(key => !isDeepStrictEqual(section[key], told.section[key]))
    .map(key => ({
      from: named,
      kind: 'lost',
      why: `${key} is ${JSON.stringify(section[key])}, and ${JSON.stringify(told.section[key])} of ${told.named}: ours has one setting of ${device} for all nodes`,
    }))
}

/** Where our pods are to be: only one choice of nodes can be said. */
function nodesOf(plugins: readonly Plugin[]): Pick<ConvertedValues, 'values' | 'report'> {
  const [one, ...more] = plugins
  const choosing = plugins.filter(({ nodes }) => Object.keys(nodes).length > 0)
  if (one === undefined || choosing.length === 0) return { values: {}, report: [] }
  const isOne = more.every(({ nodes }) => isDeepStrictEqual(nodes, one.nodes))
  if (isOne) {
    const report = Object.keys(one.nodes).map(
      (key): ReportLine => ({ from: `${one.named}: ${key}`, kind: 'carried', to: `agent.${key}` }),
    )
    return { values: { agent: one.nodes }, report }
  }
  const why = 'other plugins have other nodes: ours offers what is there on every node'
  return { values: {}, report: choosing.map(({ named }) => ({ from: `${named}: its nodes`, kind: 'lost', why })) }
}

const carried = (to: string, value: unknown): Step => ({ kind: 'carried', to, value })
const sectionRow = (path: string, key: string = path): ValuesRow => converted(path, value => [carried(key, value)])
const image = dropped('image', 'Ballast is one image of its own')
const specRows: Readonly<Record<Device, readonly ValuesRow[]>> = {
  gpu: [
    image,
    converted('initImage', value => [
      value === ''
        ? { kind: 'dropped', why: 'it says nothing' }
        : { kind: 'lost', why: 'its init container labels nodes by files; ours runs none, NodeFeatureRules give such labels' },
    ]),
    ...common(),
    ...['sharedDevNum', 'enableMonitoring', 'monitoringMode', 'allowIDs', 'denyIDs', 'bypathMode'].map(key => sectionRow(key)),
    sectionRow('preferredAllocationPolicy', 'allocationPolicy'),
    dropped('resourceManager', 'newer plugins do not know it, either'),
  ],
  npu: [image, ...common(), sectionRow('sharedDevNum')],
}

function common(): readonly ValuesRow[] {
  return [
    dropped('logLevel', 'logs follow process.logLevel'),
    converted('nodeSelector', value =>
      Object.keys(chosenNodes(value)).length > 0
        ? []
        : [{ kind: 'dropped', why: 'ours looks at every node, and offers nothing where nothing is' }],
    ),
    dropped('tolerations', 'our agents tolerate every taint (agent.tolerations)'),
  ]
}

/** Monitoring as plugins of this version do it. */
function monitored(section: ValuesTree, tag: string | undefined): ValuesTree {
  const isSplit = section['enableMonitoring'] === true && isSplitOnly(tag)
  return isSplit ? { ...section, monitoringMode: 'split' } : section
}

const tagOf = (reference: string | undefined): string | undefined => /:([^/@:]+)(?:@|$)/.exec(reference ?? '')?.[1]

/** Lines of the report with the object in front. */
const under = (named: string, report: readonly ReportLine[], device: Device): readonly ReportLine[] =>
  report.map(({ from, to, ...rest }) => ({
    from: `${named}: ${from}`,
    ...(to === undefined ? {} : { to: `capabilities.devices.${device}.${to}` }),
    ...rest,
  }))

const awake = (selector: unknown): ValuesTree => {
  const nodeSelector = chosenNodes(selector)
  return Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }
}

function ofObject(object: ValuesTree, namespace: string | undefined): readonly Plugin[] {
  const device = ownKinds[kindOf(object)]
  if (device === undefined) return []
  const spec: ValuesTree = Object(object['spec'])
  const { values, report } = convertValues({ rows: specRows[device], values: spec, version: undefined, namespace, start: {} })
  const named = nameIn(object)
  const nodes = awake(spec['nodeSelector'])
  const section = monitored(told(values), tagOf(textAt(spec, 'image')))
  return [{ device, named, section, nodes, report: under(named, report, device) }]
}

/** Without texts that say nothing. */
function told(section: ValuesTree): ValuesTree {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== ''))
}

/** Flags of the plugins, and the keys of ours that they set. */
const flagKeys: Readonly<Record<string, string>> = {
  'shared-dev-num': 'sharedDevNum',
  'allocation-policy': 'allocationPolicy',
  'enable-monitoring': 'enableMonitoring',
  'monitoring-mode': 'monitoringMode',
  bypath: 'bypathMode',
  'allow-ids': 'allowIDs',
  'deny-ids': 'denyIDs',
  'temp-limit': 'tempLimit',
  'gpu-temp-limit': 'gpuTempLimit',
  'memory-temp-limit': 'memoryTempLimit',
}

const sidecarWhy =
  "its sidecar for Level-Zero is in upstream's pod and goes with it: ours asks the kernel's files for health in its place"

function ofSet(set: ValuesTree, namespace: string | undefined): readonly Plugin[] {
  const device = deviceOf(set)
  if (device === undefined) return []
  const container = pluginContainer(set, device)
  const words = [...listAt(container, 'command').slice(1), ...listAt(container, 'args')].map(String)
  const named = nameIn(set)
  const pod: ValuesTree = Object(valueAt(set, ['spec', 'template', 'spec']))
  const nodeAffinity = valueAt(pod, ['affinity', 'nodeAffinity'])
  const nodes = { ...awake(pod['nodeSelector']), ...(isTree(nodeAffinity) ? { affinity: { nodeAffinity } } : {}) }
  try {
    const config: ValuesTree = { ...pluginSettings(`intel-${device}-plugin`, words).config[device] }
    const names = flagsIn(words).map(({ name }) => name)
    const values = Object.fromEntries(names.map(name => [name, config[flagKeys[name] ?? ''] ?? true]))
    const { values: section, report } = convertValues({ rows: flagRows(names), values, version: undefined, namespace, start: {} })
    const tag = tagOf(textAt(container, 'image'))
    return [{ device, named, section: monitored(section, tag), nodes, report: under(named, report, device) }]
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const why = `ours does not start with it: ${error.problems.map(problemSentence).join('; ')}`
    return [{ device, named, section: {}, nodes, report: [{ from: named, kind: 'lost', why }] }]
  }
}

function flagRows(names: readonly string[]): readonly ValuesRow[] {
  return names.map(name => {
    const key = flagKeys[name]
    if (key !== undefined) return sectionRow(name, key)
    if (name !== 'health-management') return dropped(name, 'it is not about what is offered')
    return converted(name, () => [{ kind: 'changed', to: 'health', value: 'sysfs', why: sidecarWhy }])
  })
}
