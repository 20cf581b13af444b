// What lies right below a share: volumes, archives of snapshots, and folders of volumes that were deleted. A share may hold more of it than fits into memory,
// so it is looked at in pieces, in the order of the names: a piece holds as many as were asked for, however many there are.
import { type ByteText, bytesOf, latin, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult, SurveyEntry } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { OpenDirectory } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { archivedPrefix } from '../relative-path.ts'
import { isArchiveName, isPartialName, sourceOfArchive } from '../tar/archive-names.ts'
import { mtimeMsOf } from './entry-type.ts'

/** Names in one piece. */
const mostSurveyed = 10_000
/** A folder of a snapshot holds an archive, and parts of others that were never completed. */
const mostNames = 8

/** An archived folder has this before its name while it is looked at for the last time: it comes back where that ended early. */
export const leavingPrefix = '.ballast-leaving-'
/** The same while it is being removed: what is left of it goes. */
export const removedPrefix = '.ballast-removed-'

/** What other programs keep at the root of a file system, and nobody's volume is. */
const foreign = new Set(['lost+found', '@eaDir', '#recycle', '#snapshot', '$RECYCLE.BIN', 'System Volume Information'])

/** @throws FileWorkFailed LIMIT, EINVAL; what the system says of the root */
export async function survey(
  { root, after, limit }: FileWorkOf<'survey'>,
  progress: Progress,
): Promise<FileWorkResult<'survey'>> {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= mostSurveyed))
    throw new FileWorkFailed('LIMIT', `survey ${root}: found the limit ${limit}, expected 1 to ${mostSurveyed}`)
  using base = OpenDirectory.root(root)
  const { names, isWhole } = await piece(
    base,
    after === undefined ? undefined : latin(Buffer.from(after, 'base64')),
    limit,
    progress,
  )
  const entries: SurveyEntry[] = []
  let unnamed = 0
  for (const name of names) {
    const entry = entryOf(base, name)
    if (entry === 'unnamed') unnamed++
    else if (entry !== undefined) entries.push(entry)
    if (progress.entry()) await progress.turn()
  }
  const last = names.at(-1)
  return { entries, next: isWhole || last === undefined ? undefined : keyOf(last), unnamed }
}

const keyOf = (name: ByteText): string => Buffer.from(name, 'latin1').toString('base64')

/** The first names after one, by their bytes. Twice as many as are wanted are held at most. */
async function piece(base: OpenDirectory, after: ByteText | undefined, limit: number, progress: Progress) {
  let held: ByteText[] = []
  let isWhole = true
  const shorten = () => {
    held.sort()
    if (held.length > limit) isWhole = false
    held = held.slice(0, limit)
  }
  for (const name of base.names()) {
    if (progress.isDue()) await progress.turn()
    if (isForeign(name) || (after !== undefined && name <= after)) continue
    held.push(name)
    if (held.length >= 2 * limit) shorten()
  }
  shorten()
  return { names: held, isWhole }
}

const isForeign = (name: ByteText): boolean =>
  (name.startsWith('.') && !name.startsWith(removedPrefix) && !name.startsWith(leavingPrefix)) || foreign.has(name)

/** Undefined where it is no directory, or went away. */
function entryOf(base: OpenDirectory, name: ByteText): SurveyEntry | 'unnamed' | undefined {
  const stat = base.find(name)
  if (stat?.isDirectory() !== true) return undefined
  const text = shown(name)
  if (bytesOf(text) !== name || !isNameable(text)) return 'unnamed'
  const changedMs = Math.max(mtimeMsOf(stat), Number(stat.ctimeMs))
  const common = { name: text, key: keyOf(name), changedMs }
  if (text.startsWith(removedPrefix) || text.startsWith(leavingPrefix)) return { ...common, kind: 'removed' }
  if (text.startsWith(archivedPrefix)) return { ...common, kind: 'archived' }
  const archive = archiveIn(base, name)
  return archive === undefined ? { ...common, kind: 'folder' } : { ...common, kind: 'snapshot', archive }
}

/** Whether an identifier can have it: what it would be divided by, and what would end a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters end lines
const isNameable = (name: string): boolean => !/[#,\\\u0000-\u001f\u007f]/.test(name)

/** The archive of a directory that holds nothing else, in whatever form. One that cannot be read is none of a snapshot of ours. */
function archiveIn(base: OpenDirectory, name: ByteText): SurveyEntry['archive'] {
  try {
    using directory = base.open(name)
    const names = [...directory.names(mostNames + 1)]
    const archives = names.filter(one => !isPartialName(one)).sort()
    const [found] = archives
    if (found === undefined || names.length > mostNames || !archives.every(isArchiveName)) return undefined
    const text = shown(found)
    const source = sourceOfArchive(text)
    if (bytesOf(text) !== found || !isNameable(text) || archives.some(one => sourceOfArchive(shown(one)) !== source))
      return undefined
    const stat = directory.find(found)
    if (stat?.isFile() !== true) return undefined
    return { name: text, source, bytes: Number(stat.size), mtimeMs: mtimeMsOf(stat) }
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
    throw error
  }
}
