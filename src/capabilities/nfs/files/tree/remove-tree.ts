// Removing the directory of a volume, and nothing else: no link is followed, no other file system entered, and the root stays.
import type { ByteText } from '../byte-text.ts'
import { shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { deepestTree, enter, OpenDirectory, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { partsOf } from '../relative-path.ts'

/** Empty directories above a volume that are removed with it. */
const mostParents = 10
/** Names that are taken of a directory at a time: what is removed while a directory is read may hide what follows. */
const namesAtOnce = 1_024

/** @throws FileWorkFailed EXDEV where another file system is mounted in the tree, LIMIT, or what the system says */
export async function removeTree(
  { root, path }: FileWorkOf<'removeTree'>,
  progress: Progress,
): Promise<FileWorkResult<'removeTree'>> {
  using base = OpenDirectory.root(root)
  const parts = partsOf(path)
  using way = new DisposableStack()
  // Each directory on the way that is there, from the root on.
  const open: OpenDirectory[] = [way.use(base.again())]
  for (const part of parts.slice(0, -1)) {
    const here = open.at(-1)
    const next = here === undefined ? undefined : orMissing(() => enter(base, here, part))
    if (next === undefined) break
    open.push(way.use(next))
  }
  const [parent, last] = [open.at(-1), parts.at(-1)]
  if (open.length === parts.length && parent !== undefined && last !== undefined) await removeName(parent, last, progress, 0)
  return { entries: progress.entries, parents: removeEmptyAbove(open, parts) }
}

/** Removes what a name is, with all below it; a name that is nothing is left so. */
export async function removeName(parent: OpenDirectory, name: ByteText, progress: Progress, depth: number): Promise<void> {
  const found = parent.find(name)
  if (found === undefined) return
  if (!found.isDirectory()) {
    orMissing(() => parent.unlink(name))
    if (progress.entry()) await progress.turn()
    return
  }
  const directory = orMissing(() => parent.open(name))
  if (directory === undefined) return
  {
    using inner = directory
    await emptyDirectory(parent, inner, progress, depth + 1)
  }
  orMissing(() => parent.removeDirectory(name))
  if (progress.entry()) await progress.turn()
}

async function emptyDirectory(parent: OpenDirectory, directory: OpenDirectory, progress: Progress, depth: number): Promise<void> {
  const where = shown(directory.path)
  if (depth > deepestTree)
    throw new FileWorkFailed('LIMIT', `remove ${where}: it lies deeper than ${deepestTree} directories`, { path: where })
  if (directory.stat().dev !== parent.stat().dev)
    throw new FileWorkFailed('EXDEV', `remove ${where}: another file system is mounted there; unmount it, or remove it by hand`, {
      path: where,
    })
  for (;;) {
    const names = [...directory.names(namesAtOnce)]
    if (names.length === 0) return
    for (const name of names) await removeName(directory, name, progress, depth)
  }
}

/** @returns how many were removed */
function removeEmptyAbove(open: readonly OpenDirectory[], parts: readonly ByteText[]): number {
  let removed = 0
  for (let at = open.length - 2; at >= 0; at--) {
    const [above, name] = [open[at], parts[at]]
    if (above === undefined || name === undefined) break
    try {
      if (removed === mostParents && isEmpty(open[at + 1]))
        throw new FileWorkFailed(
          'LIMIT',
          `${shown(above.pathOf(name))} and ${mostParents} directories below it are empty: only those are removed`,
        )
      above.removeDirectory(name)
    } catch (error) {
      // It is in use, a mount, or a link: it stays, and all above it. One that is gone was removed by another.
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR')) break
      if (!hasCode(error, 'ENOENT')) throw error
    }
    removed++
  }
  return removed
}

function isEmpty(directory: OpenDirectory | undefined): boolean {
  return directory !== undefined && directory.names(1).next().done === true
}
