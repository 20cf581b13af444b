// What is wrong in a GitOps repository: sources and dependencies that are not there, jobs done twice, annotations nobody reads.

import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { upstreams } from '#upstreams/upstreams.ts'
import { capabilityFindings } from './capability-findings.ts'
import { type Finding, finding, inOrder } from './finding.ts'
import { checkHelmfile } from './helmfile-checks.ts'
import { goneCharts, mirrorAddress } from './mirror-charts.ts'
import { findObject, mayLieIn, namespacesToTry } from './repository/find-object.ts'
import { hasVariables, nameWithVariables } from './repository/left-alone.ts'
import { isChartPatched } from './repository/patches.ts'
import { upstreamFindings } from './repository/upstream-findings.ts'
import { isFluxKustomization, type Repository, type RepositoryObject } from './repository.ts'
import { valueFindings } from './value-checks.ts'

/** Everything that is wrong with it, errors first. Pure. */
export function examineRepository(repository: Repository): readonly Finding[] {
  const { objects } = repository
  const applied = objects.filter(({ isApplied }) => isApplied)
  const releases = applied.filter(({ object }) => object.kind === 'HelmRelease')
  return inOrder([
    ...repository.findings,
    ...upstreamFindings(repository),
    ...releases.flatMap(release => [...sourceFindings(release, repository), ...values(release, objects)]),
    ...applied.filter(({ object }) => object.kind === 'OCIRepository').flatMap(tagRange),
    ...releases.flatMap(release => mirrored(release, objects)),
    ...unusedRepositories(repository),
    ...dependencies(repository),
    ...unpinned(repository),
    ...twice(applied, objects),
    ...repository.helmfiles.flatMap(checkHelmfile),
    ...repository.keys.flatMap(({ key, value, file, line }) =>
      [...capabilityFindings.values()].flatMap(
        ({ annotation }) => annotation?.(key, value, { object: `${file}:${line}`, file, line }) ?? [],
      ),
    ),
  ])
}

const place = ({ object, file, line }: RepositoryObject, more = '') => ({
  object: `${object.kind} ${object.metadata.name} (${file}:${line})${more}`,
  file,
  line,
})

/** Might an object of `kind` be made by something whose output is not in the repository? */
const isUnseen = ({ unseenKinds }: Repository, kind: string): boolean => unseenKinds.has(kind) || unseenKinds.has('*')

function sourceFindings(release: RepositoryObject, repository: Repository): readonly Finding[] {
  const { objects, chartPatches } = repository
  const chart = at(release.object, 'spec', 'chart')
  const reference = at(release.object, 'spec', 'chartRef')
  if ((chart === undefined) === (reference === undefined)) {
    if (isChartPatched(chartPatches, release)) return []
    const which = chart === undefined ? 'neither chart nor chartRef' : 'both chart and chartRef'
    return [
      finding('flux-both-chart-and-ref', {
        ...place(release),
        message: `has ${which}: Flux takes exactly one`,
        fix: chart === undefined ? 'add spec.chartRef, or spec.chart' : 'take spec.chart away',
      }),
    ]
  }
  const source = reference ?? at(chart, 'spec', 'sourceRef')
  const kind = textAt(source, 'kind') ?? ''
  const name = textAt(source, 'name') ?? ''
  const namespace = textAt(source, 'namespace')
  if (kind === '' || name === '' || hasVariables(name) || isUnseen(repository, kind)) return []
  if (findObject(objects, kind, name, namespacesToTry(release, namespace)) !== undefined) return []
  const elsewhere = objects.find(({ object }) => object.kind === kind && object.metadata.name === name)
  if (elsewhere !== undefined && isChartPatched(chartPatches, release)) return []
  const near = elsewhere === undefined ? '' : `; there is one in ${elsewhere.namespaces.join(', ')} (${elsewhere.file})`
  return [
    finding('flux-dangling-source', {
      ...place(release),
      message: `${kind} ${namespace === undefined ? name : `${namespace}/${name}`} is not in this repository${near}`,
      fix:
        elsewhere?.namespaces[0] === undefined ? `add ${kind} ${name}` : `namespace: ${elsewhere.namespaces[0]} in the reference`,
    }),
  ]
}

function values(release: RepositoryObject, objects: readonly RepositoryObject[]): readonly Finding[] {
  const name = textAt(release.object, 'spec', 'chartRef', 'name')
  const source = name === undefined ? undefined : findObject(objects, 'OCIRepository', name, namespacesToTry(release))
  const tag = textAt(source?.object, 'spec', 'ref', 'tag')
  return valueFindings(release.object, tag).map(one => ({ ...one, file: release.file, line: release.line }))
}

function tagRange(repository: RepositoryObject): readonly Finding[] {
  const tag = textAt(repository.object, 'spec', 'ref', 'tag') ?? ''
  if (!/[\^~*<>|]|\bx\b|\s/.test(tag) || hasVariables(tag)) return []
  return [
    finding('flux-tag-range', {
      ...place(repository),
      message: `spec.ref.tag is ${JSON.stringify(tag)}, a range: tags are taken literally and there is none of that name`,
      fix: `spec.ref: {semver: ${JSON.stringify(tag)}}`,
    }),
  ]
}

