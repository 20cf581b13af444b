// Which charts a repository installs, in which version: by Flux, Argo CD, helmfile, k3s, kustomize, or as a part of a chart of its own.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { Repository, RepositoryObject } from '../repository.ts'
import { findObject, namespacesToTry } from './find-object.ts'

export interface ChartUse {
  readonly chart: string
  /** As it is written: a version, a tag, a range or a digest. */
  readonly version: string | undefined
  /** `HelmRelease reloader`. */
  readonly by: string
  readonly file: string
  readonly line: number
  /** It is written down and switched off. */
  readonly isSuspended: boolean
  /** Its values are in that file, in a form that `ballast migrate values` reads. */
  readonly hasValues: boolean
}

/** Every chart that something applied installs. */
export function chartUses(repository: Repository): readonly ChartUse[] {
  const { objects, helmfiles, charts, kustomizations } = repository
  return [
    ...objects.filter(({ isApplied }) => isApplied).flatMap(one => usesOf(one, objects)),
    ...helmfiles.flatMap(({ file, releases }) =>
      releases.map(({ name, chart, version, line }) => ({
        ...off,
        chart: lastPart(chart),
        version,
        by: `release ${name} of helmfile`,
        file,
        line,
      })),
    ),
    ...charts.flatMap(({ file, dependencies }) =>
      dependencies.map(({ name, version, line }) => ({
        ...off,
        chart: name,
        version,
        by: 'a dependency of Chart.yaml',
        file,
        line,
      })),
    ),
    ...kustomizations.filter(({ isApplied }) => isApplied).flatMap(inflated),
  ]
}

const off = { isSuspended: false, hasValues: false } as const

function inflated({ object, file, line }: RepositoryObject): readonly ChartUse[] {
  return listAt(object, 'helmCharts').flatMap(entry => {
    const chart = textAt(entry, 'name')
    return chart === undefined
      ? []
      : [{ ...off, chart, version: textAt(entry, 'version'), by: 'helmCharts of kustomize', file, line }]
  })
}

function usesOf(one: RepositoryObject, objects: readonly RepositoryObject[]): readonly ChartUse[] {
  const { object, file, line } = one
  const base = {
    by: `${object.kind} ${object.metadata.name}`,
    file,
    line,
    isSuspended: at(object, 'spec', 'suspend') === true,
  }
  const argo = object.apiVersion.startsWith('argoproj.io/')
  if (object.kind === 'HelmRelease') return released(one, objects).map(found => ({ ...base, ...found, hasValues: true }))
  if (object.kind === 'Application' && argo)
    return sources(at(object, 'spec')).map(found => ({ ...base, ...found, hasValues: true }))
  if (object.kind === 'ApplicationSet' && argo)
    return sources(at(object, 'spec', 'template', 'spec')).map(found => ({ ...base, ...found, hasValues: false }))
  if (object.kind !== 'HelmChart' || !object.apiVersion.startsWith('helm.cattle.io/')) return []
  const chart = textAt(object, 'spec', 'chart')
  if (chart === undefined) return []
  return [{ ...base, chart: lastPart(chart), version: textAt(object, 'spec', 'version'), hasValues: false }]
}

type Found = Pick<ChartUse, 'chart' | 'version'>

/** The chart of a HelmRelease: named in it, or through an OCIRepository or a HelmChart. */
function released(release: RepositoryObject, objects: readonly RepositoryObject[]): readonly Found[] {
  const named = textAt(release.object, 'spec', 'chart', 'spec', 'chart')
  if (named !== undefined)
    return [{ chart: lastPart(named), version: textAt(release.object, 'spec', 'chart', 'spec', 'version') }]
  const reference = at(release.object, 'spec', 'chartRef')
  const name = textAt(reference, 'name')
  if (name === undefined) return []
  const source = chartSource(release, reference, objects)
  if (source?.kind === 'HelmChart')
    return [{ chart: lastPart(textAt(source, 'spec', 'chart') ?? name), version: textAt(source, 'spec', 'version') }]
  const ref = at(source, 'spec', 'ref')
  const version = textAt(ref, 'tag') ?? textAt(ref, 'semver') ?? textAt(ref, 'digest')
  return [{ chart: lastPart(textAt(source, 'spec', 'url') ?? name), version }]
}

/** What `chartRef` names, where it is in the repository. */
function chartSource(release: RepositoryObject, reference: unknown, objects: readonly RepositoryObject[]) {
  const [kind, name] = [textAt(reference, 'kind') ?? '', textAt(reference, 'name') ?? '']
  return findObject(objects, kind, name, namespacesToTry(release, textAt(reference, 'namespace')))?.object
}

/** Sources of Argo CD: a chart of a registry, or the folder of one in somebody's repository. */
function sources(spec: unknown): readonly Found[] {
  return [at(spec, 'source'), ...listAt(spec, 'sources')].flatMap(source => {
    const path = textAt(source, 'path') ?? ''
    const chart = textAt(source, 'chart') ?? (/(^|\/)charts?\//.test(path) ? path : undefined)
    if (chart === undefined || chart.includes('{{')) return []
    return [{ chart: lastPart(chart), version: textAt(source, 'targetRevision') }]
  })
}

/** The chart's name at the end of an address, a path or `repository/name`; an archive's name without its version. */
function lastPart(chart: string): string {
  const last = chart.replace(/\/+$/, '').split('/').at(-1) ?? chart
  return last.replace(/-v?\d[\w.+-]*\.tgz$/, '')
}
