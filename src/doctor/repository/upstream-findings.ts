// Upstreams that a repository installs, with their versions, and what a swap of each would do.
import { at, textAt } from '#kube/objects/object-fields.ts'
import { isOlder } from '#upstreams/convert-values.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { swapWords } from '#upstreams/swap-words.ts'
import type { Upstream } from '#upstreams/upstream.ts'
import { upstreams } from '#upstreams/upstreams.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { type Finding, finding } from '../finding.ts'
import type { Repository, RepositoryObject } from '../repository.ts'
import { type ChartUse, chartUses } from './charts.ts'

/** Where an upstream is installed, and in which version. */
interface UpstreamUse {
  readonly upstream: Upstream
  /** `chart reloader 2.2.7`, `image v1.2.3`. */
  readonly what: string
  readonly use: Omit<ChartUse, 'chart'>
}

/** Every upstream that the repository installs, each once a file. */
function upstreamUses(repository: Repository, among: readonly Upstream[] = upstreams): readonly UpstreamUse[] {
  const charted = chartUses(repository).flatMap((use): readonly UpstreamUse[] => {
    const upstream = among.find(({ names }) => names.includes(use.chart))
    return upstream === undefined ? [] : [{ upstream, what: versioned(`chart ${use.chart}`, use.version), use }]
  })
  const applied = repository.objects.filter(({ isApplied }) => isApplied)
  const seen = new Set<string>()
  return [...charted, ...plain(applied, among), ...byImage(applied, among), ...byAddress(repository, among)].filter(one => {
    const key = `${one.upstream.name} ${one.use.file}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

const versioned = (what: string, version: string | undefined) =>
  version === undefined ? `${what}, no version said` : `${what} ${version}`

/** Workloads that are written out. */
function plain(objects: readonly RepositoryObject[], among: readonly Upstream[]): readonly UpstreamUse[] {
  const places = new Map(objects.map(one => [one.object, one]))
  return findUpstreams([...places.keys()], among).flatMap(({ upstream, workload, version, isLive }) => {
    const place = places.get(workload)
    if (place === undefined) return []
    const use = {
      version,
      by: `${workload.kind} ${workload.metadata.name}`,
      file: place.file,
      line: place.line,
      isSuspended: !isLive,
      hasValues: false,
    }
    return [{ upstream, what: versioned('image', version), use }]
  })
}

const deepestValues = 12

/** Releases of a chart for any program, whose values name an upstream's image. */
function byImage(objects: readonly RepositoryObject[], among: readonly Upstream[]): readonly UpstreamUse[] {
  return objects
    .filter(({ object }) => object.kind === 'HelmRelease')
    .flatMap(({ object, file, line }) =>
      imagesIn(at(object, 'spec', 'values'), deepestValues).flatMap(({ repository, tag }) => {
        const upstream = among.find(({ images }) =>
          images.some(image => image.includes('/') && (repository === image || repository.endsWith(`/${image}`))),
        )
        if (upstream === undefined) return []
        const isSuspended = at(object, 'spec', 'suspend') === true
        const use = { version: tag, by: `HelmRelease ${object.metadata.name}`, file, line, isSuspended, hasValues: false }
        return [{ upstream, what: versioned('image', tag?.replace(/@.*$/, '')), use }]
      }),
    )
}

function imagesIn(values: unknown, depth: number): readonly { readonly repository: string; readonly tag: string | undefined }[] {
  if (depth === 0) return []
  if (Array.isArray(values)) return values.flatMap(one => imagesIn(one, depth - 1))
  if (!isTree(values)) return []
  const repository = textAt(values, 'repository')
  const own = repository === undefined ? [] : [{ repository, tag: textAt(values, 'tag') }]
  return [...own, ...Object.values(values).flatMap(one => imagesIn(one, depth - 1))]
}

/** Manifests that a kustomization takes from an upstream's own repository. */
function byAddress({ remote }: Repository, among: readonly Upstream[]): readonly UpstreamUse[] {
  return remote.flatMap(({ url, file }) => {
    const parts = url
      .replace(/[?#].*$/, '')
      .replace(/\.git\b/, '')
      .split(/[/:]+/)
    const owner = parts.findIndex(part => part === 'github.com' || part === 'raw.githubusercontent.com')
    const upstream = among.find(({ names }) => owner >= 0 && names.includes(parts[owner + 2] ?? ''))
    if (upstream === undefined) return []
    const version = /[?&](?:ref|version)=([^&]+)/.exec(url)?.[1] ?? /\/(v?\d+\.\d+[\w.+-]*)\//.exec(url)?.[1]
    const use = { version, by: 'a remote resource', file, line: 1, isSuspended: false, hasValues: false }
    return [{ upstream, what: versioned('manifests', version), use }]
  })
}

const isOfHelmfile = ({ use }: UpstreamUse) => use.by.endsWith(' of helmfile')

/**
 * The uses that are told. A helmfile that begins a cluster often installs first, or for its definitions alone, what Flux or Argo CD
 * installs afterwards: that is told where these do.
 */
export function toldUses(repository: Repository): readonly UpstreamUse[] {
  const uses = upstreamUses(repository)
  const elsewhere = new Set(uses.filter(use => !isOfHelmfile(use)).map(({ upstream }) => upstream))
  return uses.filter(use => !isOfHelmfile(use) || !elsewhere.has(use.upstream))
}

/** One note for each upstream and file. */
export function upstreamFindings(repository: Repository): readonly Finding[] {
  return toldUses(repository).map(({ upstream, what, use }) =>
    finding('upstream-present', {
      object: `${use.by} (${use.file}:${use.line})`,
      file: use.file,
      line: use.line,
      capability: upstream.capability,
      message: `${upstream.name} (${what}) is installed${use.isSuspended ? ', switched off' : ''}; ${swapOf(upstream)}`,
      fix: fixOf(upstream, use),
    }),
  )
}

function swapOf({ capability, replaced }: Upstream): string {
  if (replaced === undefined) return 'no part of Ballast takes its place yet'
  return `Ballast's ${capability} takes its place: ${swapWords[replaced.swap.part.kind]}`
}

function fixOf({ name, replaced }: Upstream, { file, version, hasValues }: UpstreamUse['use']): string {
  if (replaced === undefined) return `nothing to do: Ballast leaves ${name} alone`
  const plan = `ballast migrate plan ${replaced.id}`
  if (!hasValues || version === undefined || !/^v?\d+\.\d+\.\d+$/.test(version)) return plan
  const [oldest = '', newest = ''] = [replaced.versions[0], replaced.versions.at(-1)]
  if (isOlder(version, oldest) || isOlder(newest, version))
    return `${plan}   # its values are known from chart ${oldest} to ${newest}: go to one of these first`
  return `${plan}   # its values: ballast migrate values --from ${replaced.id}@${version} ${file}`
}