/** A chart that its mirror has dropped: what is installed goes on, and the next change of its version finds nothing. */
function mirrored(release: RepositoryObject, objects: readonly RepositoryObject[]): readonly Finding[] {
  const chart = chartName(release, objects)
  const source = at(release.object, 'spec', 'chartRef') ?? at(release.object, 'spec', 'chart', 'spec', 'sourceRef')
  const name = textAt(source, 'name') ?? ''
  const namespace = textAt(source, 'namespace')
  const repository = findObject(objects, textAt(source, 'kind') ?? '', name, namespacesToTry(release, namespace))
  const gone = goneCharts.find(one => one.chart === chart)
  if (gone === undefined || textAt(repository?.object, 'spec', 'url')?.includes(mirrorAddress) !== true) return []
  return [
    finding('flux-mirror-deprecated', {
      ...place(repository ?? release),
      message: `${release.object.metadata.name} takes ${gone.chart} from ${mirrorAddress}, which dropped it${gone.since === undefined ? '' : ` on ${gone.since}`}: no newer version will come`,
      fix: gone.source === undefined ? "take it from upstream's own source" : `spec.url: ${gone.source}`,
    }),
  ]
}

function unusedRepositories(repository: Repository): readonly Finding[] {
  const { objects } = repository
  if (isUnseen(repository, 'HelmRelease')) return []
  const references = objects.flatMap(one => [
    { from: one, to: at(one.object, 'spec', 'chart', 'spec', 'sourceRef') },
    { from: one, to: at(one.object, 'spec', 'sourceRef') },
    ...listAt(one.object, 'spec', 'healthChecks').map(to => ({ from: one, to })),
  ])
  return objects
    .filter(({ object, isApplied }) => isApplied && object.kind === 'HelmRepository' && !hasVariables(object.metadata.name))
    .filter(
      repository =>
        !references.some(
          ({ from, to }) =>
            textAt(to, 'kind') === 'HelmRepository' &&
            isSame(textAt(to, 'name') ?? '', repository.object.metadata.name) &&
            namespacesToTry(from, textAt(to, 'namespace')).some(namespace => mayLieIn(repository, namespace)),
        ),
    )
    .map(repository =>
      finding('flux-unused-repository', {
        ...place(repository),
        message: 'nothing in this repository takes a chart from it',
        fix: `delete it from ${repository.file}`,
      }),
    )
}

const isSame = (written: string, name: string) =>
  written === name || (hasVariables(written) && nameWithVariables(written).test(name))

function dependencies(repository: Repository): readonly Finding[] {
  const { objects } = repository
  return ['Kustomization', 'HelmRelease'].flatMap(kind => {
    const ones = objects.filter(({ object }) => object.kind === kind && (kind === 'HelmRelease' || isFluxKustomization(object)))
    const edges = new Map<RepositoryObject, RepositoryObject[]>()
    const missing: Finding[] = []
    for (const one of ones.filter(({ isApplied }) => isApplied)) {
      for (const dependency of listAt(one.object, 'spec', 'dependsOn')) {
        const name = textAt(dependency, 'name') ?? ''
        const namespace = textAt(dependency, 'namespace')
        if (name === '' || hasVariables(name) || isUnseen(repository, kind)) continue
        const target = findObject(ones, kind, name, namespacesToTry(one, namespace))
        if (target === undefined) missing.push(missingDependency(one, { name, namespace }, ones))
        else edges.set(one, [...(edges.get(one) ?? []), target])
      }
    }
    return [...missing, ...cycles(edges)]
  })
}

function missingDependency(
  one: RepositoryObject,
  { name, namespace }: { readonly name: string; readonly namespace: string | undefined },
  ones: readonly RepositoryObject[],
): Finding {
  const nearest = ones.find(({ object }) => object.metadata.name === name)
  const wanted = `${namespace ?? one.namespaces[0] ?? 'its own namespace'}/${name}`
  const near = nearest === undefined ? '' : `; the nearest is ${nearest.namespaces.join(', ')}/${name} (${nearest.file})`
  return finding('flux-depends-missing', {
    ...place(one),
    message: `depends on ${one.object.kind} ${wanted}, which is not in this repository${near}: it will wait for ever`,
    fix:
      nearest?.namespaces[0] === undefined
        ? `take the dependency on ${name} away, or add it`
        : `dependsOn: [{name: ${name}, namespace: ${nearest.namespaces[0]}}]`,
  })
}

/** Each cycle once, named from its first in order of files. */
function cycles(edges: ReadonlyMap<RepositoryObject, readonly RepositoryObject[]>): readonly Finding[] {
  const found: Finding[] = []
  const done = new Set<RepositoryObject>()
  const walk = (one: RepositoryObject, path: readonly RepositoryObject[]) => {
    const index = path.indexOf(one)
    if (index >= 0) {
      const names = [...path.slice(index), one].map(({ object }) => object.metadata.name)
      found.push(
        finding('flux-depends-cycle', {
          ...place(path[index] ?? one),
          message: `waits for itself: ${names.join(' -> ')}`,
          fix: 'take one of these dependencies away',
        }),
      )
      return
    }
    if (done.has(one)) return
    for (const next of edges.get(one) ?? []) walk(next, [...path, one])
    done.add(one)
  }
  for (const one of edges.keys()) walk(one, [])
  return found
}

