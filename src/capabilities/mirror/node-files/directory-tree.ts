// A directory of hosts files as a value, and how one becomes another: new files first, deletions last, so that whoever is stopped
// in the middle leaves more than there was, never less.
import { isAbsolute, join } from 'node:path'
import { messageOf } from '#kube/log.ts'
import { FileFault, type FileOperations } from './file-operations.ts'

/** What lies at a path below the directory. */
export type Node =
  | { readonly kind: 'file'; readonly content: Buffer; readonly mode: number; readonly owner?: Owner }
  | { readonly kind: 'directory'; readonly mode: number; readonly owner?: Owner }
  | { readonly kind: 'link'; readonly target: string }

interface Owner {
  readonly user: number
  readonly group: number
}

/** By path, `ghcr.io/hosts.toml`; directories stand before what they hold. */
export type Tree = ReadonlyMap<string, Node>

const mostEntries = 10_000
const mostBytes = 64 * 1024 * 1024
/** What was begun and not finished ends so; nobody reads it, and the next run takes it away. */
const draftSuffix = '.ballast-new'
/** What is on its way out: nobody reads it either, and it is nothing that was there before us. */
const goneSuffix = '.ballast-old'

/** Everything below `root`, but what `isLeft` says; drafts of earlier runs are no part of it. @throws FileFault */
export async function readTree(
  files: FileOperations,
  root: string,
  isLeft: (path: string) => boolean = () => false,
): Promise<Tree> {
  const tree = new Map<string, Node>()
  let bytes = 0
  const walk = async (below: string) => {
    for (const name of await files.list(join(root, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (isLeft(path) || isDraft(name)) continue
      const full = join(root, path)
      const entry = await files.look(full)
      if (entry === undefined) continue
      if (tree.size >= mostEntries)
        throw new FileFault('too much below', root, new Error(`expected at most ${mostEntries} files`))
      switch (entry.kind) {
        case 'link':
          tree.set(path, { kind: 'link', target: entry.target })
          break
        case 'directory':
          tree.set(path, { kind: 'directory', mode: entry.mode, owner: { user: entry.owner, group: entry.group } })
          await walk(path)
          break
        case 'file': {
          bytes += entry.size
          if (bytes > mostBytes) throw new FileFault('too much below', root, new Error(`expected at most ${mostBytes} bytes`))
          const owner = { user: entry.owner, group: entry.group }
          tree.set(path, { kind: 'file', mode: entry.mode, owner, content: await files.read(full) })
          break
        }
        case 'other':
          throw new FileFault('keep', full, new Error('it is no file, directory or link: take it away'))
      }
    }
  }
  await walk('')
  return tree
}

export const isDraft = (name: string): boolean => name.endsWith(draftSuffix) || name.endsWith(goneSuffix)
export const draftOf = (path: string): string => `${path}${draftSuffix}`
export const goneOf = (path: string): string => `${path}${goneSuffix}`

interface Changes {
  readonly written: readonly string[]
  readonly unchanged: readonly string[]
  readonly removed: readonly string[]
}

/**
 * Makes what lies below `root` be `wanted`, except what `isLeft` says. Files are replaced whole; nothing is removed before everything
 * new is there.
 */
export async function becomeTree(
  files: FileOperations,
  {
    root,
    wanted,
    isLeft = () => false,
  }: { readonly root: string; readonly wanted: Tree; readonly isLeft?: (path: string) => boolean },
): Promise<Changes> {
  const written: string[] = []
  const unchanged: string[] = []
  for (const [path, node] of wanted) {
    const isSame = await put(files, join(root, path), node)
    if (node.kind === 'directory') continue
    const told = isSame ? unchanged : written
    told.push(path)
  }
  const removed = await removeOthers(files, { root, wanted, isLeft })
  return { written, unchanged, removed }
}

/** Puts one node at a path, whole. True where it was so already. */
export async function put(files: FileOperations, path: string, node: Node): Promise<boolean> {
  const present = await files.look(path)
  if (node.kind === 'directory') {
    if (present !== undefined && present.kind !== 'directory') await files.removeFile(path)
    if (present?.kind !== 'directory') await files.makeDirectory(path)
    if (present?.kind !== 'directory' || present.mode !== node.mode) await files.setMode(path, node.mode)
    await own(files, path, node.owner, present)
    return true
  }
  if (node.kind === 'link') {
    if (present?.kind === 'link' && present.target === node.target) return true
  } else if (present?.kind === 'file' && present.mode === node.mode && present.size === node.content.length) {
    if (isOwnedBy(present, node.owner) && (await files.read(path)).equals(node.content)) return true
  }
  const draft = draftOf(path)
  await takeAway(files, draft)
  await withDraft(files, draft, async () => {
    if (node.kind === 'link') await files.link(draft, node.target)
    else {
      await files.write(draft, node.content, node.mode)
      await own(files, draft, node.owner, await files.look(draft))
    }
    // Only a directory cannot be replaced at once.
    if (present?.kind === 'directory') await takeAway(files, path)
    await files.rename(draft, path)
  })
  await files.flush(join(path, '..'))
  return false
}

/** Where `act` fails the draft goes; where even that fails, both are told. */
export async function withDraft(files: FileOperations, draft: string, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    try {
      await takeAway(files, draft)
    } catch (second) {
      throw new FileFault(`${messageOf(error)}; and what was begun is left, since it is not possible to`, draft, second)
    }
    throw error
  }
}

const isOwnedBy = (present: { readonly owner: number; readonly group: number }, owner: Owner | undefined): boolean =>
  owner === undefined || (present.owner === owner.user && present.group === owner.group)

async function own(
  files: FileOperations,
  path: string,
  owner: Owner | undefined,
  present: Awaited<ReturnType<FileOperations['look']>>,
): Promise<void> {
  if (owner === undefined) return
  const known = present !== undefined && 'owner' in present ? present : undefined
  if (known !== undefined && isOwnedBy(known, owner)) return
  await files.setOwner(path, owner.user, owner.group)
}

async function removeOthers(
  files: FileOperations,
  { root, wanted, isLeft }: { readonly root: string; readonly wanted: Tree; readonly isLeft: (path: string) => boolean },
): Promise<readonly string[]> {
  const removed: string[] = []
  const walk = async (below: string) => {
    for (const name of await files.list(join(root, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (isLeft(path)) continue
      const node = wanted.get(path)
      if (node?.kind === 'directory') await walk(path)
      else if (node === undefined) {
        await takeAway(files, join(root, path))
        if (!isDraft(name)) removed.push(path)
      }
    }
  }
  await walk('')
  if (removed.length > 0) await files.flush(root)
  return removed
}

/** Removes whatever is there, with all below it; nothing where nothing is. */
export async function takeAway(files: FileOperations, path: string): Promise<void> {
  if (!isAbsolute(path)) throw new FileFault('remove', path, new Error('expected an absolute path'))
  const entry = await files.look(path)
  if (entry === undefined) return
  if (entry.kind !== 'directory') {
    await files.removeFile(path)
    return
  }
  for (const name of await files.list(path)) await takeAway(files, join(path, name))
  await files.removeDirectory(path)
}
