// What Intel's plugins are told in a cluster, as values of ours: by objects of its operator, and by DaemonSets of plain manifests.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { type ConvertedValues, convertValues, type ReportLine } from '#upstreams/convert-values.ts'
import type { Around } from '#upstreams/upstream.ts'
import { converted, dropped, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { chosenNodes } from './chosen-nodes.ts'
import { isSplitOnly } from './intel-rows.ts'
import { awake, ofSet, sectionRow, type ToldPlugin, tagOf, under, valuesOf } from './told-plugins.ts'

/** The devices of Intel that ours offers. */
type IntelDevice = 'gpu' | 'npu'

/** Kinds of upstream's operator whose plugins ours replaces. */
const ownKinds: Readonly<Record<string, IntelDevice>> = { GpuDevicePlugin: 'gpu', NpuDevicePlugin: 'npu' }

export const pluginGroup = 'deviceplugin.intel.com'

const isOfOperator = (object: unknown): object is ValuesTree =>
  isTree(object) && String(object['apiVersion']).startsWith(`${pluginGroup}/`)

const kindOf = (object: unknown): string => textAt(object, 'kind') ?? ''

/** The container that runs a plugin of Intel, by its image: whatever else its pod has. */
function pluginContainer(workload: unknown, device: IntelDevice): ValuesTree | undefined {
  const image = new RegExp(`(^|/)intel-${device}-plugin([:@].*)?$`)
  const containers = listAt(workload, 'spec', 'template', 'spec', 'containers').filter(isTree)
  return containers.find(container => image.test(textAt(container, 'image') ?? ''))
}

/** What a DaemonSet offers as a plugin of Intel; `undefined`: it is none that ours replaces. */
export function deviceOf(workload: unknown): IntelDevice | undefined {
  return (['gpu', 'npu'] as const).find(device => pluginContainer(workload, device) !== undefined)
}

/** Is it what `ballast migrate values` takes: an object of the operator, or a plugin's DaemonSet? */
export const isPluginObject = (object: unknown): boolean =>
  isOfOperator(object) || (kindOf(object) === 'DaemonSet' && deviceOf(object) !== undefined)

/** Objects of a cluster, or of a file, among which `workload` is one. */
export function convertIntelObjects(workload: ValuesTree, { beside, namespace }: Around): ConvertedValues {
  const all = [...new Map([workload, ...beside].filter(isTree).map(object => [keyOf(object), object])).values()]
  const objects = all.filter(isOfOperator)
  const known = new Set(objects.map(nameIn))
  const sets = all.filter(object => kindOf(object) === 'DaemonSet' && !known.has(ownerOf(object) ?? ''))
  const plugins = [...objects.flatMap(object => ofObject(object, namespace)), ...sets.flatMap(set => ofIntelSet(set, namespace))]
  return valuesOf(plugins, objects.filter(object => ownKinds[kindOf(object)] === undefined).map(otherLine))
}

const keyOf = (object: unknown): string => `${kindOf(object)} ${textAt(object, 'metadata', 'namespace') ?? ''}/${nameIn(object)}`
const nameIn = (object: unknown): string => `${kindOf(object)} ${textAt(object, 'metadata', 'name') ?? ''}`

/** The operator's object that a DaemonSet is made of: it says the same. */
function ownerOf(set: unknown): string | undefined {
  const owner = listAt(set, 'metadata', 'ownerReferences').find(one => valueAt(one, ['controller']) === true)
  return owner === undefined ? undefined : `${textAt(owner, 'kind')} ${textAt(owner, 'name')}`
}

function otherLine(object: ValuesTree): ReportLine {
  const why = 'ours has no such plugin: its object, its DaemonSet and the operator stay as they are'
  return { from: nameIn(object), kind: 'dropped', why }
}

const image = dropped('image', 'Ballast is one image of its own')
const specRows: Readonly<Record<IntelDevice, readonly ValuesRow[]>> = {
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

function ofObject(object: ValuesTree, namespace: string | undefined): readonly ToldPlugin[] {
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
  'xpumd-endpoint': 'xpumd',
}

const sidecarWhy =
  "its sidecar for Level-Zero is in upstream's pod and goes with it: ours asks the kernel's files for health in its place"

function ofIntelSet(set: ValuesTree, namespace: string | undefined): readonly ToldPlugin[] {
  const device = deviceOf(set)
  if (device === undefined) return []
  const container = pluginContainer(set, device)
  const told = ofSet(set, { device, program: `intel-${device}-plugin`, container, keys: flagKeys, rows: flagRows }, namespace)
  return [{ ...told, section: monitored(told.section, tagOf(textAt(container, 'image'))) }]
}

const flagRows: Readonly<Record<string, ValuesRow>> = {
  wsl: converted('wsl', () => [
    {
      kind: 'lost',
      why: "its sidecar for Level-Zero is in upstream's pod and goes with it: without one ours knows no GPU of Windows",
    },
  ]),
  'health-management': converted('health-management', () => [{ kind: 'changed', to: 'health', value: 'sysfs', why: sidecarWhy }]),
}
