// A GitOps repository as objects: which file has which, in which namespaces they land. Nothing is followed out of the tree, nothing written.
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit } from 'yaml'
import { messageOf } from '#kube/log.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { type Finding, finding } from './finding.ts'
import { asHelmfile, type Helmfile } from './helmfile.ts'
import { appliedFiles, filesFrom, foldersMeant, foldersOf, type Tree } from './repository/applied.ts'
import { type ChartFile, chartFile } from './repository/chart-file.ts'
import { documentsIn, mostAliases } from './repository/documents.ts'
import { hasVariables, type IgnoreFile, ignoreFile, isArchive, isIgnored, isTemplateText } from './repository/left-alone.ts'
import { type ChartPatch, chartPatchesOf, patchFiles } from './repository/patches.ts'
import { isResourceSet, madeBy } from './repository/resource-sets.ts'

export interface RepositoryObject {
  readonly object: KubeObject
  /** From the repository's root, with `/`. */
  readonly file: string
  readonly line: number
  /** Every namespace it may land in; empty: none is said, so any. */
  readonly namespaces: readonly string[]
  /** Something leads to it: what nobody applies is there to be found, and is not judged. */
  readonly isApplied: boolean
}

/** An annotation's key wherever a map has one, with its place. */
interface WrittenKey {
  readonly key: string
  readonly value: unknown
  readonly file: string
  readonly line: number
}

export interface Repository {
  readonly objects: readonly RepositoryObject[]
  readonly keys: readonly WrittenKey[]
  /** Resources of kustomizations that lie elsewhere, with the file that names them. */
  readonly remote: readonly { readonly url: string; readonly file: string }[]
  readonly helmfiles: readonly Helmfile[]
  readonly kustomizations: readonly RepositoryObject[]
  /** Charts of the repository's own that are made of others. */
  readonly charts: readonly ChartFile[]
  readonly chartPatches: readonly ChartPatch[]
  /** What takes in what. */
  readonly tree: Tree
  /** Kinds of which a ResourceSet makes objects under names that nobody sees beforehand; `*`: any. */
  readonly unseenKinds: ReadonlySet<string>
  /** Files that could not be read, and those that are not looked into. */
  readonly findings: readonly Finding[]
}

const largestFileBytes = 10 * 1024 * 1024
const mostFiles = 50_000
const deepestFolder = 40
const skippedFolders: readonly string[] = ['.git', 'node_modules']
const largestIgnoreFileBytes = 1024 * 1024

/** Reads every YAML file below `root`. @throws where the folder itself cannot be read */
export function readRepository(root: string): Repository {
  const findings: Finding[] = []
  const helmfiles: Helmfile[] = []
  const charts: ChartFile[] = []
  const files = yamlFiles(root, findings)
  const read = files.flatMap(file => readFile(file, { root, findings, helmfiles, charts }))
  const kustomizations = new Map(
    read.filter(({ isKustomization }) => isKustomization).map(one => [normalize(dirname(one.file)), one]),
  )
  const all = [...kustomizations.values()]
  const known = new Set(files)
  const parents = parentsOf(all, known)
  const patches = new Set(all.flatMap(({ object, file }) => patchFiles(object).map(path => normalize(join(dirname(file), path)))))
  const plain = read.filter(one => !one.isKustomization && !patches.has(one.file))
  const takes = ({ object, file }: ReadObject) => localEntries(object, file)
  const tree: Tree = {
    files,
    kustomizations: new Map(Array.from(kustomizations, ([folder, one]) => [folder, { file: one.file, takes: takes(one) }])),
    objects: plain,
  }
  const applied = appliedFiles(tree)
  const targets = fluxTargets(plain, foldersOf(files))
  const asObjects = (ones: readonly ReadObject[]) =>
    ones.map(({ object, file, line, made }) => ({
      object,
      file,
      line,
      namespaces: made === undefined ? namespacesOf(object, file, { parents, targets }) : ownNamespace(object),
      isApplied: applied.files.has(file) && made !== 'perhaps',
    }))
  const judged = read.filter(({ file }) => applied.files.has(file) || patches.has(file))
  return {
    objects: asObjects(plain),
    keys: judged.flatMap(({ keys }) => keys),
    remote: all.flatMap(({ object, file }) =>
      applied.files.has(file) ? includedBy(object).flatMap(entry => (isRemote(entry) ? [{ url: entry, file }] : [])) : [],
    ),
    helmfiles: helmfiles.filter(({ file }) => applied.files.has(file)),
    kustomizations: asObjects(all),
    charts: charts.filter(({ file }) => applied.files.has(file)),
    chartPatches: chartPatches({ root, tree, known, read }),
    tree,
    unseenKinds: new Set(read.filter(({ object }) => isResourceSet(object)).flatMap(({ object }) => madeBy(object).unseenKinds)),
    findings: [...findings, ...leftOutFindings(applied.leftOut, plain)],
  }
}

