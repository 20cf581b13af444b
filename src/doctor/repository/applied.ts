// Which files of a repository reach the cluster: those that a kustomization takes in, and those that a path of Flux or Argo CD leads to.
import { dirname, join, normalize } from 'node:path'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { hasVariables } from './left-alone.ts'

/** A kustomization of the tree, and what it takes in of the tree: files and folders from the root, without `/` at the end. */
interface TakingIn {
  readonly file: string
  readonly takes: readonly string[]
}

export interface Tree {
  /** All files that were looked into, from the root. */
  readonly files: readonly string[]
  /** By folder; the root is `.`. */
  readonly kustomizations: ReadonlyMap<string, TakingIn>
  readonly objects: readonly { readonly object: KubeObject; readonly file: string }[]
}

interface Applied {
  readonly files: ReadonlySet<string>
  /** Files that nothing leads to, by the folder of the nearest kustomization above them that is applied itself. */
  readonly leftOut: ReadonlyMap<string, readonly string[]>
}

/**
 * A file below no kustomization counts as applied, since nobody says otherwise. Below one a file counts only where that one, or a path of a
 * Flux Kustomization or of an Application that counts, leads to. A kustomization that takes in nothing of the tree leaves nothing out.
 */
export function appliedFiles(tree: Tree): Applied {
  const walk = new Walk(tree)
  for (const [folder, { file }] of tree.kustomizations)
    if (leavesOut(folder, tree, one => one.file === file) === undefined) walk.enter(folder)
  for (const file of tree.files) if (leavesOut(dirname(file), tree) === undefined) walk.take(file)
  walk.run()
  const out = tree.files.flatMap(file => {
    const by = walk.taken.has(file) ? undefined : leavesOut(dirname(file), tree, ({ file: own }) => !walk.taken.has(own))
    return by === undefined ? [] : [{ file, by }]
  })
  const leftOut = new Map([...Map.groupBy(out, ({ by }) => by)].map(([by, rows]) => [by, rows.map(({ file }) => file)]))
  return { files: walk.taken, leftOut }
}

/** Files that the kustomizations of these folders take in. `follows`: also what paths of Flux and Argo CD among them lead to. */
export function filesFrom(tree: Tree, folders: readonly string[], follows: boolean): ReadonlySet<string> {
  const walk = new Walk(tree, follows)
  for (const folder of folders) walk.enter(folder)
  walk.run()
  return walk.taken
}

/** The folder of the nearest kustomization from `folder` upwards that takes in something; some are passed over. */
function leavesOut(
  folder: string,
  { kustomizations }: Tree,
  isPassedOver: (one: TakingIn) => boolean = () => false,
): string | undefined {
  for (let place = folder; ; place = dirname(place)) {
    const one = kustomizations.get(place)
    if (one !== undefined && !isPassedOver(one) && one.takes.length > 0) return place
    if (place === '.') return undefined
  }
}

/** The files that are reached, each once; folders wait in a list, so that depth takes no stack. */
class Walk {
  readonly taken = new Set<string>()
  readonly #tree: Tree
  readonly #entered = new Set<string>()
  readonly #waiting: (() => void)[] = []
  readonly #objects: ReadonlyMap<string, readonly KubeObject[]>
  readonly #inFolder: ReadonlyMap<string, readonly string[]>
  readonly #folders: readonly string[]
  readonly #follows: boolean

  constructor(tree: Tree, follows = true) {
    this.#tree = tree
    this.#follows = follows
    const byFile = Map.groupBy(tree.objects, ({ file }) => file)
    this.#objects = new Map([...byFile].map(([file, ones]) => [file, ones.map(({ object }) => object)]))
    this.#inFolder = Map.groupBy(tree.files, file => dirname(file))
    this.#folders = foldersOf(tree.files)
  }

