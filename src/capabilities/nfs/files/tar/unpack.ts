// Restores an archive. Whatever stands in it, nothing outside of the target is written or read, and no more is written than the limits say.
import { closeSync, constants, fchmodSync, fchownSync, ftruncateSync, futimesSync, writeSync } from 'node:fs'
import { type ByteText, shown } from '../byte-text.ts'
import type { FileWorkOf, FileWorkResult, UnpackLimits } from '../file-work.ts'
import { attempt, FileWorkFailed } from '../file-work-failed.ts'
import { OpenDirectory, openBelow } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { partsOrRoot } from '../relative-path.ts'
import { ArchiveFile } from './archive-file.ts'
import { directoryArgument, programFailure, startProgram } from './child-program.ts'
import { ContentWriter } from './content-writer.ts'
import { entryParts, hostile } from './entry-path.ts'
import type { DecodedEntry } from './tar-header.ts'
import { isZero, TarReader } from './tar-reader.ts'
import { timesOf, UnpackTarget } from './unpack-target.ts'

const { O_CREAT, O_EXCL, O_WRONLY } = constants
/** Zeros are left out by so many, and no fewer than the least, so that a file with holes has them again. */
const holeBytes = 64 * 1024
const leastHole = 4_096
/** Content below it is written at once: to hand it to a thread takes longer. */
const leastBeside = 256 * 1024

/**
 * Restores names, contents, links, bits, owners (as root) and times, which are exact to a microsecond. What the target holds beside it stays.
 * @throws FileWorkFailed HOSTILE_ARCHIVE, BROKEN_ARCHIVE, CUT_ARCHIVE, UNSAFE_PATH, or what the system says; a part may be restored then
 */
export async function unpack(work: FileWorkOf<'unpack'>, progress: Progress): Promise<FileWorkResult<'unpack'>> {
  const { limits } = work
  if (!(limits.bytes >= 0 && limits.entries >= 1))
    throw new FileWorkFailed('EINVAL', `unpack ${work.archive.path}: expected limits, found ${JSON.stringify(limits)}`)
  using archive = ArchiveFile.open(work.archive)
  using base = OpenDirectory.root(work.root)
  using root = openBelow(base, partsOrRoot(work.path))
  using target = new UnpackTarget(root, process.geteuid?.() === 0)
  await using reader = new TarReader(archive.content(() => undefined))
  const unpacker = new Unpacker(reader, target, progress, work)
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    checkLimits(reader, limits, shown(archive.path))
    await unpacker.entry(entry)
    if (progress.isDue()) await progress.turn()
  }
  target.finish()
  const summary = reader.summary()
  if (summary.seal === 'wrong')
    throw new FileWorkFailed(
      'BROKEN_ARCHIVE',
      `the archive ${shown(archive.path)} is not what was packed: its checksum is ${summary.sha256}`,
      {
        path: shown(archive.path),
      },
    )
  return { ...summary, skipped: unpacker.skipped, ownersNotSet: target.ownersNotSet, withAttributes: unpacker.withAttributes }
}

/** Sizes are known from headers, before anything of the content is written. */
function checkLimits(reader: TarReader, limits: UnpackLimits, path: string): void {
  const { contentBytes, entries } = reader.summarySoFar()
  const refuse = (what: string) => new FileWorkFailed('HOSTILE_ARCHIVE', `the archive ${path} holds more than ${what}`, { path })
  if (contentBytes > limits.bytes) throw refuse(`${limits.bytes} bytes`)
  if (entries > limits.entries) throw refuse(`${limits.entries} entries`)
}

class Unpacker {
  readonly #reader: TarReader
  readonly #target: UnpackTarget
  readonly #progress: Progress
  readonly #devices: 'refuse' | 'skip'
  skipped = 0
  withAttributes = 0

  constructor(reader: TarReader, target: UnpackTarget, progress: Progress, { devices = 'refuse' }: FileWorkOf<'unpack'>) {
    this.#reader = reader
    this.#target = target
    this.#progress = progress
    this.#devices = devices
  }

