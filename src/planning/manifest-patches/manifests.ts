// A folder of manifests as what it makes of a cluster: which file says which object, under which name and namespace it arrives there,
// and through which kustomization. Pure: texts come in.

import { parseAllDocuments } from 'yaml'
import { messageOf } from '#kube/log.ts'
import type { YamlPath } from './yaml-edit.ts'

export interface ManifestFile {
  /** From the folder's root, with `/`. */
  readonly path: string
  readonly text: string
}

type Fields = Readonly<Record<string, unknown>>

/** One object of a file. */
export interface Manifest {
  readonly file: string
  readonly document: number
  /** Where in the document it stands: nothing, or `items` and a number in a List. */
  readonly prefix: YamlPath
  readonly kind: string
  readonly apiVersion: string
  readonly name: string
  readonly namespace: string | undefined
  readonly object: Fields
}

/** How a manifest arrives in the cluster. */
export interface Arrival {
  readonly manifest: Manifest
  /** The folder of the outermost kustomization that takes it in; `undefined`: it is applied as it stands. */
  readonly root: string | undefined
  readonly name: string
  /** `undefined`: whoever applies it says so. */
  readonly namespace: string | undefined
}

interface Kustomization {
  readonly folder: string
  readonly file: string
  readonly namespace: string | undefined
  readonly prefix: string
  readonly suffix: string
  /** Files and folders from the root. */
  readonly entries: readonly string[]
}

export interface ManifestFolder {
  readonly files: ReadonlyMap<string, string>
  readonly arrivals: readonly Arrival[]
  /** The kustomization file of a folder. */
  readonly kustomizationFiles: ReadonlyMap<string, string>
  /** Files that are no plain YAML: `file: why`. */
  readonly unread: readonly string[]
}

const kustomizationNames: ReadonlySet<string> = new Set(['kustomization.yaml', 'kustomization.yml', 'Kustomization'])
const mostAliases = 100
const deepestKustomization = 40

export function readManifests(given: readonly ManifestFile[]): ManifestFolder {
  const files = new Map(given.map(({ path, text }) => [path, text]))
  const unread: string[] = []
  const manifests: Manifest[] = []
  const kustomizations = new Map<string, Kustomization>()
  for (const { path, text } of given) {
    const values = documentsOf(path, text, unread)
    if (kustomizationNames.has(nameOf(path))) {
      const [only] = values
      if (isFields(only?.value)) kustomizations.set(folderOf(path), kustomizationOf(path, only.value))
      continue
    }
    for (const { value, document } of values) manifests.push(...manifestsIn({ file: path, document, prefix: [] }, value))
  }
  return {
    files,
    arrivals: arrivalsOf(manifests, kustomizations),
    kustomizationFiles: new Map([...kustomizations].map(([folder, { file }]) => [folder, file])),
    unread,
  }
}

function documentsOf(
  path: string,
  text: string,
  unread: string[],
): readonly { readonly value: unknown; readonly document: number }[] {
  const documents = Array.from(parseAllDocuments(text, { prettyErrors: false }))
  // Tools that write a file write it again.
  if (/^(?:[ \t]*(?:#[^\n]*|---)?\n){0,8}[ \t]*#[^\n]*do not edit/i.test(text)) {
    unread.push(`${path}: it says that it is not to be edited`)
    return []
  }
  const error = documents.flatMap(({ errors }) => errors)[0]
  if (error !== undefined) {
    unread.push(`${path}: ${/\{\{/.test(text) ? 'it is a template' : error.message}`)
    return []
  }
  try {
    return documents.map((document, at) => ({ value: document.toJS({ maxAliasCount: mostAliases }), document: at }))
  } catch (reason) {
    unread.push(`${path}: ${messageOf(reason)}`)
    return []
  }
}

/** The documents of a text as values; none of one that does not parse. */
export function manifestValues(text: string): readonly unknown[] {
  return documentsOf('', text, []).map(({ value }) => value)
}

function manifestsIn(place: Pick<Manifest, 'file' | 'document' | 'prefix'>, value: unknown): readonly Manifest[] {
  if (!isFields(value)) return []
  const { kind, apiVersion, metadata, items } = value
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return []
  if (kind === 'List' && Array.isArray(items)) {
    const list: readonly unknown[] = items
    return list.flatMap((item, at) => manifestsIn({ ...place, prefix: [...place.prefix, 'items', at] }, item))
  }
  const name = isFields(metadata) ? metadata['name'] : undefined
  const namespace = isFields(metadata) ? metadata['namespace'] : undefined
  // A change would break the signature over an encrypted file.
  if (typeof name !== 'string' || 'sops' in value) return []
  return [{ ...place, kind, apiVersion, name, namespace: typeof namespace === 'string' ? namespace : undefined, object: value }]
}

function kustomizationOf(file: string, value: Fields): Kustomization {
  const folder = folderOf(file)
  const text = (key: string) => (typeof value[key] === 'string' ? value[key] : undefined)
  const entries = ['resources', 'bases', 'components'].flatMap(key => {
    const list: unknown = value[key]
    return Array.isArray(list) ? list.filter((entry): entry is string => typeof entry === 'string') : []
  })
  return {
    folder,
    file,
    namespace: text('namespace'),
    prefix: text('namePrefix') ?? '',
    suffix: text('nameSuffix') ?? '',
    entries: entries.filter(entry => !/^[a-z+]+:\/\/|^git@|\?ref=/.test(entry)).map(entry => joined(folder, entry)),
  }
}

/** Every way in which a manifest arrives: through each outermost kustomization that takes it in, else as it stands. */
function arrivalsOf(manifests: readonly Manifest[], kustomizations: ReadonlyMap<string, Kustomization>): readonly Arrival[] {
  const taken = new Set([...kustomizations.values()].flatMap(({ entries }) => entries))
  const byFile = Map.groupBy(manifests, ({ file }) => file)
  const reached = new Set<Manifest>()
  const walk = (one: Kustomization, depth: number): readonly Omit<Arrival, 'root'>[] => {
    const inner = one.entries.flatMap((entry): readonly Omit<Arrival, 'root'>[] => {
      const below = kustomizations.get(entry)
      if (below !== undefined && below !== one && depth < deepestKustomization) return walk(below, depth + 1)
      return (byFile.get(entry) ?? []).map(manifest => ({ manifest, name: manifest.name, namespace: manifest.namespace }))
    })
    return inner.map(({ manifest, name, namespace }) => {
      reached.add(manifest)
      return { manifest, name: `${one.prefix}${name}${one.suffix}`, namespace: one.namespace ?? namespace }
    })
  }
  const roots = [...kustomizations.values()].filter(({ folder }) => !taken.has(folder))
  const arrived = roots.flatMap(root => walk(root, 0).map(arrival => ({ ...arrival, root: root.folder })))
  const plain = manifests
    .filter(manifest => !reached.has(manifest))
    .map(manifest => ({ manifest, root: undefined, name: manifest.name, namespace: manifest.namespace }))
  return [...arrived, ...plain]
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function folderOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '.' : path.slice(0, at)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** `entry` as a path from the root; one that leaves it leads to nothing that was read. */
function joined(folder: string, entry: string): string {
  const parts: string[] = []
  for (const part of [...(folder === '.' ? [] : folder.split('/')), ...entry.split('/')]) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (parts.length === 0) return `../${entry}`
      parts.pop()
    } else parts.push(part)
  }
  return parts.length === 0 ? '.' : parts.join('/')
}
