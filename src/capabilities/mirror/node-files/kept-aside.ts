// Where what others wrote is kept when ours has to stand in its place: `_backup/_kept/<time>/<path>`, and beside the backup once that is
// restored. It is a copy, made before anything is written over; nothing here is ever deleted by us.
import { join } from 'node:path'
import { draftOf, isDraft, type Node, takeAway, withDraft } from './directory-tree.ts'
import { FileFault, type FileOperations } from './file-operations.ts'
import { digestOfNode } from './hosts-record.ts'

export const keptName = '_kept'
/** A tool that writes our files anew with each start has its text kept once: equal ones are not kept again. */
const mostKept = 256

/** Keeps a copy of a file or link; where an equal one of this path is kept already, that will do. The place, below `store`. */
export async function keepAside(
  files: FileOperations,
  store: string,
  { path, node, name }: { readonly path: string; readonly node: Node; readonly name: string },
): Promise<string> {
  const times = (await files.list(store)).filter(time => !isDraft(time))
  for (const time of times) {
    const known = await nodeAt(files, join(store, time, path))
    if (known !== undefined && digestOfNode(known) === digestOfNode(node)) return `${time}/${path}`
  }
  const place = await freePlace(files, store, name, path)
  if (!times.includes(place) && times.length >= mostKept)
    throw new FileFault(
      'keep more in',
      store,
      new Error(`${mostKept} times are kept: look through them and delete what is not needed`),
    )
  const target = join(store, place, path)
  await files.makeDirectory(join(target, '..'))
  const draft = draftOf(target)
  await takeAway(files, draft)
  await withDraft(files, draft, async () => {
    if (node.kind === 'link') await files.link(draft, node.target)
    else if (node.kind === 'file') {
      await files.write(draft, node.content, node.mode)
      if (node.owner !== undefined) await files.setOwner(draft, node.owner.user, node.owner.group)
    } else await files.makeDirectory(draft)
    await files.rename(draft, target)
  })
  await files.flush(join(target, '..'))
  return `${place}/${path}`
}

/** Takes away copies that were begun and not finished, and directories that nothing lies in. */
export async function sweepKept(files: FileOperations, store: string): Promise<void> {
  for (const name of await files.list(store)) {
    const path = join(store, name)
    if (isDraft(name)) await takeAway(files, path)
    else if ((await files.look(path))?.kind === 'directory') {
      await sweepKept(files, path)
      if ((await files.list(path)).length === 0) await files.removeDirectory(path)
    }
  }
}

/** The first of `name`, `name-2`, … where nothing lies at the path. */
async function freePlace(files: FileOperations, store: string, name: string, path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const place = number === 1 ? name : `${name}-${number}`
    if ((await files.look(join(store, place, path))) === undefined) return place
  }
}

/** The file or link at a path. */
export async function nodeAt(files: FileOperations, path: string): Promise<Node | undefined> {
  const entry = await files.look(path)
  if (entry?.kind === 'link') return entry
  if (entry?.kind === 'directory') return { kind: 'directory', mode: entry.mode }
  if (entry?.kind !== 'file') return undefined
  return { kind: 'file', mode: entry.mode, owner: { user: entry.owner, group: entry.group }, content: await files.read(path) }
}

/** `2026-11-22T08-33-24Z`: a name that sorts by time and that every file system takes. */
export function keptAt(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-').concat('Z')
}

/** Moves what was kept in `from` to `to`, where some may lie already. */
export async function moveKept(files: FileOperations, from: string, to: string): Promise<void> {
  if ((await files.look(from))?.kind !== 'directory') return
  await files.makeDirectory(to)
  for (const time of await files.list(from)) {
    let name = time
    for (let number = 2; (await files.look(join(to, name))) !== undefined; number++) name = `${time}-${number}`
    await files.rename(join(from, time), join(to, name))
  }
  await files.flush(to)
  await files.removeDirectory(from)
}
