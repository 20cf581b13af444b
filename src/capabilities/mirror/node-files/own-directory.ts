// Carries out what was decided of the directory of hosts files: first copies of what gives way, then what comes, last what goes. Whoever is
// stopped anywhere leaves more than there was, and a record that calls nothing ours that is not.
import { join } from 'node:path'
import { isDraft, type Node, put, type Tree, takeAway } from './directory-tree.ts'
import type { Fates, Present } from './fate.ts'
import { FileFault, type FileOperations } from './file-operations.ts'
import { digestOfNode, type HostsRecord, recordName } from './hosts-record.ts'
import { keepAside, keptName, nodeAt, sweepKept } from './kept-aside.ts'

/** What was configured before us; upstream's name for it, so that either can clean up after the other. */
export const backupName = '_backup'

/** What lies in the directory and is no registry's. */
export const isSpecial = (path: string): boolean => path === backupName || path === recordName || path === keptName

/** As much as is plausible of one directory. */
const mostEntries = 10_000

interface Looked {
  readonly present: Present
  /** What was begun and not finished; nobody reads it. */
  readonly drafts: readonly string[]
}

/**
 * What lies in the directory, as far as it can be of interest: what is at `paths`, and without a record every hosts.toml. The rest is
 * others', and is not read.
 */
export async function lookAround(
  files: FileOperations,
  root: string,
  { paths, isEveryFile }: { readonly paths: ReadonlySet<string>; readonly isEveryFile: boolean },
): Promise<Looked> {
  const present = new Map<string, Node | { readonly kind: 'others' }>()
  const drafts: string[] = []
  const tops = new Set(Array.from(paths, path => path.split('/', 1)[0] ?? ''))
  const walk = async (below: string) => {
    for (const name of await files.list(join(root, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (isSpecial(path)) continue
      if (isDraft(name)) {
        drafts.push(path)
        continue
      }
      const entry = await files.look(join(root, path))
      if (entry === undefined) continue
      if (present.size >= mostEntries)
        throw new FileFault('too much below', root, new Error(`expected at most ${mostEntries} files`))
      const isRead = paths.has(path) || (isEveryFile && name === 'hosts.toml')
      if (entry.kind === 'directory') {
        present.set(path, { kind: 'directory', mode: entry.mode })
        if (below !== '' || isEveryFile || tops.has(name)) await walk(path)
      } else if (isRead && entry.kind !== 'other') {
        const node = await nodeAt(files, join(root, path))
        if (node !== undefined) present.set(path, node)
      } else present.set(path, { kind: 'others' })
    }
  }
  await walk('')
  return { present, drafts }
}

interface Done {
  readonly written: readonly string[]
  readonly unchanged: readonly string[]
  readonly removed: readonly string[]
  /** Path, and where below the backup it is kept. */
  readonly kept: readonly { readonly path: string; readonly place: string }[]
}

interface CarryOut {
  readonly root: string
  readonly present: Present
  readonly fates: Fates
  /** Name of what is kept by this run. */
  readonly keptAt: string
  /** Called once all that gives way is kept, before the first change. */
  readonly begin: () => Promise<void>
}

/** @throws FileFault; also where somebody writes the same file at this moment */
export async function carryOut(files: FileOperations, { root, present, fates, keptAt, begin }: CarryOut): Promise<Done> {
  const { puts, keeps, keptOfBackup, removes } = fates
  const store = join(root, backupName, keptName)
  const kept: { path: string; place: string }[] = []
  for (const [path, node] of [...keeps, ...keptOfBackup])
    kept.push({ path, place: await keepAside(files, store, { path, node, name: keptAt }) })
  if (isChange(present, fates)) await begin()
  const written: string[] = []
  const unchanged: string[] = []
  for (const [path, node] of puts) {
    await expectAsSeen(files, root, path, present)
    const isSame = await put(files, join(root, path), node)
    if (node.kind === 'directory') continue
    const told = isSame ? unchanged : written
    told.push(path)
  }
  for (const path of removes) {
    await expectAsSeen(files, root, path, present)
    const full = join(root, path)
    // Never with what is in it: that is somebody's who came meanwhile.
    if (present.get(path)?.kind === 'directory') await files.removeDirectory(full)
    else await files.removeFile(full)
  }
  if (removes.length > 0) await files.flush(root)
  return { written, unchanged, removed: removes.filter(path => present.get(path)?.kind !== 'directory'), kept }
}

function isChange(present: Present, { puts, removes }: Fates): boolean {
  if (removes.length > 0) return true
  for (const [path, node] of puts) {
    const found = present.get(path)
    if (found === undefined || found.kind === 'others' || digestOfNode(found) !== digestOfNode(node)) return true
  }
  return false
}

/** What is written over or removed is still what was looked at. */
async function expectAsSeen(files: FileOperations, root: string, path: string, present: Present): Promise<void> {
  const seen = present.get(path)
  const found = await nodeAt(files, join(root, path))
  const isSame =
    seen === undefined || seen.kind === 'others' || found === undefined
      ? seen === undefined
        ? found === undefined || found.kind === 'directory'
        : found === undefined
      : digestOfNode(found) === digestOfNode(seen)
  if (!isSame) throw new FileFault('write over', join(root, path), new Error('somebody writes it at this moment; run again'))
}

/** Takes away what was begun by a run that was killed. */
export async function dropDrafts(files: FileOperations, root: string, drafts: readonly string[]): Promise<void> {
  await sweepKept(files, join(root, backupName, keptName))
  for (const path of drafts) await takeAway(files, join(root, path))
}

/** The record of what is ours once `wanted` is there; `left` stays others'. While it is under way it names old and new. */
export function recordOf(
  wanted: Tree,
  { before, left, old }: { readonly before: Tree; readonly left: readonly string[]; readonly old: HostsRecord | undefined },
): { readonly whileWriting: HostsRecord; readonly complete: HostsRecord } {
  const stays = new Set(left)
  const entries = Array.from(wanted)
    .filter(([path]) => !stays.has(path))
    .map(([path, node]) => {
      const digest = digestOfNode(node)
      const original = before.get(path)
      return [path, { digests: [digest], isMade: original === undefined || digestOfNode(original) !== digest }] as const
    })
  const whileWriting = new Map(old?.entries)
  for (const [path, { digests, isMade }] of entries) {
    const known = old?.entries.get(path)
    whileWriting.set(path, {
      digests: [...new Set([...(known?.digests ?? []), ...digests])],
      isMade: isMade || known?.isMade === true,
    })
  }
  return { whileWriting: { isComplete: false, entries: whileWriting }, complete: { isComplete: true, entries: new Map(entries) } }
}
