// Which releases of a repository have their chart changed by a patch or a replacement, so that nothing is said of it that the patch mends.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { documentsIn } from './documents.ts'
import { hasVariables } from './left-alone.ts'

/** A patch or a replacement that says another chart, or another source of it. */
export interface ChartPatch {
  /** The file whose kustomization has it. */
  readonly by: string
  /** Files that it may reach; `undefined`: any. */
  readonly files: ReadonlySet<string> | undefined
  /** Names of releases that it may change; `undefined`: any. */
  readonly names: RegExp | undefined
}

interface WrittenObject {
  readonly object: KubeObject
  readonly file: string
}

/** May a patch change the chart of a release of this name, written in this file? */
export const isChartPatched = (patches: readonly ChartPatch[], release: WrittenObject): boolean =>
  chartPatchOf(patches, release) !== undefined

/** The first patch that may change the chart of that release. */
export const chartPatchOf = (patches: readonly ChartPatch[], { object, file }: WrittenObject): ChartPatch | undefined =>
  patches.find(({ files, names }) => files?.has(file) !== false && names?.test(object.metadata.name) !== false)

/** Paths of patches and of replacements, where a kustomization names files of them; none of these is an object of its own. */
export function patchFiles(kustomization: KubeObject): readonly string[] {
  const named = ['patches', 'patchesJson6902', 'replacements', 'configurations', 'transformers', 'generators'].flatMap(key =>
    listAt(kustomization, key).flatMap(entry => (typeof entry === 'string' ? entry : (textAt(entry, 'path') ?? []))),
  )
  const merged = listAt(kustomization, 'patchesStrategicMerge').map(String)
  return [...named, ...merged].filter(path => !path.includes('\n'))
}

/** What patches others: a kustomization, or a Kustomization of Flux. */
interface Patching {
  /** The file that it is written in. */
  readonly file: string
  /** What has the lists of patches: a kustomization, or the `spec` of Flux's. */
  readonly holder: unknown
  /** What a file holds that it names as a patch. */
  readonly documentsOf: (path: string) => readonly unknown[]
  /** Files that its patches may reach; asked only where one matters. */
  readonly reach: () => ReadonlySet<string> | undefined
}

/** Patches of charts among those of one kustomization. */
export function chartPatchesOf({ file, holder, documentsOf, reach }: Patching): readonly ChartPatch[] {
  const written = (entry: unknown): readonly unknown[] => {
    const inline = typeof entry === 'string' && entry.includes('\n') ? entry : textAt(entry, 'patch')
    const path = typeof entry === 'string' ? entry : textAt(entry, 'path')
    return inline === undefined ? (path === undefined ? [] : documentsOf(path)) : (documentsIn(inline) ?? [])
  }
  const patches = ['patches', 'patchesStrategicMerge', 'patchesJson6902'].flatMap(key =>
    listAt(holder, key).flatMap(entry => patched(at(entry, 'target'), written(entry))),
  )
  const replaced = listAt(holder, 'replacements').flatMap(entry =>
    (textAt(entry, 'path') === undefined ? [entry] : written(entry).flat()).flatMap(replacedNames),
  )
  const names = [...patches, ...replaced]
  return names.length === 0 ? [] : names.map(one => ({ by: file, files: reach(), names: one }))
}

/** Names of releases whose chart a patch says, one for each; `undefined` among them: any. */
function patched(target: unknown, documents: readonly unknown[]): readonly (RegExp | undefined)[] {
  const wanted = textAt(target, 'kind')
  return documents.flat().flatMap(document => {
    if (!saysChart(document)) return []
    const kind = wanted ?? textAt(document, 'kind')
    // A patch of Flux's Kustomizations may bring patches of releases along.
    if (kind === 'Kustomization') return [undefined]
    if (kind !== undefined && kind !== 'HelmRelease') return []
    return [namePattern(textAt(target, 'name') ?? (target === undefined ? textAt(document, 'metadata', 'name') : undefined))]
  })
}

function replacedNames(replacement: unknown): readonly (RegExp | undefined)[] {
  return listAt(replacement, 'targets').flatMap(target => {
    const kind = textAt(target, 'select', 'kind')
    const isChart = listAt(target, 'fieldPaths').some(path => /^spec\.chart/.test(String(path)))
    return isChart && (kind === undefined || kind === 'HelmRelease') ? [namePattern(textAt(target, 'select', 'name'))] : []
  })
}

/** Does a patch, or one operation of it, say a chart? Of a patch of patches it is enough that the words are there. */
function saysChart(document: unknown): boolean {
  const path = textAt(document, 'path')
  if (path !== undefined && textAt(document, 'op') !== undefined)
    return /^\/spec(\/chart|$)/.test(path) || /chartRef|sourceRef/.test(JSON.stringify(document))
  if (at(document, 'spec', 'chart') !== undefined || at(document, 'spec', 'chartRef') !== undefined) return true
  return textAt(document, 'kind') === 'Kustomization' && /HelmRelease/.test(JSON.stringify(document)) && mentionsChart(document)
}

const mentionsChart = (document: unknown): boolean => /chartRef|\bchart\b|\/spec\/chart/.test(JSON.stringify(document))

/** Kustomize anchors the pattern of a name. Beyond `.*` it is not followed: then it may be any. */
function namePattern(name: string | undefined): RegExp | undefined {
  if (name === undefined || hasVariables(name)) return undefined
  const parts = name.replace(/^\^|\$$/g, '').split('.*')
  if (parts.some(part => !/^[\w.-]*$/.test(part))) return undefined
  return new RegExp(`^${parts.map(part => part.replaceAll('.', '\\.')).join('.*')}$`)
}
