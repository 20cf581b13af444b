// What plugins on nodes are told, as values of ours: ours has one setting of each device for all nodes, and one choice of nodes.

import { isDeepStrictEqual } from 'node:util'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { type ConvertedValues, convertValues, type ReportLine } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import { converted, dropped, type Step, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { type PluginProgram, pluginSettings } from '../flags/plugin-flags.ts'
import { chosenNodes } from './chosen-nodes.ts'

/** Devices that ours offers, by the keys of their sections. */
const devices = ['gpu', 'npu', 'amd'] as const
type Device = (typeof devices)[number]

/** One plugin, as it is told. */
export interface ToldPlugin {
  readonly device: Device
  /** `GpuDevicePlugin igpu`. */
  readonly named: string
  /** Our section for its device. */
  readonly section: ValuesTree
  readonly nodes: ValuesTree
  readonly report: readonly ReportLine[]
}

/** What is not offered by upstream is not offered by ours, either. */
export const onlyOf = (...kinds: readonly Device[]): ValuesTree =>
  Object.fromEntries(devices.filter(kind => !kinds.includes(kind)).map(kind => [kind, { enabled: false }]))

/** Values of ours for all plugins together; `further` is said beside them. */
export function valuesOf(told: readonly ToldPlugin[], further: readonly ReportLine[]): ConvertedValues {
  const plugins = told.toSorted((a, b) => (a.named < b.named ? -1 : 1))
  const found = devices.filter(device => plugins.some(plugin => plugin.device === device))
  const sections = Object.fromEntries(found.map(device => [device, { enabled: true, ...first(plugins, device)?.section }]))
  const around = nodesOf(plugins)
  const report = [
    ...plugins.flatMap(plugin => [...plugin.report, ...differences(plugin, first(plugins, plugin.device))]),
    ...around.report,
    ...further,
  ]
  return {
    values: { capabilities: { devices: { enabled: true, ...onlyOf(...found), ...sections } }, ...around.values },
    report,
    isLossy: report.some(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed'),
  }
}

const first = (plugins: readonly ToldPlugin[], device: Device): ToldPlugin | undefined =>
  plugins.find(one => one.device === device)

/** Ours has one setting for all nodes. */
function differences({ device, named, section }: ToldPlugin, told: ToldPlugin | undefined): readonly ReportLine[] {
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
function nodesOf(plugins: readonly ToldPlugin[]): Pick<ConvertedValues, 'values' | 'report'> {
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
export const sectionRow = (path: string, key: string = path): ValuesRow => converted(path, value => [carried(key, value)])
export const tagOf = (reference: string | undefined): string | undefined => /:([^/@:]+)(?:@|$)/.exec(reference ?? '')?.[1]

/** Lines of the report with the object in front. */
export const under = (named: string, report: readonly ReportLine[], device: Device): readonly ReportLine[] =>
  report.map(({ from, to, ...rest }) => ({
    from: `${named}: ${from}`,
    ...(to === undefined ? {} : { to: `capabilities.devices.${device}.${to}` }),
    ...rest,
  }))

export const awake = (selector: unknown): ValuesTree => {
  const nodeSelector = chosenNodes(selector)
  return Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }
}

interface SetPlugin {
  readonly device: Device
  readonly program: PluginProgram
  /** The container that runs the plugin. */
  readonly container: unknown
  /** Flags of the plugin, and the keys of ours that they set. */
  readonly keys: Readonly<Record<string, string>>
  /** What becomes of flags that set no key, where it is not nothing. */
  readonly rows: Readonly<Record<string, ValuesRow>>
}

/** What a DaemonSet's plugin is told by its flags. */
export function ofSet(set: ValuesTree, plugin: SetPlugin, namespace: string | undefined): ToldPlugin {
  const { device, program, container, keys, rows } = plugin
  const words = [...listAt(container, 'command').slice(1), ...listAt(container, 'args')].map(String)
  const named = `${textAt(set, 'kind') ?? ''} ${textAt(set, 'metadata', 'name') ?? ''}`
  const pod: ValuesTree = Object(valueAt(set, ['spec', 'template', 'spec']))
  const nodeAffinity = valueAt(pod, ['affinity', 'nodeAffinity'])
  const nodes = { ...awake(pod['nodeSelector']), ...(isTree(nodeAffinity) ? { affinity: { nodeAffinity } } : {}) }
  try {
    const config: ValuesTree = { ...pluginSettings(program, words).config[device] }
    const names = flagsIn(words).map(({ name }) => name)
    const values = Object.fromEntries(names.map(name => [name, config[keys[name] ?? ''] ?? true]))
    const table = names.map(name => {
      const key = keys[name]
      return key === undefined ? (rows[name] ?? dropped(name, 'it is not about what is offered')) : sectionRow(name, key)
    })
    const { values: section, report } = convertValues({ rows: table, values, version: undefined, namespace, start: {} })
    return { device, named, section, nodes, report: under(named, report, device) }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const why = `ours does not start with it: ${error.problems.map(problemSentence).join('; ')}`
    return { device, named, section: {}, nodes, report: [{ from: named, kind: 'lost', why }] }
  }
}
