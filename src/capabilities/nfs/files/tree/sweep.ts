// Parts of archives that a worker left when it was killed. They lie in directories of snapshots, among the directories of volumes on the same share.
import { type ByteText, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { hasCode } from '../file-work-failed.ts'
import { OpenDirectory, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { isArchiveName, isPartialName } from '../tar/archive-names.ts'
import { mtimeMsOf } from './entry-type.ts'

/** Directories of a share. */
const mostDirectories = 100_000
/** A directory of a snapshot holds an archive, and parts of it. */
const mostNames = 8

/** A directory that cannot be read is passed over: it is no snapshot's of ours. @throws FileWorkFailed what the system says of the root */
export async function sweep({ root, olderThanMs }: FileWorkOf<'sweep'>, progress: Progress): Promise<FileWorkResult<'sweep'>> {
  using base = OpenDirectory.root(root)
  const removed: string[] = []
  let count = 0
  for (const name of base.names()) {
    if (++count > mostDirectories) return { removed, isWhole: false }
    removed.push(...sweepDirectory(base, name, progress.clock.now() - olderThanMs))
    if (progress.entry()) await progress.turn()
  }
  return { removed, isWhole: true }
}

function sweepDirectory(base: OpenDirectory, name: ByteText, beforeMs: number): readonly string[] {
  try {
    if (base.find(name)?.isDirectory() !== true) return []
    using directory = base.open(name)
    const names = [...directory.names(mostNames + 1)]
    const isSnapshot = names.length <= mostNames && names.every(one => isPartialName(one) || isArchiveName(one))
    if (!isSnapshot) return []
    return names.filter(isPartialName).flatMap(partial => {
      const stat = directory.find(partial)
      if (stat === undefined || !stat.isFile() || mtimeMsOf(stat) >= beforeMs) return []
      orMissing(() => directory.unlink(partial))
      return [`${shown(name)}/${shown(partial)}`]
    })
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ELOOP')) return []
    throw error
  }
}
