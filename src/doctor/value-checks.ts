// Values of releases that their chart does not know: Helm takes them without a word.

import { at, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { convertValues, isOlder } from '#upstreams/convert-values.ts'
import { replaceable, upstreams } from '#upstreams/upstreams.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

export function checkValues(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'HelmRelease').flatMap(release => valueFindings(release))
}

function removed(release: KubeObject, chart: string | undefined, version: string | undefined): readonly Finding[] {
  if (version === undefined || !/^v?\d+\.\d+\.\d+$/.test(version)) return []
  return upstreams
    .flatMap(({ removedKeys }) => removedKeys)
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

/** Findings for a HelmRelease: every unknown key in charts whose keys are all recorded, and keys of other charts that were known once. */
export function valueFindings(release: KubeObject, tag?: string): readonly Finding[] {
  const values = at(release, 'spec', 'values')
  const chart = textAt(release, 'spec', 'chart', 'spec', 'chart') ?? textAt(release, 'spec', 'chartRef', 'name')
  if (!isTree(values)) return []
  const named = textAt(release, 'spec', 'chart', 'spec', 'version') ?? tag
  const { rows, knownVersions } = replaceable().find(({ replaced }) => (replaced.chart ?? replaced.id) === chart)?.replaced ?? {}
  if (rows === undefined || knownVersions === undefined) return removed(release, chart, named)
  const version = named !== undefined && knownVersions.test(named) ? named : undefined
  const { report } = convertValues({ rows, version, values, namespace: release.metadata.namespace, start: {} })
  const unknown = report
    .filter(({ kind }) => kind === 'unknown')
    .map(({ from, why }) =>
      finding('value-dropped', {
        object: shown(release),
        message: `spec.values.${from} has no effect: ${why ?? 'the chart does not know it'}`,
        fix: `take spec.values.${from} away, or write it as the chart has it`,
      }),
    )
  return [...removed(release, chart, named), ...unknown]
}
