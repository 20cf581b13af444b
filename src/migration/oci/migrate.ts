// Releases of Flux from charts of HelmRepositories to OCI artefacts, decided purely: what becomes of each release and why, and every file
// that changes, as text.
import { dirname, join, normalize } from 'node:path/posix'
import { filesFrom } from '#doctor/repository/applied.ts'
import { findObject, mayLieIn, namespacesToTry } from '#doctor/repository/find-object.ts'
import { hasVariables } from '#doctor/repository/left-alone.ts'
import { chartPatchOf } from '#doctor/repository/patches.ts'
import type { Repository, RepositoryObject } from '#doctor/repository.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { FileChange, FileRemoval } from '#planning/manifest-patches/unified-diff.ts'
import { isSame } from '#planning/manifest-patches/yaml-edit.ts'
import { carriedFields } from './carried.ts'
import { type ChartSource, chartSourceOf } from './chart-sources.ts'
import { referenceOf } from './chart-version.ts'
import { Clusters } from './clusters.ts'
import { FileEdits } from './file-edits.ts'
import { prunedRepositories, type RepositoryRow } from './prune.ts'
import { type TagLook, tagKey } from './registry-look.ts'
import { chartRefSplice, chartTextOf, placeBefore, schemaComment } from './release-text.ts'
import { type ChartArtefact, sourceObject, sourceText } from './source-text.ts'

export interface OciOptions {
  /** Rows of the user's table. */
  readonly rows: readonly ChartSource[]
  readonly mirror: boolean
  readonly allowUpgrade: boolean
  /** Take versions that are older than any that was seen at the registry. */
  readonly allowUnseen: boolean
  /** What registries said of tags, by `tagKey`; absent: none was asked. */
  readonly looks?: ReadonlyMap<string, TagLook>
  readonly copySecrets: boolean
  readonly style: 'keep' | 'same-file' | 'separate-file'
  /** Where neither the chart nor its repository has one. */
  readonly interval: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Repositories that nobody uses any more go; `unused`: also those that nobody used before. */
  readonly prune: 'nothing' | 'freed' | 'unused'
}

export interface ReleaseRow {
  /** `namespace/name`, as far as the namespace is known. */
  readonly release: string
  readonly file: string
  readonly line: number
  /** `left`: there is nothing to do, or nothing that can be done; `refused`: it would change what is installed, or cannot be written. */
  readonly outcome: 'migrated' | 'left' | 'refused'
  /** A word for why it is not migrated. */
  readonly reason?: string
  readonly because?: string
  readonly fix?: string
  /** Address of the chart before and after. */
  readonly from?: string
  readonly to?: string
  readonly version?: string
  /** The tag at the registry, where it is one, and whether it is there; left out: nobody asked. */
  readonly tag?: string
  readonly isThere?: boolean
  readonly notes: readonly string[]
}

export interface OciMigration {
  readonly releases: readonly ReleaseRow[]
  readonly repositories: readonly RepositoryRow[]
  readonly changes: readonly (FileChange | FileRemoval)[]
}

const sourceGroup = 'source.toolkit.fluxcd.io/'
const releaseGroup = 'helm.toolkit.fluxcd.io/'
const newFile = 'ocirepository.yaml'

const isSource = ({ object }: RepositoryObject, kind: string): boolean =>
  object.kind === kind && object.apiVersion.startsWith(sourceGroup)

/** What is left of a release where it is not migrated. */
type Stay = Pick<ReleaseRow, 'reason' | 'because' | 'fix' | 'from'> & { readonly outcome: 'left' | 'refused' }

const left = (reason: string, because: string, more: Pick<Stay, 'fix' | 'from'> = {}): Stay => ({
  outcome: 'left',
  reason,
  because,
  ...more,
})
const refused = (reason: string, because: string, fix: string, from?: string): Stay => ({
  outcome: 'refused',
  reason,
  because,
  fix,
  ...(from === undefined ? {} : { from }),
})