  run(): void {
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) next()
  }

  enter(folder: string): void {
    if (this.#entered.has(folder)) return
    this.#entered.add(folder)
    const kustomization = this.#tree.kustomizations.get(folder)
    if (kustomization === undefined) {
      for (const file of this.#inFolder.get(folder) ?? []) this.take(file)
      for (const inner of this.#folders)
        if (dirname(inner) === folder && inner !== '.') this.#waiting.push(() => this.enter(inner))
      return
    }
    this.taken.add(kustomization.file)
    for (const entry of kustomization.takes) {
      if (this.#inFolder.get(dirname(entry))?.includes(entry) === true) this.take(entry)
      else this.#waiting.push(() => this.enter(entry))
    }
  }

  take(file: string): void {
    if (this.taken.has(file)) return
    this.taken.add(file)
    if (!this.#follows) return
    for (const object of this.#objects.get(file) ?? [])
      for (const path of pathsOf(object))
        for (const folder of foldersMeant(path, this.#folders)) this.#waiting.push(() => this.enter(folder))
  }
}

/**
 * Folders of the tree that a path of Flux or Argo CD means. The path may begin above the tree, where a part of a repository is looked into,
 * or within it, where somebody publishes a part of it as an artifact of its own.
 */
export function foldersMeant(path: string, folders: readonly string[]): readonly string[] {
  const wanted = normalize(path).replace(/^\/+|\/+$/g, '')
  if (wanted === '' || wanted === '.') return ['.']
  const exact = folders.filter(folder => wildcard(wanted).test(folder))
  if (exact.length > 0) return exact
  const within = folders.filter(folder => wildcard(`*/${wanted}`, '.*').test(folder))
  if (within.length > 0) return within
  const parts = wanted.split('/')
  for (let from = 1; from < parts.length; from += 1) {
    const rest = parts.slice(from).join('/')
    const found = folders.filter(folder => wildcard(rest).test(folder))
    if (found.length > 0) return found
  }
  return []
}

/** Every folder that has one of the files in it or below it; the root is `.`. */
export function foldersOf(files: readonly string[]): readonly string[] {
  const folders = new Set(['.'])
  for (const file of files) for (let folder = dirname(file); !folders.has(folder); folder = dirname(folder)) folders.add(folder)
  return [...folders]
}

/** `*` and variables stand for the name of a folder; a first `*` for `first`. */
function wildcard(path: string, first = '[^/]*'): RegExp {
  const parts = path.split(/(\*|\$\{[^}]*\})/)
  const sources = parts.map((part, index) => {
    if (index % 2 === 0) return part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    return index === 1 ? first : '[^/]*'
  })
  return new RegExp(`^${sources.join('')}$`)
}

/** Folders that an object has somebody apply. */
function pathsOf(object: KubeObject): readonly string[] {
  const { apiVersion, kind } = object
  if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) {
    const path = textAt(object, 'spec', 'path') ?? '.'
    return [path, ...listAt(object, 'spec', 'components').map(entry => join(path, String(entry)))]
  }
  if (kind === 'HelmRelease') {
    const chart = textAt(object, 'spec', 'chart', 'spec', 'chart') ?? ''
    return chart.includes('/') ? [chart] : []
  }
  if (!apiVersion.startsWith('argoproj.io/')) return []
  if (kind === 'Application') return sourcePaths(at(object, 'spec'))
  if (kind !== 'ApplicationSet') return []
  const generators = generatorsOf(listAt(object, 'spec', 'generators'))
  const directories = generators.flatMap(one => listAt(one, 'git', 'directories'))
  return [
    ...directories.filter(one => at(one, 'exclude') !== true).flatMap(one => textAt(one, 'path') ?? []),
    ...sourcePaths(at(object, 'spec', 'template', 'spec')),
  ]
}

/** Generators and those within `matrix` and `merge`, which nest once. */
function generatorsOf(generators: readonly unknown[]): readonly unknown[] {
  return generators.flatMap(one => [one, ...listAt(one, 'matrix', 'generators'), ...listAt(one, 'merge', 'generators')])
}

function sourcePaths(spec: unknown): readonly string[] {
  const sources = [at(spec, 'source'), ...listAt(spec, 'sources')]
  return sources.flatMap(source => textAt(source, 'path') ?? []).filter(path => !path.includes('{{') && !hasVariables(path))
}
