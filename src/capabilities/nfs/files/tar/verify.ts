// Whether an archive is whole, and would unpack: read from its beginning to its end, and written nowhere.
import { type ByteText, joined } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { hasCode } from '../file-work-failed.ts'
import type { Progress } from '../progress.ts'
import { ArchiveFile } from './archive-file.ts'
import { entryParts, hostile } from './entry-path.ts'
import type { TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'

/** Told problems; the first say enough. */
const mostProblems = 20
/** Links whose places are remembered; entries below others are found when they are unpacked. */
const mostLinks = 100_000

/** @throws FileWorkFailed BROKEN_ARCHIVE, CUT_ARCHIVE; UNSAFE_PATH; what the system says */
export async function verify({ archive }: FileWorkOf<'verify'>, progress: Progress): Promise<FileWorkResult<'verify'>> {
  using file = ArchiveFile.open(archive)
  await using reader = new TarReader(
    file.content(bytes => {
      progress.bytes += bytes
    }),
  )
  const problems: string[] = []
  const links = new Set<ByteText>()
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const problem = problems.length < mostProblems ? problemOf(entry, links) : undefined
    if (problem !== undefined) problems.push(problem)
    if (progress.entry()) await progress.turn()
  }
  const { bytes, compression } = file
  return { ...reader.summary(), bytes, compression, problems }
}

/** Why an entry would be refused; undefined where it would not. `links`: where links are, kept from entry to entry. */
function problemOf(entry: TarEntry, links: Set<ByteText>): string | undefined {
  try {
    const parts = entryParts(entry.name)
    checkWay(entry, parts.slice(0, -1), links)
    if (entry.kind === 'hard-link') checkWay(entry, entryParts(entry.linkName).slice(0, -1), links)
    if (entry.kind === 'character-device' || entry.kind === 'block-device') throw hostile(entry.name, 'is a device')
    if (entry.kind !== 'directory' && parts.length === 0)
      throw hostile(entry.name, 'replaces the directory that it is unpacked into')
    const path = pathOf(parts)
    if (entry.kind !== 'symlink') links.delete(path)
    else if (links.size < mostLinks) links.add(path)
    return undefined
  } catch (error) {
    if (hasCode(error, 'HOSTILE_ARCHIVE')) return error.message
    throw error
  }
}

const pathOf = (parts: readonly ByteText[]): ByteText => joined(...parts.flatMap((part): (ByteText | '/')[] => [part, '/']))

function checkWay(entry: TarEntry, parts: readonly ByteText[], links: ReadonlySet<ByteText>): void {
  if (links.size === 0) return
  for (let length = 1; length <= parts.length; length++)
    if (links.has(pathOf(parts.slice(0, length)))) throw hostile(entry.name, 'lies below a link')
}
