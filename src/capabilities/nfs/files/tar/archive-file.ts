// The file of an archive: opened without being followed out of its root, its compression told by its bytes, and read as a stream.
import { closeSync, constants, fstatSync, readSync } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { type ByteText, shown } from '../byte-text.ts'
import type { Below, Compression } from '../file-work.ts'
import { attempt, FileWorkFailed } from '../file-work-failed.ts'
import { OpenDirectory, openBelow } from '../open-directory.ts'
import { partsOf } from '../relative-path.ts'
import { mtimeMsOf } from '../tree/entry-type.ts'
import { brokenArchive, cutArchive } from './tar-header.ts'

const readBytes = 256 * 1024
const unpackedBytes = 128 * 1024
const { O_NONBLOCK, O_RDONLY } = constants

export class ArchiveFile implements Disposable {
  readonly #fd: number
  readonly path: ByteText
  readonly bytes: number
  readonly mtimeMs: number
  readonly compression: Compression

  private constructor(fd: number, path: ByteText) {
    this.#fd = fd
    this.path = path
    const stat = attempt('look at', path, () => fstatSync(fd, { bigint: true }))
    if (!stat.isFile()) throw new FileWorkFailed('BROKEN_ARCHIVE', `${shown(path)} is no file`, { path: shown(path) })
    this.bytes = Number(stat.size)
    this.mtimeMs = mtimeMsOf(stat)
    this.compression = compressionOf(this.#read(Buffer.alloc(4), 0))
  }

  /** @throws FileWorkFailed UNSAFE_PATH, BROKEN_ARCHIVE where it is no file, or what the system says */
  static open({ root, path }: Below): ArchiveFile {
    using base = OpenDirectory.root(root)
    const parts = partsOf(path)
    using directory = openBelow(base, parts.slice(0, -1))
    const name = parts.at(-1)
    if (name === undefined) throw new TypeError('a path has at least one part')
    return ArchiveFile.in(directory, name)
  }

  /** @throws as `open` */
  static in(directory: OpenDirectory, name: ByteText): ArchiveFile {
    // A pipe under that name would have us wait for its writer.
    const fd = directory.openFile(name, O_RDONLY | O_NONBLOCK)
    try {
      return new ArchiveFile(fd, directory.pathOf(name))
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** The tar archive in it. @throws FileWorkFailed BROKEN_ARCHIVE while it is read, where it cannot be unpacked; PROGRAM where Node is too old for zstd */
  async *content(onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
    if (this.compression === 'none') {
      yield* this.#chunks(onRead, () => Buffer.allocUnsafe(readBytes))
      return
    }
    if (this.compression === 'zstd' && createZstdDecompress === undefined) throw withoutZstd()
    // With this mark a stream asks for the next chunk when it has done with the one before, so that one buffer is enough for all. It unpacks a chunk ahead.
    const options = { chunkSize: unpackedBytes, writableHighWaterMark: 1, readableHighWaterMark: 2 * unpackedBytes }
    const unpacking = this.compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options)
    const buffer = Buffer.allocUnsafeSlow(readBytes)
    // Errors come out of the stream that is read below; who stops early needs none.
    pipeline(
      this.#chunks(onRead, () => buffer),
      unpacking,
      () => undefined,
    )
    try {
      for await (const chunk of unpacking) yield chunk
    } catch (error) {
      if (error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(String(error.code)))
        throw error.message === 'unexpected end of file'
          ? cutArchive()
          : brokenArchive(`cannot be decompressed: ${error.message}`)
      throw error
    }
  }

  *#chunks(onRead: (bytes: number) => void, bufferFor: () => Buffer): Generator<Buffer> {
    for (let at = 0; ; ) {
      const chunk = this.#read(bufferFor(), at)
      if (chunk.length === 0) return
      at += chunk.length
      onRead(chunk.length)
      yield chunk
    }
  }

  #read(into: Buffer, at: number): Buffer {
    return into.subarray(
      0,
      attempt('read', this.path, () => readSync(this.#fd, into, 0, into.length, at)),
    )
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

export const withoutZstd = (): FileWorkFailed =>
  new FileWorkFailed('PROGRAM', `this Node (${process.version}) has no zstd, which comes with 22.15: use gzip`)

function compressionOf(start: Buffer): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  return start.length === 4 && start.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'none'
}
