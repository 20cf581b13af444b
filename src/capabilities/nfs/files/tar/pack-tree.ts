// A directory as the entries of a tar archive, in the order of a lexical walk, each with what lstat(2) says of it. Files with several names are stored
// whole under each, sockets are left out.
import { type BigIntStats, closeSync, constants, fstatSync, readSync } from 'node:fs'
import { type ByteText, bytesOf, joined, shown } from '../byte-text.ts'
import { attempt, FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { deepestTree, type OpenDirectory, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import type { ArchiveWriter } from './archive-writer.ts'
import { markComment, sealComment } from './seal.ts'
import { blockBytes, encodeHeader, type TarEntry, type TarKind } from './tar-header.ts'

const { O_NONBLOCK, O_RDONLY } = constants
const rootName = bytesOf('.')
const noName = bytesOf('')

export interface Packed {
  readonly entries: number
  readonly skipped: number
  readonly changed: number
  readonly sha256: string
}

/** Writes the whole archive of `root`, with its seal and its end. @throws FileWorkFailed where something cannot be read, or the archive not be written */
export async function packTree(root: OpenDirectory, writer: ArchiveWriter, progress: Progress): Promise<Packed> {
  return await new TreePacker(writer, progress).all(root)
}

class TreePacker {
  readonly #writer: ArchiveWriter
  readonly #progress: Progress
  #skipped = 0
  #changed = 0

  constructor(writer: ArchiveWriter, progress: Progress) {
    this.#writer = writer
    this.#progress = progress
  }

  async all(root: OpenDirectory): Promise<Packed> {
    const head = headOf(root.stat(), 'directory', rootName)
    await this.#put({ ...head, comment: markComment })
    await this.#below(root, '', 1)
    const { entries } = this.#progress
    const sha256 = this.#writer.digest()
    await this.#writer.put(encodeHeader({ ...head, comment: sealComment(sha256, entries) }))
    await this.#writer.put(Buffer.alloc(2 * blockBytes))
    return { entries, skipped: this.#skipped, changed: this.#changed, sha256 }
  }

  async #below(directory: OpenDirectory, prefix: ByteText | '', depth: number): Promise<void> {
    for (const { name, isFile } of [...directory.entries()].sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const inArchive = joined(prefix, name)
      // What its directory calls a file is opened without a look before: most of a tree are files.
      if (isFile) await this.#file(directory, name, inArchive)
      else await this.#noFile(directory, name, inArchive, depth)
      if (this.#progress.isDue()) await this.#progress.turn()
    }
  }

  async #noFile(directory: OpenDirectory, name: ByteText, inArchive: ByteText, depth: number): Promise<void> {
    // What goes away while its directory is read is as if it had gone before.
    const stat = directory.find(name)
    if (stat === undefined) return
    const kind = kindOf(stat)
    if (kind === undefined) this.#skipped++
    else if (kind === 'directory') await this.#directory(directory, name, inArchive, depth)
    else if (kind === 'file') await this.#file(directory, name, inArchive)
    else await this.#other(directory, name, headOf(stat, kind, inArchive))
  }

  async #directory(parent: OpenDirectory, name: ByteText, inArchive: ByteText, depth: number): Promise<void> {
    const where = shown(parent.pathOf(name))
    if (depth >= deepestTree)
      throw new FileWorkFailed('LIMIT', `pack ${where}: it lies deeper than ${deepestTree} directories`, { path: where })
    const opened = this.#unlessChanged(() => parent.open(name))
    if (opened === undefined) return
    using directory = opened
    await this.#put(headOf(directory.stat(), 'directory', inArchive))
    await this.#below(directory, joined(inArchive, '/'), depth + 1)
  }

  async #file(directory: OpenDirectory, name: ByteText, inArchive: ByteText): Promise<void> {
    // What became a pipe meanwhile would have us wait for its writer.
    const fd = this.#unlessChanged(() => directory.openFile(name, O_RDONLY | O_NONBLOCK))
    if (fd === undefined) return
    try {
      const path = directory.pathOf(name)
      const stat = attempt('look at', path, () => fstatSync(fd, { bigint: true }))
      if (!stat.isFile()) {
        this.#changed++
        return
      }
      const size = Number(stat.size)
      await this.#put({ ...headOf(stat, 'file', inArchive), size })
      await this.#content(fd, path, size)
      await this.#writer.fill(size)
      const after = attempt('look at', path, () => fstatSync(fd, { bigint: true }))
      if (after.size !== stat.size || after.mtimeNs !== stat.mtimeNs) this.#changed++
    } finally {
      closeSync(fd)
    }
  }

  /** As many bytes as the header says: a file that grew is cut, one that shrank is filled up with zeros. */
  async #content(fd: number, path: ByteText, size: number): Promise<void> {
    let isShort = false
    for (let left = size; left > 0; ) {
      const room = await this.#writer.room()
      const most = Math.min(room.length, left)
      const read = isShort ? 0 : attempt('read', path, () => readSync(fd, room, 0, most, null))
      if (read === 0) {
        isShort = true
        room.fill(0, 0, most)
      }
      const filled = read === 0 ? most : read
      this.#writer.filled(filled)
      this.#progress.bytes += filled
      left -= filled
      if (this.#progress.isDue()) await this.#progress.turn()
    }
  }

  async #other(directory: OpenDirectory, name: ByteText, head: TarEntry): Promise<void> {
    if (head.kind !== 'symlink') return await this.#put(head)
    const linkName = this.#unlessChanged(() => directory.readLink(name))
    if (linkName !== undefined) await this.#put({ ...head, linkName })
  }

  async #put(entry: TarEntry): Promise<void> {
    this.#progress.entries++
    await this.#writer.put(encodeHeader(entry))
  }

  /** What is gone, or something else than a moment ago, is counted and left out. */
  #unlessChanged<T>(act: () => T): T | undefined {
    try {
      return orMissing(act)
    } catch (error) {
      if (!hasCode(error, 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENXIO')) throw error
      this.#changed++
      return undefined
    }
  }
}

function kindOf(stat: BigIntStats): TarKind | undefined {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isCharacterDevice()) return 'character-device'
  return stat.isBlockDevice() ? 'block-device' : undefined
}

function headOf(stat: BigIntStats, kind: TarKind, name: ByteText): TarEntry {
  const isDevice = kind === 'character-device' || kind === 'block-device'
  return {
    name,
    kind,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: 0,
    mtimeNs: stat.mtimeNs,
    linkName: noName,
    ...(isDevice ? { device: deviceOf(stat.rdev) } : {}),
  }
}

/** Numbers of a device, as Linux packs them into 64 bits (makedev(3)). */
function deviceOf(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}