interface Patching {
  readonly root: string
  readonly tree: Tree
  readonly known: ReadonlySet<string>
  readonly read: readonly ReadObject[]
}

/** A component patches what others take in beside it, which is not followed: its patches may reach any file. */
function chartPatches({ root, tree, known, read }: Patching): readonly ChartPatch[] {
  const folders = foldersOf(tree.files)
  return read.flatMap(({ object, file, isKustomization }) => {
    const isFlux = isFluxKustomization(object)
    if (!isFlux && !isKustomization) return []
    const meant = isFlux ? foldersMeant(textAt(object, 'spec', 'path') ?? '.', folders) : [normalize(dirname(file))]
    return chartPatchesOf({
      file,
      holder: isFlux ? object['spec'] : object,
      documentsOf: path => {
        const found = normalize(join(dirname(file), path))
        return known.has(found) ? (documentsIn(readFileSync(join(root, found), 'utf8')) ?? []) : []
      },
      reach: () => (object.kind === 'Component' ? undefined : filesFrom(tree, meant, isFlux)),
    })
  })
}

/** One finding for each kustomization: files that have objects, and that nothing leads to. */
function leftOutFindings(leftOut: ReadonlyMap<string, readonly string[]>, plain: readonly ReadObject[]): readonly Finding[] {
  const withObjects = new Set(plain.map(({ file }) => file))
  return [...leftOut].flatMap(([folder, files]) => {
    const [first, ...more] = files.filter(file => withObjects.has(file))
    if (first === undefined) return []
    const isOne = more.length === 0
    const [them, they] = isOne ? ['it', 'it says'] : ['them', 'they say']
    return [
      finding('file-skipped', {
        object: folder === '.' ? 'the root' : folder,
        file: first,
        message: `${first}${isOne ? '' : ` and ${more.length} more`}: no kustomization that is applied takes ${them} in, and no path of Flux or Argo CD that is applied leads there, so what ${they} is not judged`,
        fix: `nothing to do where that is meant; else name ${them} under resources`,
      }),
    ]
  })
}

/** Where what is read is collected. */
interface Reading {
  readonly root: string
  readonly findings: Finding[]
  readonly helmfiles: Helmfile[]
  readonly charts: ChartFile[]
}

interface ReadObject {
  readonly object: KubeObject
  readonly file: string
  readonly line: number
  readonly isKustomization: boolean
  readonly keys: readonly WrittenKey[]
  /** A ResourceSet makes it. */
  readonly made?: 'surely' | 'perhaps'
}

/** Git is not asked, since the machine may have none: what its rules pass over is left alone, even if it was added by force. */
function yamlFiles(root: string, findings: Finding[]): readonly string[] {
  const files: string[] = []
  const walk = (folder: string, depth: number, above: readonly IgnoreFile[]) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const ignores = entries.some(entry => entry.isFile() && entry.name === '.gitignore')
      ? [...above, ignoresOf(root, folder)]
      : above
    const isChart = entries.some(entry => entry.isFile() && entry.name === 'Chart.yaml')
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (isIgnored(path, entry.isDirectory(), ignores)) continue
      if (entry.isDirectory()) {
        if (skippedFolders.includes(entry.name) || depth >= deepestFolder) continue
        if (isArchive(entry.name)) findings.push(skipped(path, 'is an archive by its name'))
        else if (isChart && entry.name === 'templates') findings.push(skipped(path, 'has templates of a chart'))
        else walk(path, depth + 1, ignores)
      }
      if (!entry.isFile()) continue
      if (/\.ya?ml(\.j2|\.gotmpl|\.tmpl)$/.test(entry.name)) findings.push(skipped(path, 'is a template'))
      else if (/\.ya?ml$/.test(entry.name)) files.push(path)
    }
  }
  walk('', 0, [])
  if (files.length > mostFiles) findings.push(skipped('.', `has ${files.length} files; the first ${mostFiles} are looked into`))
  return files.slice(0, mostFiles)
}

function ignoresOf(root: string, folder: string): IgnoreFile {
  const path = join(root, folder, '.gitignore')
  return ignoreFile(folder, lstatSync(path).size > largestIgnoreFileBytes ? '' : readFileSync(path, 'utf8'))
}

