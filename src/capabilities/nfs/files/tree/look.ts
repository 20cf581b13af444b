// Works that only look: at one path, at a directory, at a file system.
import { lstatSync, statfsSync } from 'node:fs'
import { bytesOf, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult, ListedEntry } from '../file-work.ts'
import { attempt, FileWorkFailed } from '../file-work-failed.ts'
import { OpenDirectory, openBelow } from '../open-directory.ts'
import { partsOrRoot } from '../relative-path.ts'
import { entryType, mtimeMsOf } from './entry-type.ts'

/** More names than are listed in one answer. */
const mostListed = 100_000

/** @throws FileWorkFailed LIMIT where more is asked for than is listed; what the system says */
export function list({ root, path, limit }: FileWorkOf<'list'>): FileWorkResult<'list'> {
  if (!(limit >= 1 && limit <= mostListed))
    throw new FileWorkFailed('LIMIT', `list ${path}: found the limit ${limit}, expected 1 to ${mostListed}`)
  using base = OpenDirectory.root(root)
  using directory = openBelow(base, partsOrRoot(path))
  const names = [...directory.names(limit + 1)]
  const entries = names
    .slice(0, limit)
    .sort()
    .flatMap((name): ListedEntry[] => {
      // What goes away between the two looks is not there.
      const stat = directory.find(name)
      if (stat === undefined) return []
      return [{ name: shown(name), type: entryType(stat), size: Number(stat.size), mtimeMs: mtimeMsOf(stat) }]
    })
  return { entries, isWhole: names.length <= limit }
}

/** @throws FileWorkFailed with what the system says, ENOENT and ESTALE among it */
export function stat({ path }: FileWorkOf<'stat'>): FileWorkResult<'stat'> {
  const found = attempt('look at', bytesOf(absolute(path)), () => lstatSync(path, { bigint: true }))
  return {
    type: entryType(found),
    mode: Number(found.mode & 0o7777n),
    uid: Number(found.uid),
    gid: Number(found.gid),
    size: String(found.size),
    mtimeMs: mtimeMsOf(found),
  }
}

/** @throws FileWorkFailed with what the system says */
export function statfs({ path }: FileWorkOf<'statfs'>): FileWorkResult<'statfs'> {
  const found = attempt('look at the file system of', bytesOf(absolute(path)), () => statfsSync(path, { bigint: true }))
  return {
    blockSize: String(found.bsize),
    blocks: String(found.blocks),
    freeBlocks: String(found.bfree),
    availableBlocks: String(found.bavail),
    inodes: String(found.files),
    freeInodes: String(found.ffree),
  }
}

function absolute(path: string): string {
  if (path.startsWith('/') && !path.includes('\0')) return path
  throw new FileWorkFailed('UNSAFE_PATH', `path ${JSON.stringify(path)}: expected an absolute path`, { path })
}
