// What the directory of hosts files is to hold: ours, and of what was there before as much as is asked for. Pure.
import { createHash } from 'node:crypto'
import type { Node, Tree } from './directory-tree.ts'
import { readHosts } from './existing-hosts.ts'
import { type HostBlock, hostsFileText, serverLine } from './hosts-text.ts'
import type { HostsDirectory, ParsedHosts } from './hosts-wish.ts'
import type { ExistingHosts } from './options.ts'

export const hostsFileName = 'hosts.toml'

interface WantedTree {
  readonly tree: Tree
  /** For the log: what of the earlier configuration is not asked any more, and why. */
  readonly warnings: readonly string[]
}

const fileMode = 0o644
const directoryMode = 0o755

/** `before` is what was configured before us: the tree of the backup. */
export function wantedTree({ directories, hosts }: ParsedHosts, before: Tree, existing: ExistingHosts): WantedTree {
  const tree = new Map<string, Node>()
  const warnings: string[] = []
  const named = new Set(directories.map(({ name }) => name))
  const isWhole = directories.some(({ registry }) => registry === undefined)
  for (const directory of directories) {
    const { name, registry } = directory
    const kept = existing === 'replace' ? undefined : earlierOf(name, before, warnings)
    const blocks = kept?.blocks ?? []
    // Files are kept for hosts that name them; upstream keeps them only then.
    if (blocks.length > 0 || existing === 'prepend') copyFiles(tree, name, before)
    const certificates = existing === 'prepend' && kept === undefined ? certificateLines(name, before) : []
    const top = [serverLine(registry), ...certificates].filter(line => line !== '').join('\n')
    putHosts(tree, name, { top, hosts, rest: without(blocks, hosts) })
  }
  if (existing === 'prepend')
    for (const name of topOf(before)) {
      if (named.has(name)) continue
      if (isWhole) putOthers(tree, { directory: { name, registry: undefined }, before, hosts, warnings })
      else copyAsIs(tree, name, before)
    }
  return { tree, warnings }
}

/** A registry with a directory of its own while all are mirrored: ours go before its hosts, its last resort stays. */
function putOthers(
  tree: Map<string, Node>,
  {
    directory: { name },
    before,
    hosts,
    warnings,
  }: {
    readonly directory: HostsDirectory
    readonly before: Tree
    readonly hosts: readonly HostBlock[]
    readonly warnings: string[]
  },
): void {
  copyAsIs(tree, name, before)
  const kept = earlierOf(name, before, warnings)
  const certificates = certificateLines(name, before)
  if (kept === undefined && certificates.length === 0) return
  putHosts(tree, name, { top: kept?.top ?? certificates.join('\n'), hosts, rest: without(kept?.blocks ?? [], hosts) })
}

/**
 * Certificates that lie in a directory without `hosts.toml` are found by their names, as Docker has it. Beside one they are not, so
 * ours has to name them.
 */
function certificateLines(name: string, before: Tree): readonly string[] {
  const beside = [...before.keys()].filter(path => path.startsWith(`${name}/`)).map(path => path.slice(name.length + 1))
  const names = beside.filter(path => !path.includes('/') && !path.includes("'")).toSorted()
  const authorities = names.filter(path => path.endsWith('.crt'))
  const pairs = names.flatMap(path => {
    const key = path.replace(/\.cert$/, '.key')
    return path.endsWith('.cert') && names.includes(key) ? [`['${path}', '${key}']`] : []
  })
  return [
    ...(authorities.length === 0 ? [] : [`ca = [${authorities.map(path => `'${path}'`).join(', ')}]`]),
    ...(pairs.length === 0 ? [] : [`client = [${pairs.join(', ')}]`]),
  ]
}

function putHosts(tree: Map<string, Node>, name: string, parts: Parameters<typeof hostsFileText>[0]): void {
  const before = tree.get(name)
  if (before?.kind !== 'directory') tree.set(name, { kind: 'directory', mode: directoryMode })
  tree.set(`${name}/${hostsFileName}`, { kind: 'file', mode: fileMode, content: Buffer.from(hostsFileText(parts), 'utf8') })
}

/** What `hosts.toml` of a directory said; `undefined` where there is none that containerd could read. */
function earlierOf(
  name: string,
  before: Tree,
  warnings: string[],
): { readonly top: string; readonly blocks: readonly { readonly url: string; readonly text: string }[] } | undefined {
  const node = fileAt(before, `${name}/${hostsFileName}`)
  if (node === undefined) return undefined
  const read = readHosts(node.content.toString('utf8'))
  if (read.ok) return { top: read.file.top, blocks: read.file.hosts }
  warnings.push(
    `${name}/${hostsFileName} cannot be read and is taken for none, as containerd does; it stays in the backup: ${read.why}`,
  )
  return { top: '', blocks: [] }
}

/** Hosts that are ours already are not written twice: the file would be invalid. */
function without(
  blocks: readonly { readonly url: string; readonly text: string }[],
  hosts: readonly HostBlock[],
): readonly string[] {
  const own = new Set(hosts.map(({ url }) => url))
  return blocks.filter(({ url }) => !own.has(url)).map(({ text }) => text)
}

/** Certificates and whatever else lies beside; never readable for more than they were. */
function copyFiles(tree: Map<string, Node>, name: string, before: Tree): void {
  for (const [path, node] of before) {
    if (!path.startsWith(`${name}/`) || path === `${name}/${hostsFileName}`) continue
    if (tree.size === 0 || !tree.has(name)) tree.set(name, { kind: 'directory', mode: directoryMode })
    if (node.kind === 'directory') tree.set(path, { kind: 'directory', mode: directoryMode })
    else if (node.kind === 'link') tree.set(path, node)
    else tree.set(path, { kind: 'file', mode: node.mode & fileMode, content: node.content })
  }
}

function copyAsIs(tree: Map<string, Node>, name: string, before: Tree): void {
  for (const [path, node] of before) if (path === name || path.startsWith(`${name}/`)) tree.set(path, node)
}

const topOf = (tree: Tree): readonly string[] => [...tree.keys()].filter(path => !path.includes('/'))

/** The file at a path; links inside the tree are followed once. */
function fileAt(tree: Tree, path: string): Extract<Node, { readonly kind: 'file' }> | undefined {
  const node = tree.get(path)
  if (node?.kind === 'file') return node
  if (node?.kind !== 'link' || node.target.includes('/')) return undefined
  const beside = tree.get(`${path.slice(0, path.lastIndexOf('/'))}/${node.target}`)
  return beside?.kind === 'file' ? beside : undefined
}

/** Over paths, modes and contents, in the order of paths. */
export function digestOfTree(tree: Tree): string {
  const hash = createHash('sha256')
  for (const path of [...tree.keys()].toSorted()) {
    const node = tree.get(path)
    if (node === undefined) continue
    const content = node.kind === 'file' ? createHash('sha256').update(node.content).digest('hex') : ''
    hash.update(JSON.stringify([path, node.kind, 'mode' in node ? node.mode : 0, node.kind === 'link' ? node.target : content]))
  }
  return `sha256:${hash.digest('hex')}`
}