/**
 * Decides for every HelmRelease of a repository. `textOf` gives a file's text; `undefined`: its bytes are no UTF-8.
 * @throws where a changed text does not say what was meant; then nothing is to be written
 */
export function migrateToOci(
  repository: Repository,
  textOf: (file: string) => string | undefined,
  options: OciOptions,
): OciMigration {
  const edits = new FileEdits(textOf)
  const migration = new Migration(repository, edits, options)
  const releases = repository.objects
    .filter(({ object }) => object.kind === 'HelmRelease' && object.apiVersion.startsWith(releaseGroup))
    .map(release => migration.take(release))
  const repositories =
    options.prune === 'nothing'
      ? []
      : prunedRepositories(repository, edits, { freed: migration.freed, unused: options.prune === 'unused' })
  return { releases, repositories, changes: edits.changes() }
}

class Migration {
  /** HelmRepositories of releases that were migrated. */
  readonly freed = new Set<RepositoryObject>()
  readonly #repository: Repository
  readonly #edits: FileEdits
  readonly #options: OciOptions
  readonly #apiVersion: string
  readonly #isSeparate: boolean
  readonly #clusters: Clusters
  readonly #named: readonly { readonly file: string; readonly files: ReadonlySet<string> }[]

  constructor(repository: Repository, edits: FileEdits, options: OciOptions) {
    this.#repository = repository
    this.#edits = edits
    this.#clusters = new Clusters(repository)
    this.#options = options
    const sources = repository.objects.filter(one => isSource(one, 'OCIRepository'))
    this.#apiVersion = mostOf(sources.map(({ object }) => object.apiVersion)) ?? `${sourceGroup}v1`
    const inFile = Map.groupBy(repository.objects, ({ file }) => file)
    const alone = sources.filter(({ file }) => inFile.get(file)?.length === 1)
    this.#isSeparate = options.style === 'separate-file' || (options.style === 'keep' && alone.length * 2 > sources.length)
    this.#named = repository.kustomizations
      .filter(({ object }) => (textAt(object, 'namePrefix') ?? textAt(object, 'nameSuffix') ?? '') !== '')
      .map(({ file }) => ({ file, files: filesFrom(repository.tree, [normalize(dirname(file))], false) }))
  }

  take(release: RepositoryObject): ReleaseRow {
    const { object, file, line, namespaces } = release
    const [namespace] = namespaces
    const base = { release: namespace === undefined ? object.metadata.name : `${namespace}/${object.metadata.name}`, file, line }
    const row = this.#migrated(release, base.release)
    return { ...base, notes: [], ...row }
  }

