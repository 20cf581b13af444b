// What becomes of each path of the directory of hosts files when ours are written, or what was there before us is put back. What is not
// ours by the record is never deleted: it stays, or is kept aside where ours has to stand in its place. Pure.
import type { Node, Tree } from './directory-tree.ts'
import { readHosts } from './existing-hosts.ts'
import { digestOfNode, type HostsRecord, isOurs } from './hosts-record.ts'
import { hostsFileText, serverLine } from './hosts-text.ts'

/** What lies in the directory; `others`: somebody's, and of no interest to us. */
export type Present = ReadonlyMap<string, Node | { readonly kind: 'others' }>

export interface Fates {
  /** What is put, parents first. */
  readonly puts: Tree
  /** What lies there and is kept aside before something is put over it, or before it goes. */
  readonly keeps: Tree
  /** Files of the backup that are kept aside, since something newer stays in their place. */
  readonly keptOfBackup: Tree
  /** What goes, children first. */
  readonly removes: readonly string[]
  /** What others changed or added where ours would be, and that stays. */
  readonly left: readonly string[]
}

interface Question {
  readonly present: Present
  readonly before: Tree
  /** `undefined`: there is none, as before the first write and after versions that kept none. */
  readonly record: HostsRecord | undefined
}

/** How the directory becomes `wanted`. */
export function fatesOfWriting(question: Question, wanted: Tree): Fates {
  return fates(question, wanted, (path, node) => {
    // A copy of what was there before is its owner's: what the owner made of it since is newer.
    const original = question.before.get(path)
    return original !== undefined && isSame(original, node) ? 'stay' : 'give way'
  })
}

/** How the directory becomes what it was before us, with all that came since. */
export function fatesOfRestoring(question: Question): Fates {
  return fates(question, question.before, path => (isMadeByUs(question, path) ? 'give way' : 'stay and keep'))
}

function fates(
  question: Question,
  target: Tree,
  whoYields: (path: string, node: Node) => 'give way' | 'stay' | 'stay and keep',
): Fates {
  const { present, before } = question
  const puts = new Map<string, Node>()
  const keeps = new Map<string, Node>()
  const keptOfBackup = new Map<string, Node>()
  const left: string[] = []
  const blocked = new Set<string>()
  for (const [path, node] of target) {
    const found = present.get(path)
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    if (blocked.has(parent)) {
      // What is above it stays as it is, so there is no place for it.
      blocked.add(path)
      if (node.kind !== 'directory') keptOfBackup.set(path, node)
    } else if (
      found === undefined ||
      isExpendable(question, path, found) ||
      isKnown(found, node) ||
      isKnown(found, before.get(path))
    )
      puts.set(path, node)
    else if (found.kind === 'others' || found.kind === 'directory' || node.kind === 'directory') {
      // A file where a directory would be, or the other way round: no copy says all that it is.
      left.push(path)
      blocked.add(path)
      if (node.kind !== 'directory') keptOfBackup.set(path, node)
    } else {
      const yields = whoYields(path, node)
      if (yields === 'give way') {
        keeps.set(path, found)
        puts.set(path, node)
      } else left.push(path)
      if (yields === 'stay and keep') keptOfBackup.set(path, node)
    }
  }
  return { puts, keeps, keptOfBackup, left, removes: removesOf(question, target, keeps) }
}

/** What lies there, is not wanted, and is not others' to keep. Edits of ours go as well, once they are kept aside. */
function removesOf(question: Question, target: Tree, keeps: Map<string, Node>): readonly string[] {
  const { present, before, record } = question
  const removes = new Set<string>()
  for (const [path, node] of [...present].toReversed()) {
    if (target.has(path) || node.kind === 'others') continue
    if (node.kind === 'directory') {
      const isEmptied = ![...present.keys()].some(other => other.startsWith(`${path}/`) && !removes.has(other))
      const isOwn = record?.entries.has(path) === true || (record?.isComplete !== true && before.has(path))
      // Without a record a directory is ours where all that was in it is.
      const hadOurs = record === undefined && [...removes].some(other => other.startsWith(`${path}/`))
      if (isEmptied && (isOwn || hadOurs)) removes.add(path)
    } else if (isExpendable(question, path, node)) removes.add(path)
    else if (isMadeByUs(question, path)) {
      keeps.set(path, node)
      removes.add(path)
    }
  }
  return [...removes]
}

/** Whether it may go without a copy: we wrote it, or the backup has it and nobody knows who put it here since. */
function isExpendable({ before, record }: Question, path: string, node: Node | { readonly kind: 'others' }): boolean {
  if (node.kind === 'others') return false
  if (record !== undefined && isOurs(record, path, node)) return true
  return record?.isComplete !== true && isKnown(node, before.get(path))
}

/** Whether we made the file at this path, whatever stands in it now. */
function isMadeByUs({ present, record }: Question, path: string): boolean {
  if (record !== undefined) return record.entries.get(path)?.isMade === true
  const node = present.get(path)
  return node?.kind === 'file' && isInOurHand(path, node.content.toString('utf8'))
}

function isKnown(found: Node | { readonly kind: 'others' }, node: Node | undefined): boolean {
  return found.kind !== 'others' && node !== undefined && isSame(found, node)
}

const isSame = (one: Node, other: Node): boolean => digestOfNode(one) === digestOfNode(other)

/**
 * Whether a hosts.toml has exactly the bytes that we, or Spegel, write for some mirrors and wishes: versions before the record left such
 * files. It is kept aside nevertheless.
 */
export function isInOurHand(path: string, content: string): boolean {
  const [, name = ''] = /^([^/]+)\/hosts\.toml$/.exec(path) ?? []
  if (name === '' || !content.includes('[host.')) return false
  const read = readHosts(content)
  if (!read.ok) return false
  const hosts = read.file.hosts.map(({ url, text }) => {
    const [, capabilities = ''] = /^capabilities = \[([^\]]*)\]$/m.exec(text) ?? []
    const [, dialTimeout = ''] = /^dial_timeout = '([^']*)'$/m.exec(text) ?? []
    const [, authorization] = /^Authorization = '([^']*)'$/m.exec(text) ?? []
    return { url, capabilities: capabilities.split(', ').map(word => word.replace(/^'|'$/g, '')), dialTimeout, authorization }
  })
  const tops = ['', serverLine({ scheme: 'https', host: name }), serverLine({ scheme: 'http', host: name })]
  return tops.some(top => hostsFileText({ top, hosts, rest: [] }) === content)
}
