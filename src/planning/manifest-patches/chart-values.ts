// Values of charts whose keys are known: app-template of bjw-s, of which whole clusters are made. There a workload is placed in the values
// that its owner wrote, not behind them. https://bjw-s-labs.github.io/helm-charts/docs/common-library/

import type { KubeObject } from '#kube/objects/objects.ts'
import { isFields, type Manifest, type ManifestFolder } from './manifests.ts'
import type { YamlPath } from './yaml-edit.ts'

const knownChart = 'app-template'

/** Where values say what an object says at some path. */
interface ValuePlace {
  /** From the values on. */
  readonly path: YamlPath
  /** What holds there now, also where it is inherited. */
  readonly before: unknown
}

/** Whether a HelmRelease makes a chart whose values are known: by the name of the chart, or by the address of its OCIRepository. */
export function isKnownRelease(folder: Pick<ManifestFolder, 'arrivals'>, { object }: Pick<Manifest, 'object'>): boolean {
  const spec = fieldsOf(object['spec'])
  const chart = fieldsOf(fieldsOf(spec['chart'])['spec'])['chart']
  if (typeof chart === 'string') return isKnownChart(chart)
  const { kind, name } = fieldsOf(spec['chartRef'])
  if (kind !== 'OCIRepository') return false
  const repositories = folder.arrivals.filter(({ manifest }) => manifest.kind === 'OCIRepository' && manifest.name === name)
  const addresses = new Set(repositories.map(({ manifest }) => fieldsOf(manifest.object['spec'])['url']))
  return addresses.size === 0 ? name === knownChart : [...addresses].every(isKnownChart)
}

/** By its name, or by an address that ends with it. */
export function isKnownChart(chart: unknown): boolean {
  return typeof chart === 'string' && chart.split('/').at(-1) === knownChart
}

/**
 * Where values of app-template (from its version 2 on, with `controllers`) say what `live` has at `path`: in the controller's own pod
 * options, or in those for all where they stand already and there is one controller. `undefined`: they do not say it.
 */
export function valuePlace(values: unknown, live: KubeObject, path: YamlPath): ValuePlace | undefined {
  const all = fieldsOf(values)
  const controllers = fieldsOf(all['controllers'])
  const name = controllerOf(Object.keys(controllers), live)
  if (name === undefined) return undefined
  const controller = fieldsOf(controllers[name])
  const [first, second, third] = path
  const key = String(path.at(-1))
  if (first === 'metadata' && second === 'labels')
    return plainPlace(['controllers', name, 'labels', key], fieldsOf(controller['labels'])[key])
  if (first !== 'spec' || second !== 'template' || third !== 'spec' || path.length !== 4) return undefined
  const own = fieldsOf(controller['pod'])[key]
  const shared = fieldsOf(all['defaultPodOptions'])[key]
  if (own === undefined && shared !== undefined && Object.keys(controllers).length === 1)
    return plainPlace(['defaultPodOptions', key], shared)
  return plainPlace(['controllers', name, 'pod', key], own ?? shared)
}

/** Text in place of a structure is a template of the chart's: it is not looked into. */
function plainPlace(path: YamlPath, before: unknown): ValuePlace | undefined {
  return typeof before === 'string' && !path.includes('labels') ? undefined : { path, before }
}

/** The controller that made the object: as its label says, else the only one. */
function controllerOf(names: readonly string[], { metadata }: KubeObject): string | undefined {
  const labels = metadata.labels ?? {}
  const said = labels['app.kubernetes.io/controller'] ?? labels['app.kubernetes.io/component']
  if (said !== undefined && names.includes(said)) return said
  return names.length === 1 ? names[0] : undefined
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isFields(value) ? value : {}
}