  #migrated(release: RepositoryObject, shown: string): Stay | Omit<ReleaseRow, 'release' | 'file' | 'line'> {
    const { object, file } = release
    const chart = at(object, 'spec', 'chart')
    const spec = at(chart, 'spec')
    const kind = textAt(spec, 'sourceRef', 'kind') ?? 'HelmRepository'
    if (chart !== undefined && at(object, 'spec', 'chartRef') !== undefined)
      return refused('both-sources', 'it has chart and chartRef, which Flux refuses', 'take one of them out')
    if (chart === undefined) return left('no-chart', 'it names its chart by chartRef, or a patch brings it')
    if (kind !== 'HelmRepository') return left('other-source', `its chart comes from a ${kind}`)
    if (!release.isApplied) return left('not-applied', 'nothing leads to its file, so it reaches no cluster')
    if (!this.#isWanted(release, shown)) return left('left-out', '--include or --exclude leaves it out')
    if (object.apiVersion === `${releaseGroup}v2beta1`)
      return refused(
        'old-api',
        'it is written as helm.toolkit.fluxcd.io/v2beta1',
        'upgrade the API first: helm.toolkit.fluxcd.io/v2',
      )
    const patch = chartPatchOf(this.#repository.chartPatches, release)
    if (patch !== undefined)
      return refused(
        'patched-elsewhere',
        `${patch.by} patches its chart, which would fail afterwards or bring the chart back`,
        `write what ${patch.by} says into the release first`,
      )
    const prefixed = this.#named.find(({ files }) => files.has(file))
    if (prefixed !== undefined)
      return refused(
        'name-prefix',
        `${prefixed.file} gives names a prefix or suffix, which kustomize does not carry into chartRef`,
        'migrate it by hand, with a configuration of name references',
      )
    return this.#resolved(release)
  }

  #resolved(release: RepositoryObject): Stay | Omit<ReleaseRow, 'release' | 'file' | 'line'> {
    const { object } = release
    const { rows, mirror } = this.#options
    const spec = at(object, 'spec', 'chart', 'spec')
    const chart = textAt(spec, 'chart') ?? ''
    const name = textAt(spec, 'sourceRef', 'name') ?? ''
    const places = namespacesToTry(release, textAt(spec, 'sourceRef', 'namespace'))
    const candidates = this.#clusters.beside(
      release,
      this.#repository.objects.filter(
        one =>
          isSource(one, 'HelmRepository') &&
          one.object.metadata.name === name &&
          places.some(namespace => mayLieIn(one, namespace)),
      ),
    )
    const [found] = candidates
    if (found === undefined)
      return left('source-missing', `HelmRepository ${name} is not in this repository`, { fix: 'migrate it where its source is' })
    if (candidates.some(({ object: one }) => !isSame(at(one, 'spec'), at(found.object, 'spec'))))
      return refused(
        'several-sources',
        `HelmRepository ${name} is written ${candidates.length} times, and not alike: ${candidates.map(({ file }) => file).join(', ')}`,
        'migrate one cluster at a time, with PATH',
      )
    const url = textAt(found.object, 'spec', 'url') ?? ''
    const from = `${url.replace(/\/+$/, '')}/${chart}`
    if (hasVariables(url) || hasVariables(chart) || chart === '')
      return refused('unknown-address', `its chart's address is filled in by Flux: ${from}`, 'write the address out', from)
    const isSameRegistry = textAt(found.object, 'spec', 'type') === 'oci' || url.startsWith('oci://')
    const source = isSameRegistry
      ? ({ source: { oci: `${url.replace(/\/+$/, '')}/<chart>`, tag: 'as-written' }, isMirror: false } as const)
      : chartSourceOf(url, chart, { rows, mirror })
    if (source.source === undefined)
      return left(
        'no-oci-source',
        source.asked === undefined ? 'no OCI artefact of this chart is known' : `upstream has none; asked for in ${source.asked}`,
        {
          fix: source.isMirrored
            ? '--mirror home-operations takes it from a mirror of others'
            : 'a row of --table names it, where you know one',
          from,
        },
      )
    const to = source.source.oci.replaceAll('<chart>', chart)
    if (
      to.split('/').at(-1) !== chart.split('/').at(-1) &&
      textAt(object, 'spec', 'upgrade', 'chartNameChangeStrategy') !== 'InPlaceUpdate'
    )
      return refused(
        'chart-name',
        `the artefact has another name than ${chart}: Flux would uninstall the release first`,
        'set spec.upgrade.chartNameChangeStrategy: InPlaceUpdate first',
        from,
      )
    return this.#written(release, found, { from, to, source: source.source, isSameRegistry, isMirror: source.isMirror })
  }

  #written(
    release: RepositoryObject,
    old: RepositoryObject,
    found: {
      readonly from: string
      readonly to: string
      readonly source: Pick<ChartSource, 'tag' | 'since' | 'seen'>
      readonly isSameRegistry: boolean
      readonly isMirror: boolean
    },
  ): Stay | Omit<ReleaseRow, 'release' | 'file' | 'line'> {
    const { from, to, source, isSameRegistry, isMirror } = found
    const { object, file: path, line } = release
    const file = this.#edits.open(path)
    if (file === undefined) return refused('not-utf8', 'its file is no UTF-8 text', 'save it as UTF-8', from)
    const document = file.documentAt(line)
    if (textAt(file.valueOf(document), 'kind') !== 'HelmRelease')
      return left('made', 'a ResourceSet makes it', { from, fix: 'change the ResourceSet' })
    const read = chartTextOf(file, document)
    if ('refused' in read)
      return refused(read.refused, read.because, 'write spec.chart as plain lines, or migrate it by hand', from)
    const { chart } = read
    const version = this.#versionOf(chart.version?.value, source, to)
    if ('since' in version)
      return refused(
        'version-not-published',
        `version ${chart.version?.value ?? ''} is not there as an OCI artefact; the first is ${version.since}`,
        `upgrade to ${version.since} first, or take that version by --allow-upgrade`,
        from,
      )
    if ('seen' in version)
      return refused(
        'version-unseen',
        `version ${chart.version?.value ?? ''} is older than ${version.seen}, the oldest that was seen as an OCI artefact`,
        `ask the registry (helm show chart ${to} --version ${chart.version?.value ?? ''}), then give --allow-unseen`,
        from,
      )
    const { key, value: shownVersion } = version.reference
    const looked = key === 'tag' ? this.#options.looks?.get(tagKey(to, shownVersion)) : undefined
    if (looked?.kind === 'absent')
      return refused(
        'tag-absent',
        `its registry has no ${to}:${shownVersion}`,
        'take a version that is there, in a change of its own, and migrate it then',
        from,
      )
    const carried = carriedFields({
      release,
      repository: old,
      objects: this.#repository.objects,
      isSameRegistry,
      interval: this.#options.interval,
      copySecrets: this.#options.copySecrets,
    })
    if ('refused' in carried) return refused(carried.refused, carried.because, carried.fix, from)
    const { name: releaseName, namespace } = object.metadata
    const artefact: ChartArtefact = {
      apiVersion: this.#apiVersion,
      name: releaseName,
      ...(namespace === undefined ? {} : { namespace }),
      interval: carried.interval,
      url: to,
      reference: version.reference,
      carried: carried.fields,
    }
    const named = this.#nameFor(release, artefact)
    if (named === undefined)
      return refused('name-taken', `there are other OCIRepositories ${releaseName} and ${releaseName}-chart`, 'rename one', from)
    const notes = [
      ...carried.notes,
      ...version.notes,
      ...(looked?.kind === 'unknown' ? [`not checked: ${looked.because}`] : []),
      ...(isMirror ? ['the mirror drops a chart six months after upstream publishes it'] : []),
    ]
    if (named.isThere) notes.push(`OCIRepository ${named.name} is there already`)
    else {
      const because = this.#place(release, document, { ...artefact, name: named.name }, chart)
      if (because !== undefined) return refused('unusual-text', because, 'migrate it by hand', from)
    }
    const stay = named.isThere
      ? [...chart.comments, ...chart.aboveVersion, ...(chart.besideVersion === undefined ? [] : [chart.besideVersion])]
      : chart.comments
    const value = file.valueOf(document)
    const { chart: _, ...spec } = asRecord(at(value, 'spec'))
    this.#edits.splice(path, chartRefSplice(file, chart, named.name, stay))
    this.#edits.change(path, {
      at: document,
      now: { ...asRecord(value), spec: { ...spec, chartRef: { kind: 'OCIRepository', name: named.name } } },
    })
    this.freed.add(old)
    const tag = key === 'tag' ? { tag: shownVersion } : {}
    const isThere = looked?.kind === 'there' ? { isThere: true } : {}
    const told = key === 'tag' ? shownVersion : `semver ${shownVersion}`
    return { outcome: 'migrated', from, to, version: told, ...tag, ...isThere, notes }
  }

  /** A version that is older than any that was seen is taken where the registry was asked and has it. */
  #versionOf(written: string | undefined, source: Pick<ChartSource, 'tag' | 'since' | 'seen'>, to: string) {
    const version = referenceOf(written, source, this.#options)
    if (!('seen' in version)) return version
    const unseen = referenceOf(written, source, { ...this.#options, allowUnseen: true })
    if (!('reference' in unseen)) return version
    const isThere = this.#options.looks?.get(tagKey(to, unseen.reference.value))?.kind === 'there'
    return isThere ? { ...unseen, notes: [] } : version
  }

  /** The release's name, if it is free; one that says the same and is applied with the release is used again. */
  #nameFor(release: RepositoryObject, artefact: ChartArtefact): { readonly name: string; readonly isThere: boolean } | undefined {
    const sources = this.#clusters.beside(
      release,
      this.#repository.objects.filter(one => isSource(one, 'OCIRepository')),
    )
    for (const name of [artefact.name, `${artefact.name}-chart`]) {
      const there = findObject(sources, 'OCIRepository', name, namespacesToTry(release))
      if (there === undefined) return { name, isThere: false }
      const wanted = sourceObject(artefact).spec
      const isAlike = textAt(there.object, 'spec', 'url') === wanted.url && isSame(at(there.object, 'spec', 'ref'), wanted.ref)
      if (isAlike && there.isApplied && dirname(there.file) === dirname(release.file)) return { name, isThere: true }
    }
    return undefined
  }

  /** Puts the new object into the repository; a sentence where there is no place for it. */
  #place(
    release: RepositoryObject,
    document: number,
    artefact: ChartArtefact,
    chart: Parameters<typeof chartRefSplice>[1],
  ): string | undefined {
    const { file: path } = release
    const file = this.#edits.open(path)
    if (file === undefined) return 'its file is no UTF-8 text'
    const { step } = chart
    const text = sourceText(artefact, {
      step,
      eol: file.eol,
      raw: chart.version?.raw,
      above: chart.aboveVersion,
      beside: chart.besideVersion,
      schema: schemaComment(file, document),
    })
    if (this.#isSeparate && this.#placeInFile(path, `${/^\uFEFF?---/.test(file.text) ? `---${file.eol}` : ''}${text}`))
      return undefined
    const place = placeBefore(file, document)
    if ('because' in place) return place.because
    this.#edits.splice(path, { start: place.at, end: place.at, text: `${text}---${file.eol}` })
    this.#edits.change(path, { at: document, before: sourceObject(artefact) })
    return undefined
  }

  /** A file beside the release's, taken in as that is; false: it would not be taken in, or there is one of that name. */
  #placeInFile(path: string, text: string): boolean {
    const { kustomizations, files } = this.#repository.tree
    const folder = normalize(dirname(path))
    const added = join(dirname(path), newFile)
    if (files.includes(added) || this.#edits.isAdded(added)) return false
    const takers = [...kustomizations.values()].filter(({ takes }) => takes.includes(path))
    const own = kustomizations.get(folder)
    if (takers.length === 0 && own === undefined) {
      this.#edits.add(added, text)
      return true
    }
    if (takers.length !== 1 || takers[0]?.file !== own?.file || own === undefined) return false
    if (!this.#edits.hasLine(own.file, path)) return false
    this.#edits.addLine(own.file, path, newFile)
    this.#edits.add(added, text)
    return true
  }

  #isWanted({ object, file }: RepositoryObject, shown: string): boolean {
    const { include, exclude } = this.#options
    const isNamed = (patterns: readonly string[]) =>
      patterns.some(pattern => [object.metadata.name, shown, file].some(text => globPattern(pattern).test(text)))
    return (include.length === 0 || isNamed(include)) && !isNamed(exclude)
  }
}

/** `*` stands for any text, `?` for a character. */
function globPattern(glob: string): RegExp {
  const body = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${body}$`)
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function mostOf(words: readonly string[]): string | undefined {
  const counts = [...Map.groupBy(words, word => word)].toSorted(([, a], [, b]) => b.length - a.length)
  return counts[0]?.[0]
}
