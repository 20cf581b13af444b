// What becomes of each key of Intel's charts (operator, GPU plugin, NPU plugin), 0.32 to 0.36: the tables of `ballast migrate values --from
// intel-device-plugins`.

import { type ConvertedValues, convertValues, isOlder } from '#upstreams/convert-values.ts'
import type { ChartInput } from '#upstreams/upstream.ts'
import { converted, dropped, isEmpty, lostUnlessEmpty, type Step, type ValuesRow } from '#upstreams/values-row.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { nodeSteps } from './chosen-nodes.ts'
import { onlyOf } from './told-plugins.ts'

export const gpuChart = 'intel-device-plugins-gpu'
export const npuChart = 'intel-device-plugins-npu'
export const operatorChart = 'intel-device-plugins-operator'

/** Charts whose keys are recorded, oldest first; that of the NPU plugin is there since 0.34.0. */
export const intelVersions: readonly string[] = ['0.32.0', '0.32.1', '0.34.0', '0.34.1', '0.35.0', '0.36.0']

/** The first plugin that offers one resource for monitoring of all drivers; before, each driver had its own. */
const firstSingleMonitoring = '0.36.0'

const oneImage = 'Ballast is one image of its own'
const noOperator = 'ours has no operator: our agents offer devices by themselves'

const carried = (to: string, value: unknown): Step => ({ kind: 'carried', to, value })
const carriedTo = (path: string, key: string, since?: string): ValuesRow =>
  converted(
    path,
    value => (isEmpty(value) ? [] : [carried(`capabilities.devices.${key}`, value)]),
    since === undefined ? {} : { since },
  )

const imageRows = ['hub', 'tag'].map(key => dropped(`image.${key}`, oneImage))

const objectRows: readonly ValuesRow[] = [
  dropped('name', 'its object keeps its name, and stays where it is'),
  dropped('annotations', 'they are those of its object, which stays where it is'),
  dropped('logLevel', 'logs follow process.logLevel'),
  converted('nodeSelector', nodeSteps),
  dropped('tolerations', 'our agents tolerate every taint (agent.tolerations)'),
  dropped('nodeFeatureRule', 'its NodeFeatureRules stay; ours needs no label to find a device'),
]

export const gpuRows: readonly ValuesRow[] = [
  ...objectRows,
  ...imageRows,
  converted('initImage.enable', value => [
    value === true
      ? { kind: 'lost', why: 'its init container labels nodes by files; ours runs none, NodeFeatureRules give such labels' }
      : { kind: 'dropped', why: "it is upstream's default and says nothing" },
  ]),
  ...['hub', 'tag'].map(key => dropped(`initImage.${key}`, 'it belongs to initImage.enable')),
  carriedTo('sharedDevNum', 'gpu.sharedDevNum'),
  converted('enableMonitoring', value => [carried('capabilities.devices.gpu.enableMonitoring', value)]),
  carriedTo('monitoringMode', 'gpu.monitoringMode', '0.36.0'),
  carriedTo('allocationPolicy', 'gpu.allocationPolicy'),
  carriedTo('allowIDs', 'gpu.allowIDs', '0.34.0'),
  carriedTo('denyIDs', 'gpu.denyIDs', '0.34.0'),
  carriedTo('bypathMode', 'gpu.bypathMode', '0.34.1'),
  lostUnlessEmpty(
    'resourceManager',
    'parts of a GPU (millicores, memory, tiles) are no resources of ours, nor of plugins since 0.34',
  ),
]

export const npuRows: readonly ValuesRow[] = [...objectRows, ...imageRows, carriedTo('sharedDevNum', 'npu.sharedDevNum')]

export const operatorRows: readonly ValuesRow[] = [
  ...['hub', 'tag', 'pullPolicy'].map(key => dropped(`manager.image.${key}`, oneImage)),
  converted('manager.devices', value =>
    Object.entries(Object(value)).flatMap(([kind, isOn]): readonly Step[] => {
      if (isOn !== true) return []
      const isOurs = kind === 'gpu' || kind === 'npu'
      const why = isOurs ? noOperator : `ours has no plugin for ${kind}: the operator stays while it has any to look after`
      return [{ kind: 'dropped', why }]
    }),
  ),
  ...['registryUrl', 'registryUser', 'registrySecret'].map(key =>
    dropped(`privateRegistry.${key}`, 'it is for images of upstream; ours are pulled by imagePullSecrets'),
  ),
  ...['nodeSelector', 'resources', 'tolerations', 'controllerExtraArgs'].map(key => dropped(key, noOperator)),
]

/** By what only one of the charts has; values of the NPU plugin are told by their name or nodes. */
function chartOf({ chart, values }: ChartInput): string {
  if (chart !== undefined) return chart
  if (['manager', 'privateRegistry', 'controllerExtraArgs'].some(key => key in values)) return operatorChart
  const words = JSON.stringify([values['name'], values['nodeSelector']])
  return /npu/i.test(words) ? npuChart : gpuChart
}

/** Has the plugin of this version a resource for monitoring for each driver, whatever it is told? */
export const isSplitOnly = (version: string | undefined): boolean =>
  version !== undefined && /^v?\d+\.\d+\.\d+/.test(version) && isOlder(version, firstSingleMonitoring)

/** Values of ours for those of one of the charts. */
export function convertIntelChart(input: ChartInput): ConvertedValues {
  const { values, version, namespace } = input
  const chart = chartOf(input)
  const common = { values, version, namespace }
  if (chart === operatorChart) return convertValues({ ...common, rows: operatorRows, start: {} })
  if (chart === npuChart) return convertValues({ ...common, rows: npuRows, start: started(onlyOf('npu')) })
  // The chart says so by itself.
  const isMonitored = valueAt(values, ['enableMonitoring']) ?? true
  const mode = isMonitored === true && isSplitOnly(version) ? { monitoringMode: 'split' } : {}
  const gpu = { enableMonitoring: isMonitored, ...mode }
  return convertValues({ ...common, rows: gpuRows, start: started({ ...onlyOf('gpu'), gpu }) })
}

const started = (section: ValuesTree): ValuesTree => ({ capabilities: { devices: { enabled: true, ...section } } })
