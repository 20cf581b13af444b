// Values of releases that their chart does not know: Helm takes them without a word.

import { at, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { convertValues, isOlder } from '#upstreams/convert-values.ts'
import { deschedulerRows } from '#upstreams/descheduler-rows.ts'
import { reloaderRows } from '#upstreams/reloader-rows.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

export function checkValues(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'HelmRelease').flatMap(release => valueFindings(release))
}

/** Keys that other upstreams' charts have taken away; the first version without them. */
const removedKeys = [
  {
    chart: 'intel-device-plugins-gpu',
    path: 'resourceManager',
    since: '0.36.0',
    now: 'the plugin has no resource manager any more',
  },
  { chart: 'spegel', path: 'service.registry.hostPort', since: '0.7.5', now: 'the port is service.registry.nodePort' },
] as const

function removed(release: KubeObject, chart: string | undefined, version: string | undefined): readonly Finding[] {
  if (version === undefined || !/^v?\d+\.\d+\.\d+$/.test(version)) return []
  return removedKeys
    .filter(one => one.chart === chart && !isOlder(version, one.since))
    .filter(({ path }) => at(release, 'spec', 'values', ...path.split('.')) !== undefined)
    .map(({ path, now }) =>
      finding('value-dropped', {
        object: shown(release),
        message: `spec.values.${path} has no effect: chart ${version} does not know it; ${now}`,
        fix: `take spec.values.${path} away`,
      }),
    )
}

/** Charts of which every key is known. */
const charts = [
  { chart: 'reloader', rows: reloaderRows, versions: /^v?2\.2\.\d+$/ },
  { chart: 'descheduler', rows: deschedulerRows, versions: /^v?0\.3[3-7]\.\d+$/ },
] as const

/** Findings for a HelmRelease: every unknown key in the charts of Reloader and the descheduler, and keys of other charts that were known once. */
export function valueFindings(release: KubeObject, tag?: string): readonly Finding[] {
  const values = at(release, 'spec', 'values')
  const chart = textAt(release, 'spec', 'chart', 'spec', 'chart') ?? textAt(release, 'spec', 'chartRef', 'name')
  if (!isTree(values)) return []
  const named = textAt(release, 'spec', 'chart', 'spec', 'version') ?? tag
  const known = charts.find(one => one.chart === chart)
  if (known === undefined) return removed(release, chart, named)
  const version = named !== undefined && known.versions.test(named) ? named : undefined
  const { report } = convertValues({ rows: known.rows, version, values, namespace: release.metadata.namespace, start: {} })
  return report
    .filter(({ kind }) => kind === 'unknown')
    .map(({ from, why }) =>
      finding('value-dropped', {
        object: shown(release),
        message: `spec.values.${from} has no effect: ${why ?? 'the chart does not know it'}`,
        fix: `take spec.values.${from} away, or write it as the chart has it`,
      }),
    )
}