  async entry(entry: DecodedEntry): Promise<void> {
    const parts = entryParts(entry.name)
    const name = parts.at(-1)
    this.#progress.entries++
    if (entry.hasAttributes) this.withAttributes++
    if (entry.kind === 'directory') {
      this.#target.directory(parts, entry)
      return
    }
    if (name === undefined) throw hostile(entry.name, 'replaces the directory that it is unpacked into')
    if (entry.kind === 'character-device' || entry.kind === 'block-device') {
      if (this.#devices === 'refuse') throw hostile(entry.name, 'is a device')
      this.skipped++
      return
    }
    // The file that a hard link names is looked up first: it may lie in the same directory.
    if (entry.kind === 'hard-link') {
      this.#hardLink(entry, parts, name)
      return
    }
    const parent = this.#target.at(parts.slice(0, -1), entry.name)
    if (entry.kind === 'file') await this.#file(entry, parent, name)
    else if (entry.kind === 'symlink') this.#symlink(entry, parent, name)
    else await this.#fifo(entry, parent, name)
  }

  async #file(entry: DecodedEntry, parent: OpenDirectory, name: ByteText): Promise<void> {
    const path = parent.pathOf(name)
    const fd = this.#target.inPlace(parent, name, () => parent.openFile(name, O_WRONLY | O_CREAT | O_EXCL, 0o600))
    try {
      const endsInHole = await (entry.size < leastBeside ? this.#small(entry.size, fd, path) : this.#large(entry.size, fd, path))
      if (endsInHole) attempt('set length of', path, () => ftruncateSync(fd, entry.size))
      const isOwned = this.#target.owned(() => attempt('set owner of', path, () => fchownSync(fd, entry.uid, entry.gid)))
      attempt('set mode of', path, () => fchmodSync(fd, this.#target.bits(entry, isOwned)))
      const { atime, mtime } = timesOf(entry)
      attempt('set times of', path, () => futimesSync(fd, atime, mtime))
    } finally {
      // A server says only now that there was no room.
      attempt('close', path, () => closeSync(fd))
    }
  }

  async #small(size: number, fd: number, path: ByteText): Promise<boolean> {
    return await this.#content(size, path, (part, position) => writeAll(fd, part, position, path))
  }

  async #large(size: number, fd: number, path: ByteText): Promise<boolean> {
    await using writer = new ContentWriter(fd, path)
    const endsInHole = await this.#content(size, path, (part, position) => writer.put(part, position))
    await writer.end()
    return endsInHole
  }

  /** @returns whether a hole is at its end, which no write makes */
  async #content(
    size: number,
    path: ByteText,
    write: (part: Buffer, position: number) => Promise<void> | void,
  ): Promise<boolean> {
    let at = 0
    let endsInHole = false
    for (let part = await this.#reader.content(); part !== undefined; part = await this.#reader.content()) {
      const runs = runsOf(part)
      for (const { start, end } of runs) {
        const written = write(part.subarray(start, end), at + start)
        if (written !== undefined) await written
      }
      endsInHole = runs.at(-1)?.end !== part.length
      at += part.length
      this.#progress.bytes += part.length
      if (this.#progress.isDue()) await this.#progress.turn()
    }
    if (at !== size) throw new FileWorkFailed('BROKEN_ARCHIVE', `${shown(path)} has ${at} bytes in the archive, expected ${size}`)
    return endsInHole
  }

  #symlink(entry: DecodedEntry, parent: OpenDirectory, name: ByteText): void {
    if (entry.linkName === '') throw hostile(entry.name, 'is a link to nothing')
    this.#target.inPlace(parent, name, () => parent.makeLink(name, entry.linkName))
    this.#named(entry, parent, name)
  }

  async #fifo(entry: DecodedEntry, parent: OpenDirectory, name: ByteText): Promise<void> {
    // Node.js has no call for it. The name may be any bytes, and words of a program are text: it is made under another name first.
    const words = [`--mode=${(entry.mode & 0o777).toString(8)}`, '--', `${directoryArgument(0)}/${fifoName}`]
    this.#target.clear(parent, fifoName)
    const { code, complaint } = await startProgram('mkfifo', words, [parent]).ended
    if (code !== 0) throw programFailure('mkfifo', shown(parent.pathOf(name)), complaint)
    this.#target.clear(parent, name)
    parent.rename(fifoName, parent, name)
    this.#named(entry, parent, name)
  }

  /** Owner and times of what cannot be opened. */
  #named(entry: DecodedEntry, parent: OpenDirectory, name: ByteText): void {
    this.#target.owned(() => parent.setOwner(name, entry.uid, entry.gid))
    parent.setTimes(name, timesOf(entry))
  }

  #hardLink(entry: DecodedEntry, parts: readonly ByteText[], name: ByteText): void {
    const toParts = entryParts(entry.linkName)
    const toName = toParts.at(-1)
    if (toName === undefined) throw hostile(entry.name, 'is a hard link to a directory')
    if (toParts.join('/') === parts.join('/')) return
    using from = this.#target.at(toParts.slice(0, -1), entry.name).again()
    const found = from.find(toName)
    if (found === undefined)
      throw hostile(entry.name, `is a hard link to ${JSON.stringify(shown(entry.linkName))}, which is not there`)
    if (found.isDirectory()) throw hostile(entry.name, 'is a hard link to a directory')
    const parent = this.#target.at(parts.slice(0, -1), entry.name)
    this.#target.inPlace(parent, name, () => parent.makeHardLink(name, from, toName))
  }
}

const fifoName = '.ballast-fifo.partial' as ByteText

/** All of a part but its holes: that is to be written. */
function runsOf(part: Buffer): readonly { readonly start: number; readonly end: number }[] {
  const runs: { readonly start: number; readonly end: number }[] = []
  let start = 0
  for (let at = 0; at < part.length; at += holeBytes) {
    const end = Math.min(at + holeBytes, part.length)
    if (end - at < leastHole || !isZero(part.subarray(at, end))) continue
    if (start < at) runs.push({ start, end: at })
    start = end
  }
  if (start < part.length) runs.push({ start, end: part.length })
  return runs
}

function writeAll(fd: number, part: Buffer, position: number, path: ByteText): void {
  for (let at = 0; at < part.length; )
    at += attempt('write', path, () => writeSync(fd, part, at, part.length - at, position + at))
}
