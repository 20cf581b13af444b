// An archived folder that is old enough goes, in steps that each leave a name by which the next process knows how far it came: nothing young is removed, and
// nothing half removed is taken for young.
import { createHash } from 'node:crypto'
import { type ByteText, bytesOf, joined, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { deepestTree, OpenDirectory, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { archivedPrefix, nameOf } from '../relative-path.ts'
import { mtimeMsOf } from './entry-type.ts'
import { removeName } from './remove-tree.ts'
import { leavingPrefix, removedPrefix } from './survey.ts'

const longestName = 255
/** Names that are tried where an archive comes back and its own is taken. */
const mostNumbers = 1_000

/**
 * Removes an archived folder in which nothing was changed for a while: neither names, nor contents, nor inodes, so also the folder itself was not renamed.
 * @throws FileWorkFailed UNSAFE_PATH for another name; ENOTDIR; LIMIT; EXDEV; what the system says
 */
export async function expireTree(
  { root, name, beforeMs }: FileWorkOf<'expireTree'>,
  progress: Progress,
): Promise<FileWorkResult<'expireTree'>> {
  using base = OpenDirectory.root(root)
  const part = nameOf(name)
  const found = base.find(part)
  if (found === undefined) return { kind: 'missing' }
  if (!found.isDirectory()) throw new FileWorkFailed('ENOTDIR', `expire ${name}: it is no directory`, { path: name })
  if (name.startsWith(removedPrefix)) return await remove(base, part, progress)
  if (name.startsWith(leavingPrefix)) return { kind: 'restored', name: shown(restore(base, part)) }
  if (!name.startsWith(archivedPrefix))
    throw new FileWorkFailed('UNSAFE_PATH', `expire ${name}: expected a name that begins with ${archivedPrefix}`, { path: name })
  const changedMs = Math.max(Number(found.ctimeMs), await youngest(base, part, progress))
  if (changedMs >= beforeMs) return { kind: 'kept', changedMs }
  const leaving = joined(bytesOf(leavingPrefix), shortened(part))
  base.rename(part, base, leaving)
  base.sync()
  // Another controller may have put an archive into it since. The rename has changed the inode of the folder, and nothing in it.
  const sinceMs = await youngest(base, leaving, progress)
  if (sinceMs >= beforeMs) {
    restore(base, leaving)
    return { kind: 'kept', changedMs: sinceMs }
  }
  const removed = joined(bytesOf(removedPrefix), shortened(part))
  await removeName(base, removed, progress, 0)
  base.rename(leaving, base, removed)
  base.sync()
  return await remove(base, removed, progress)
}

async function remove(base: OpenDirectory, name: ByteText, progress: Progress): Promise<FileWorkResult<'expireTree'>> {
  await removeName(base, name, progress, 0)
  return { kind: 'removed', entries: progress.entries }
}

/** Names may be as long as they can be already: the end goes then, and a checksum says of which it was. */
function shortened(part: ByteText): ByteText {
  if (part.length + leavingPrefix.length <= longestName) return part
  const checksum = createHash('sha256').update(part, 'latin1').digest('hex')
  return joined(part.slice(0, longestName - leavingPrefix.length - checksum.length) as ByteText, bytesOf(checksum))
}

/** Gives an archive its name back, or one with a number. @returns the name */
function restore(base: OpenDirectory, leaving: ByteText): ByteText {
  const own = leaving.slice(leavingPrefix.length) as ByteText
  for (let number = 1; number <= mostNumbers; number++) {
    const name = number === 1 ? own : joined(own, bytesOf(`-${number}`))
    if (base.find(name) !== undefined) continue
    base.rename(leaving, base, name)
    return name
  }
  throw new FileWorkFailed('LIMIT', `${shown(leaving)} cannot come back: there are ${mostNumbers} archives of that name already`)
}

/** When something in a directory was changed last; its own inode aside. No link is followed. */
async function youngest(parent: OpenDirectory, name: ByteText, progress: Progress, depth = 1): Promise<number> {
  const opened = orMissing(() => parent.open(name))
  if (opened === undefined) return Number.NEGATIVE_INFINITY
  using directory = opened
  if (depth > deepestTree)
    throw new FileWorkFailed('LIMIT', `expire ${shown(directory.path)}: it lies deeper than ${deepestTree} directories`)
  let latestMs = mtimeMsOf(directory.stat())
  for (const inner of directory.names()) {
    const stat = directory.find(inner)
    if (stat === undefined) continue
    latestMs = Math.max(latestMs, Number(stat.ctimeMs), mtimeMsOf(stat))
    if (progress.entry()) await progress.turn()
    if (stat.isDirectory()) latestMs = Math.max(latestMs, await within(directory, inner, progress, depth))
  }
  return latestMs
}

/** The age of a directory that may not be read is not known: it counts as young. */
async function within(directory: OpenDirectory, inner: ByteText, progress: Progress, depth: number): Promise<number> {
  try {
    return await youngest(directory, inner, progress, depth + 1)
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'ENOTDIR', 'ELOOP')) return Number.POSITIVE_INFINITY
    throw error
  }
}