function readFile(file: string, reading: Reading): readonly ReadObject[] {
  const { root, findings } = reading
  // The rules by which SOPS encrypts are no object of anybody's.
  if (/(^|\/)\.sops\.ya?ml$/.test(file)) return []
  try {
    const { size } = lstatSync(join(root, file))
    if (size > largestFileBytes) throw new RangeError(`it has ${size} bytes, more than ${largestFileBytes}`)
    return documentsOf(file, readFileSync(join(root, file), 'utf8'), reading)
  } catch (error) {
    findings.push(unreadable(file, undefined, messageOf(error)))
    return []
  }
}

/** The objects of one file; documents that are broken, encrypted or none are told or left out. */
function documentsOf(file: string, text: string, { root, findings, helmfiles, charts }: Reading): readonly ReadObject[] {
  const lineCounter = new LineCounter()
  const objects: ReadObject[] = []
  let isEncrypted = false
  for (const document of Array.from(
    parseAllDocuments(text, { lineCounter, merge: true, prettyErrors: false, logLevel: 'error' }),
  )) {
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      if (isTemplateText(text)) findings.push(skipped(file, 'is a template'))
      else if (hasVariables(text)) findings.push(skipped(file, 'is YAML only once its variables are filled in'))
      else findings.push(unreadable(file, line, `line ${line} column ${col}: ${error.message}`))
      return objects
    }
    if (hasCollectionKey(document)) {
      findings.push(skipped(file, 'is a template'))
      return objects
    }
    const line = lineCounter.linePos(firstOffset(document)).line
    const value = parsedValue(document)
    if (value instanceof Error) findings.push(unreadable(file, line, value.message))
    else if (isTree(value) && 'sops' in value) isEncrypted = true
    else {
      const isKustomization = isKustomizeFile(file, value)
      const object = asObject(value, isKustomization)
      const chart = chartFile(value, file, lineOf(document, lineCounter))
      if (chart !== undefined) charts.push(chart)
      const helmfile = asHelmfile(value, { root, file, line, lineAt: lineOf(document, lineCounter) })
      if (helmfile !== undefined) helmfiles.push(helmfile)
      if (object === undefined) continue
      objects.push({ object, file, line, isKustomization, keys: keysOf(document, file, lineCounter) })
      if (isResourceSet(object)) objects.push(...madeObjects(object, file, lineOf(document, lineCounter)))
    }
  }
  if (isEncrypted) findings.push(skipped(file, 'is encrypted by SOPS'))
  return objects
}

function madeObjects(
  set: KubeObject,
  file: string,
  lineAt: (path: readonly (string | number)[]) => number,
): readonly ReadObject[] {
  return madeBy(set).objects.map(({ object, path, isCertain }) => ({
    object,
    file,
    line: lineAt(path),
    isKustomization: false,
    keys: [],
    made: isCertain ? 'surely' : 'perhaps',
  }))
}

function firstOffset(document: Document): number {
  return document.contents?.range?.[0] ?? document.range?.[0] ?? 0
}

/** Line of what lies at a path of a document; that of the document where nothing does. */
function lineOf(document: Document, lineCounter: LineCounter): (path: readonly (string | number)[]) => number {
  return path => {
    const node = document.getIn(path, true)
    return lineCounter.linePos(isNode(node) ? (node.range?.[0] ?? 0) : firstOffset(document)).line
  }
}

/** Braces in the place of a key are what a template looks like to YAML. */
function hasCollectionKey(document: Document): boolean {
  let found = false
  visit(document, {
    Pair(_, { key }) {
      if (!isMap(key) && !isSeq(key)) return undefined
      found = true
      return visit.BREAK
    },
  })
  return found
}

function parsedValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases })
  } catch (error) {
    // As in `documentsIn`: it is the text that is at fault.
    if (error instanceof Error) return error
    throw error
  }
}

/** `kustomization.yaml` may leave its kind out. */
function isKustomizeFile(file: string, value: unknown): boolean {
  const isNamed = /(^|\/)kustomization\.ya?ml$/.test(file)
  const apiVersion = textAt(value, 'apiVersion') ?? ''
  return isNamed && (apiVersion === '' || apiVersion.startsWith('kustomize.config.k8s.io/'))
}

function asObject(value: unknown, isKustomization: boolean): KubeObject | undefined {
  if (!isTree(value)) return undefined
  const { apiVersion = '', kind = 'Kustomization', metadata } = value
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined
  const name = textAt(metadata, 'name')
  if (name === undefined && !isKustomization) return undefined
  const base = isTree(metadata) ? metadata : {}
  return { ...value, apiVersion, kind, metadata: { ...base, name: name ?? '' } }
}

