// A GitOps repository as objects: which file has which, in which namespaces they land. Nothing is followed out of the tree, nothing written.
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { type Document, isMap, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml'
import { messageOf } from '#kube/log.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { type Finding, finding } from './finding.ts'
import { asHelmfile, type Helmfile } from './helmfile.ts'

export interface RepositoryObject {
  readonly object: KubeObject
  /** From the repository's root, with `/`. */
  readonly file: string
  readonly line: number
  /** Every namespace it may land in; empty: none is said, so any. */
  readonly namespaces: readonly string[]
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
  /** Files that could not be read, and those that are not looked into. */
  readonly findings: readonly Finding[]
}

const largestFileBytes = 10 * 1024 * 1024
const mostFiles = 50_000
const mostAliases = 100
const deepestFolder = 40
const skippedFolders: readonly string[] = ['.git', 'node_modules']

/** Reads every YAML file below `root`. @throws where the folder itself cannot be read */
export function readRepository(root: string): Repository {
  const findings: Finding[] = []
  const helmfiles: Helmfile[] = []
  const files = yamlFiles(root, findings)
  const read = files.flatMap(file => readFile(file, { root, findings, helmfiles }))
  const kustomizations = new Map(
    read.filter(({ isKustomization }) => isKustomization).map(one => [normalize(dirname(one.file)), one]),
  )
  const parents = parentsOf([...kustomizations.values()], new Set(files))
  const plain = read.filter(({ isKustomization }) => !isKustomization)
  const targets = fluxTargets(plain)
  const objects = plain.map(({ object, file, line }) => ({
    object,
    file,
    line,
    namespaces: namespacesOf(object, file, { parents, targets }),
  }))
  return {
    objects,
    keys: read.flatMap(({ keys }) => keys),
    remote: [...kustomizations.values()].flatMap(({ object, file }) =>
      includedBy(object).flatMap(entry => (isRemote(entry) ? [{ url: entry, file }] : [])),
    ),
    helmfiles,
    findings,
  }
}

/** Where what is read is collected. */
interface Reading {
  readonly root: string
  readonly findings: Finding[]
  readonly helmfiles: Helmfile[]
}

interface ReadObject {
  readonly object: KubeObject
  readonly file: string
  readonly line: number
  readonly isKustomization: boolean
  readonly keys: readonly WrittenKey[]
}

function yamlFiles(root: string, findings: Finding[]): readonly string[] {
  const files: string[] = []
  const walk = (folder: string, depth: number) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !skippedFolders.includes(entry.name) && depth < deepestFolder) walk(path, depth + 1)
      if (!entry.isFile()) continue
      if (/\.ya?ml(\.j2|\.gotmpl|\.tmpl)$/.test(entry.name)) findings.push(skipped(path, 'is a template'))
      else if (/\.ya?ml$/.test(entry.name)) files.push(path)
    }
  }
  walk('', 0)
  if (files.length > mostFiles) findings.push(skipped('.', `has ${files.length} files; the first ${mostFiles} are looked into`))
  return files.slice(0, mostFiles)
}

function readFile(file: string, reading: Reading): readonly ReadObject[] {
  const { root, findings } = reading
  if (/\.sops\.ya?ml$/.test(file)) {
    findings.push(skipped(file, 'is encrypted by SOPS'))
    return []
  }
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
function documentsOf(file: string, text: string, { root, findings, helmfiles }: Reading): readonly ReadObject[] {
  const lineCounter = new LineCounter()
  const objects: ReadObject[] = []
  for (const document of Array.from(parseAllDocuments(text, { lineCounter, merge: true, prettyErrors: false }))) {
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      const isTemplate = /^\s*\{\{|:\s+\{\{/m.test(text)
      findings.push(
        isTemplate ? skipped(file, 'is a template') : unreadable(file, line, `line ${line} column ${col}: ${error.message}`),
      )
      return objects
    }
    const line = lineCounter.linePos(firstOffset(document)).line
    const value = parsedValue(document)
    if (value instanceof Error) findings.push(unreadable(file, line, value.message))
    else if (isTree(value) && 'sops' in value) findings.push(skipped(file, 'is encrypted by SOPS'))
    else {
      const isKustomization = isKustomizeFile(file, value)
      const object = asObject(value, isKustomization)
      const helmfile = asHelmfile(value, { root, file, line })
      if (helmfile !== undefined) helmfiles.push(helmfile)
      if (object !== undefined) objects.push({ object, file, line, isKustomization, keys: keysOf(document, file, lineCounter) })
    }
  }
  return objects
}

function firstOffset(document: Document): number {
  return document.contents?.range?.[0] ?? document.range?.[0] ?? 0
}

function parsedValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases })
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof RangeError) return error
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

function isRemote(entry: string): boolean {
  return /^[a-z+]+:\/\//.test(entry) || /^(github|gitlab|bitbucket)\.(com|org)[/:]/.test(entry) || entry.startsWith('git@')
}

interface FluxTarget {
  readonly folder: string
  readonly namespace: string
}

function fluxTargets(objects: readonly ReadObject[]): readonly FluxTarget[] {
  return objects
    .filter(({ object }) => isFluxKustomization(object))
    .flatMap(({ object }) => {
      const namespace = textAt(object, 'spec', 'targetNamespace')
      const path = textAt(object, 'spec', 'path')
      return namespace === undefined || path === undefined ? [] : [{ folder: normalize(path).replace(/\/$/, ''), namespace }]
    })
}

export function isFluxKustomization({ apiVersion, kind }: KubeObject): boolean {
  return kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')
}

/** The `namespace:` of the outermost kustomization that includes it, else Flux's targetNamespace, else its own. */
function namespacesOf(
  object: KubeObject,
  file: string,
  { parents, targets }: { readonly parents: Parents; readonly targets: readonly FluxTarget[] },
): readonly string[] {
  const folder = normalize(dirname(file))
  const outer = outermost(file, parents)
  if (outer.length > 0) return outer
  const target = targets
    .filter(one => folder === one.folder || folder.startsWith(`${one.folder}/`))
    .map(({ namespace }) => namespace)
  if (target.length > 0) return [...new Set(target)]
  return object.metadata.namespace === undefined ? [] : [object.metadata.namespace]
}

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
