// The directory of a deleted volume that is kept under another name.
import { type ByteText, bytesOf, joined, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { enter, OpenDirectory, openBelow, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { archivedPrefix, partsOf } from '../relative-path.ts'
import { removeName } from './remove-tree.ts'

const prefix = bytesOf(archivedPrefix)
/** Archives of one name beside each other. */
const mostNumbers = 1_000

/**
 * Renames the tree. Where others make an archive of that name between the look and the rename, an empty one is replaced, and one with
 * something in it makes the rename fail (ENOTEMPTY): nothing is lost.
 * @throws FileWorkFailed EEXIST where an archive is there and not to be replaced; LIMIT; UNSAFE_PATH; what the system says
 */
export async function archiveTree(
  { root, path, replaces }: FileWorkOf<'archiveTree'>,
  progress: Progress,
): Promise<FileWorkResult<'archiveTree'>> {
  using base = OpenDirectory.root(root)
  const parts = partsOf(path)
  const [first = bytesOf(''), ...others] = parts
  const archiveParts = [joined(prefix, first), ...others]
  const archivePath = archiveParts.map(shown).join('/')
  using from = orMissing(() => openBelow(base, parts.slice(0, -1)))
  const [name, archiveName] = [parts.at(-1), archiveParts.at(-1)]
  if (name === undefined || archiveName === undefined) throw new TypeError('a path has at least one part')
  if (from?.find(name) === undefined) {
    using parent = orMissing(() => openBelow(base, archiveParts.slice(0, -1)))
    return { moved: false, archive: parent?.find(archiveName) === undefined ? undefined : archivePath }
  }
  using to = makeParents(base, archiveParts.slice(0, -1))
  if (to.find(archiveName) === undefined) {
    renameNow(from, name, to, archiveName)
    return { moved: true, archive: archivePath }
  }
  switch (replaces) {
    case 'refuse':
      throw new FileWorkFailed(
        'EEXIST',
        `archive ${path}: ${archivePath} is there already; move it away, or let it be replaced`,
        {
          path: archivePath,
        },
      )
    case 'remove':
      await removeName(to, archiveName, progress, 0)
      renameNow(from, name, to, archiveName)
      return { moved: true, archive: archivePath }
    case 'number': {
      const number = freeNumber(to, archiveName)
      if (number === undefined)
        throw new FileWorkFailed('LIMIT', `archive ${path}: there are ${mostNumbers} archives of that name already`, {
          path: archivePath,
        })
      renameNow(from, name, to, numbered(archiveName, number))
      return { moved: true, archive: `${archivePath}-${number}` }
    }
  }
}

/** A rename need not change the inode of what is renamed; setting bits does, also where they are the same. Its age as an archive is told by that. */
function renameNow(from: OpenDirectory, name: ByteText, to: OpenDirectory, newName: ByteText): void {
  from.rename(name, to, newName)
  try {
    using moved = to.open(newName)
    moved.setOwnMode(Number(moved.stat().mode & 0o7777n))
  } catch (error) {
    // The archive is made, whatever its age.
    if (!hasCode(error, 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
  }
}

const numbered = (name: ByteText, number: number): ByteText => joined(name, bytesOf(`-${number}`))

function freeNumber(directory: OpenDirectory, name: ByteText): number | undefined {
  for (let number = 2; number <= mostNumbers; number++) if (directory.find(numbered(name, number)) === undefined) return number
  return undefined
}

function makeParents(base: OpenDirectory, parts: readonly ByteText[]): OpenDirectory {
  let here = base.again()
  for (const part of parts) {
    using left = here
    left.makeDirectory(part, 0o777)
    here = enter(base, left, part)
  }
  return here
}