/** Keys that may be annotations: also those that a chart's values hand on. */
function keysOf(document: Document, file: string, lineCounter: LineCounter): readonly WrittenKey[] {
  const keys: WrittenKey[] = []
  visit(document, {
    Map(_, map) {
      for (const { key, value } of map.items) {
        if (!isScalar(key) || typeof key.value !== 'string' || !key.value.includes('/')) continue
        const { line } = lineCounter.linePos(key.range?.[0] ?? 0)
        keys.push({ key: key.value, value: isScalar(value) ? value.value : isMap(value) ? {} : undefined, file, line })
      }
    },
  })
  return keys
}

interface Parents {
  /** Folders whose kustomization includes a file or folder. */
  readonly of: ReadonlyMap<string, readonly string[]>
  /** The `namespace:` of a folder's kustomization. */
  readonly namespaces: ReadonlyMap<string, string>
}

function parentsOf(kustomizations: readonly ReadObject[], files: ReadonlySet<string>): Parents {
  const of = new Map<string, string[]>()
  const namespaces = new Map<string, string>()
  for (const { object, file } of kustomizations) {
    const folder = normalize(dirname(file))
    const namespace = textAt(object, 'namespace')
    if (namespace !== undefined) namespaces.set(folder, namespace)
    for (const entry of includedBy(object)) {
      if (isRemote(entry)) continue
      const path = normalize(join(folder, entry)).replace(/\/$/, '')
      // A folder stands for its kustomization.
      const key = files.has(path) ? path : `${path}/`
      of.set(key, [...(of.get(key) ?? []), folder])
    }
  }
  return { of, namespaces }
}

/** Files, folders and addresses that a kustomization takes in. */
function includedBy(kustomization: KubeObject): readonly string[] {
  return ['resources', 'bases', 'components'].flatMap(key => listAt(kustomization, key).map(String))
}

/** A kustomization's entries in the tree, from the root. */
function localEntries(kustomization: KubeObject, file: string): readonly string[] {
  const entries = includedBy(kustomization).filter(entry => !isRemote(entry))
  return entries.map(entry => normalize(join(dirname(file), entry)).replace(/\/$/, ''))
}

function isRemote(entry: string): boolean {
  return /^[a-z+]+:\/\//.test(entry) || /^(github|gitlab|bitbucket)\.(com|org)[/:]/.test(entry) || entry.startsWith('git@')
}

interface FluxTarget {
  readonly folder: string
  readonly namespace: string
}

function fluxTargets(objects: readonly ReadObject[], folders: readonly string[]): readonly FluxTarget[] {
  return objects
    .filter(({ object }) => isFluxKustomization(object))
    .flatMap(({ object }) => {
      const namespace = textAt(object, 'spec', 'targetNamespace')
      const path = textAt(object, 'spec', 'path')
      if (namespace === undefined || path === undefined) return []
      return foldersMeant(path, folders).map(folder => ({ folder, namespace }))
    })
}

export function isFluxKustomization({ apiVersion, kind }: KubeObject): boolean {
  return kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')
}

/** The `namespace:` of the outermost kustomization that includes it and Flux's targetNamespace, which goes over it; else its own. */
function namespacesOf(
  object: KubeObject,
  file: string,
  { parents, targets }: { readonly parents: Parents; readonly targets: readonly FluxTarget[] },
): readonly string[] {
  const folder = normalize(dirname(file))
  const outer = outermost(file, parents)
  const target = targets
    .filter(one => folder === one.folder || folder.startsWith(`${one.folder}/`))
    .map(({ namespace }) => namespace)
  if (outer.length + target.length > 0) return [...new Set([...outer, ...target])]
  return ownNamespace(object)
}

const ownNamespace = ({ metadata }: KubeObject): readonly string[] =>
  metadata.namespace === undefined ? [] : [metadata.namespace]

function outermost(file: string, { of, namespaces }: Parents): readonly string[] {
  const found = new Set<string>()
  const walk = (key: string, inner: string | undefined, seen: ReadonlySet<string>) => {
    const above = (of.get(key) ?? []).filter(folder => !seen.has(folder))
    if (above.length === 0 && inner !== undefined) found.add(inner)
    for (const folder of above) walk(`${folder}/`, namespaces.get(folder) ?? inner, new Set([...seen, folder]))
  }
  walk(file, undefined, new Set())
  return [...found]
}

function skipped(file: string, why: string): Finding {
  return finding('file-skipped', { object: file, file, message: `${why}: not looked into`, fix: 'nothing to do' })
}

function unreadable(file: string, line: number | undefined, why: string): Finding {
  return finding('file-unreadable', {
    object: line === undefined ? file : `${file}:${line}`,
    file,
    ...(line === undefined ? {} : { line }),
    message: why,
    fix: 'mend the file; the rest of the repository was looked into',
  })
}
