// A snapshot: one archive, in a directory of its own. It is written under another name, kept by the server (fsync), and renamed; so who sees it sees all of it.
import { closeSync, constants, fsyncSync } from 'node:fs'
import { type ByteText, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { attempt, FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { isWithin, OpenDirectory, openBelow, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { nameOf, partsOf, partsOrRoot } from '../relative-path.ts'
import { mtimeMsOf } from '../tree/entry-type.ts'
import { makeDirectory } from '../tree/make-directory.ts'
import { ArchiveFile } from './archive-file.ts'
import { archiveName, archiveNames, isPartialName, partialName } from './archive-names.ts'
import { ArchiveWriter } from './archive-writer.ts'
import { directoryArgument, programFailure, startProgram } from './child-program.ts'
import { type Packed, packTree } from './pack-tree.ts'
import { markComment } from './seal.ts'
import { TarReader } from './tar-reader.ts'

const { O_CREAT, O_EXCL, O_WRONLY } = constants
/** Names in the directory of a snapshot that are looked at: it holds one. */
const mostNames = 1_000

/**
 * Packs a directory, or finds that it is packed. A second call while the first one works makes the first one fail at its end, and harms nothing.
 * @throws FileWorkFailed CLASH, UNSAFE_PATH, EINVAL where the archive would lie in what it packs, PROGRAM, LIMIT, or what the system says
 */
export async function pack(work: FileWorkOf<'pack'>, progress: Progress): Promise<FileWorkResult<'pack'>> {
  const { into, compression } = work
  const name = nameOf(archiveName(into.name, compression))
  const parts = partsOf(into.directory)
  using sourceRoot = OpenDirectory.root(work.root)
  using source = openBelow(sourceRoot, partsOrRoot(work.path))
  makeDirectory({ kind: 'makeDirectory', root: into.root, path: into.directory })
  using targetRoot = OpenDirectory.root(into.root)
  using target = openBelow(targetRoot, parts)
  if (isWithin(target, source))
    throw new FileWorkFailed('EINVAL', `pack ${shown(source.path)}: the archive would lie within it, in ${shown(target.path)}`, {
      path: shown(target.path),
    })
  checkNames(target, into.name)
  const existing = await existingArchive(target, into.name)
  if (existing !== undefined) return existing
  const result = await make(work, { source, target, name }, progress)
  // Cut ones of another compression: a restore takes the first that it finds.
  for (const cut of archiveNames(into.name).map(nameOf)) if (cut !== name) orMissing(() => target.unlink(cut))
  return result
}

/** @throws FileWorkFailed CLASH where something in the directory is no archive of `source` */
function checkNames(target: OpenDirectory, source: string): void {
  const known = archiveNames(source).map(nameOf)
  for (const name of target.names(mostNames)) {
    // Those that a killed worker has left.
    if (isPartialName(name)) orMissing(() => target.unlink(name))
    else if (!known.includes(name)) {
      const where = shown(target.pathOf(name))
      throw new FileWorkFailed(
        'CLASH',
        `${where} is in the way: the directory is that of another snapshot, expected only ${known.map(shown).join(', ')}`,
        {
          path: where,
        },
      )
    }
  }
}

async function existingArchive(target: OpenDirectory, source: string): Promise<FileWorkResult<'pack'> | undefined> {
  for (const name of archiveNames(source).map(nameOf)) {
    if (target.find(name) === undefined) continue
    using archive = ArchiveFile.in(target, name)
    if (await isComplete(archive)) return { kind: 'existing', name: shown(name), bytes: archive.bytes, mtimeMs: archive.mtimeMs }
  }
  return undefined
}

/**
 * Whether an archive has been written to its end. Ours are, since they have their name; upstream's driver writes under that name, and one that was killed
 * meanwhile leaves a part, so its archives are read whole.
 */
async function isComplete(archive: ArchiveFile): Promise<boolean> {
  await using reader = new TarReader(archive.content(() => undefined))
  try {
    const first = await reader.next()
    if (first?.comment === markComment) return true
    while ((await reader.next()) !== undefined);
    return true
  } catch (error) {
    // Only such a one is replaced: what cannot be read for another reason may be the only copy of something.
    if (hasCode(error, 'CUT_ARCHIVE')) return false
    throw error
  }
}

interface Place {
  readonly source: OpenDirectory
  readonly target: OpenDirectory
  readonly name: ByteText
}

async function make(
  work: FileWorkOf<'pack'>,
  { source, target, name }: Place,
  progress: Progress,
): Promise<FileWorkResult<'pack'>> {
  const partial = partialName()
  const path = target.pathOf(partial)
  const fd = target.openFile(partial, O_WRONLY | O_CREAT | O_EXCL, 0o644)
  let isKept = false
  try {
    const packed = await written(fd, path, work, source, progress)
    attempt('keep', path, () => fsyncSync(fd))
    target.rename(partial, target, name)
    isKept = true
    target.sync()
    const stat = target.lstat(name)
    const { entries, skipped, changed, sha256 } = packed
    const bytes = Number(stat.size)
    return { kind: 'made', name: shown(name), bytes, mtimeMs: mtimeMsOf(stat), entries, sha256, skipped, changed }
  } finally {
    closeSync(fd)
    // The disk may be full: a part of an archive must not keep it so.
    if (!isKept) orMissing(() => target.unlink(partial))
  }
}

async function written(
  fd: number,
  path: ByteText,
  { compression, useTarProgram }: FileWorkOf<'pack'>,
  source: OpenDirectory,
  progress: Progress,
): Promise<Packed> {
  const writer = new ArchiveWriter(fd, path, compression)
  try {
    const packed =
      useTarProgram === true ? await packByProgram(source, writer, progress) : await packTree(source, writer, progress)
    await writer.end()
    return packed
  } finally {
    writer.destroy()
  }
}

/** The program's own archive, compressed by us. Files with several names are stored once in it, and it has no checksum within. */
async function packByProgram(source: OpenDirectory, writer: ArchiveWriter, progress: Progress): Promise<Packed> {
  const words = ['--create', '--file=-', `--directory=${directoryArgument(0)}`, '--', '.']
  let skipped = 0
  let changed = 0
  const { output, ended, child } = startProgram('tar', words, [source], line => {
    if (line.endsWith('socket ignored')) skipped++
    else if (/(file changed as we read it|File removed before we read it|padding with zeros)$/.test(line)) changed++
  })
  async function* passedOn(): AsyncGenerator<Buffer> {
    for await (const chunk of output) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('output without an encoding is bytes')
      await writer.put(chunk)
      progress.bytes += chunk.length
      progress.told()
      yield chunk
    }
    const { code, complaint } = await ended
    // Code 1: files changed while they were read.
    if (code > 1) throw programFailure('tar', shown(source.path), complaint)
  }
  try {
    // What is read back here can be read later.
    const reader = new TarReader(passedOn())
    while ((await reader.next()) !== undefined) progress.entries++
    const { entries, sha256 } = reader.summary()
    return { entries, skipped, changed, sha256 }
  } finally {
    child.kill('SIGKILL')
  }
}