/** A branch is no version: it moves. */
const movingReference = /[?&](ref|version)=(main|master|develop|HEAD|latest)(&|$)/

function isPinned(url: string): boolean {
  if (movingReference.test(url)) return false
  return /[?&](ref|version)=\S+/.test(url) || /\/(releases\/download|raw\/v?\d)|\/v?\d+\.\d+/.test(url)
}

/** Files of a repository are pinned in their path, repositories by a query. */
function pinnedFix(url: string): string {
  const bare = url.replace(/[?].*$/, '')
  const raw = /^(https:\/\/raw\.githubusercontent\.com\/[^/]+\/[^/]+\/)(?:refs\/(?:heads|tags)\/)?[^/]+(\/.*)$/.exec(bare)
  if (raw !== null) return `${raw[1]}<tag>${raw[2]}`
  return /^https:.*\.ya?ml$/.test(bare) ? `an address of ${bare} that has a version in it` : `${bare}?ref=<tag>`
}

function unpinned({ remote }: Repository): readonly Finding[] {
  return remote
    .filter(({ url }) => !isPinned(url))
    .map(({ url, file }) =>
      finding('flux-remote-base-unpinned', {
        object: file,
        file,
        message: `${url} has no fixed version: what is applied changes when somebody else pushes`,
        fix: pinnedFix(url),
      }),
    )
}

/** Charts whose two instances fight, and ours beside them; in one cluster each. */
function twice(applied: readonly RepositoryObject[], objects: readonly RepositoryObject[]): readonly Finding[] {
  const fighting = upstreams.filter(({ twice: fights }) => fights !== undefined)
  const isScaledToNone = (object: KubeObject) =>
    fighting.some(({ twice: fights }) => fights?.isScaledToNone?.(valuesOf(object)) === true)
  const active = applied.filter(({ object }) => !isSuspended(object) && !isScaledToNone(object))
  return [...Map.groupBy(active, ({ file }) => clusterOf(file)).values()].flatMap(ofCluster =>
    fighting.flatMap(upstream => {
      const [first, ...more] = ofCluster.filter(one => upstream.names.includes(chartName(one, objects) ?? ''))
      if (first === undefined) return []
      const ours = ofCluster.filter(
        one =>
          chartName(one, objects) === 'ballast' &&
          at(valuesOf(one.object), 'capabilities', upstream.capability, 'enabled') === true,
      )
      return [
        ...more.map(one => duty(one, `a second ${upstream.name}: ${first.file} has one already`, 'remove one of them')),
        ...ours.map(one =>
          duty(
            one,
            `enables ${upstream.capability} while ${first.file} installs ${upstream.name}`,
            `ballast migrate plan ${upstream.replaced?.id}`,
          ),
        ),
      ]
    }),
  )
}

/** Repositories of several clusters have a folder for each: `clusters/home/…`, `production/…`. */
function clusterOf(file: string): string {
  const named = /(?:^|\/)(?:clusters|environments|overlays)\/([^/]+)\//.exec(file)?.[1]
  return named ?? /(?:^|\/)(staging|production|prod|dev|development|test)\//.exec(file)?.[1] ?? ''
}

function duty(one: RepositoryObject, message: string, fix: string): Finding {
  return finding('double-duty', { ...place(one), message, fix })
}

const isSuspended = (object: KubeObject) => at(object, 'spec', 'suspend') === true

/** Values of a HelmRelease or an Application. */
const valuesOf = (object: KubeObject) =>
  object.kind === 'Application' ? at(object, 'spec', 'source', 'helm', 'valuesObject') : at(object, 'spec', 'values')

/** Our chart as it lies in our repository. */
const chartFolder = /(^|\/)deploy\/chart\/?$/

/** Chart of a HelmRelease or an Application, by name, by its folder or by the end of its OCI address. */
function chartName(one: RepositoryObject, objects: readonly RepositoryObject[]): string | undefined {
  const { object } = one
  if (object.kind === 'Application') {
    const isOurs = chartFolder.test(textAt(object, 'spec', 'source', 'path') ?? '')
    return isOurs ? 'ballast' : textAt(object, 'spec', 'source', 'chart')
  }
  if (object.kind !== 'HelmRelease') return undefined
  const named = textAt(object, 'spec', 'chart', 'spec', 'chart')
  if (named !== undefined) return chartFolder.test(named) ? 'ballast' : named
  const reference = textAt(object, 'spec', 'chartRef', 'name')
  if (reference === undefined) return undefined
  const source = findObject(objects, 'OCIRepository', reference, namespacesToTry(one))
  return textAt(source?.object, 'spec', 'url')?.split('/').at(-1) ?? reference
}
