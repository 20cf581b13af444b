// Writes an archive into a file as a stream. The compressor works in a thread of Node's while the next part is read, so that neither waits for the other.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { constants, crc32, createDeflateRaw, createZstdCompress, type DeflateRaw, type ZstdCompress } from 'node:zlib'
import type { ByteText } from '../byte-text.ts'
import type { Compression } from '../file-work.ts'
import { attempt } from '../file-work-failed.ts'
import { withoutZstd } from './archive-file.ts'
import { isIncompressible } from './incompressible.ts'
import { fillOf } from './tar-header.ts'

const partBytes = 256 * 1024
/**
 * Beside zlib's own choice (6 and 8), code takes a fifth less of a processor and data that cannot be compressed a sixth less. Archives of these
 * become at most 0.8 % larger, and 0.4 % larger than by Go's gzip, which upstream's driver uses; those of mere repetition, which are tiny, by an eighth.
 */
const gzip = { level: 5, memLevel: 9, chunkSize: partBytes }
/** How gzip carries what it cannot make smaller: as it is. */
const stored = constants.Z_NO_COMPRESSION
/** One is filled while the others are compressed. */
const parts = 3

interface Part {
  readonly bytes: Buffer
  /** Until the compressor has done with it. */
  done: Promise<void>
}

/** RFC 1952: magic, deflate, no flags, no time, no extra flags, Unix. */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])

export class ArchiveWriter {
  readonly #fd: number
  readonly #path: ByteText
  readonly #compressor: DeflateRaw | ZstdCompress | undefined
  /** The compressor of gzip: what is around its deflated bytes is ours, since Node's own gzip cannot change its level on the way. */
  readonly #gzip: DeflateRaw | undefined
  #level = gzip.level
  #crc32 = 0
  #bytes = 0
  /** Until all that was sent is compressed, part after part: a level must not change while the compressor is at work. */
  #compressed: Promise<void> = Promise.resolve()
  readonly #hash = createHash('sha256')
  readonly #ring: readonly Part[] = Array.from({ length: parts }, () => ({
    bytes: Buffer.allocUnsafeSlow(partBytes),
    done: Promise.resolve(),
  }))
  #at = 0
  #used = 0
  #failure: unknown
  /** The file is written no more: it is complete, or given up, and may be closed. */
  #isOver = false

  /** `fd`: a file that is empty and stays open; `path`: for messages. @throws FileWorkFailed PROGRAM where Node is too old for zstd */
  constructor(fd: number, path: ByteText, compression: Compression) {
    this.#fd = fd
    this.#path = path
    if (compression === 'zstd' && createZstdCompress === undefined) throw withoutZstd()
    this.#gzip = compression === 'gzip' ? createDeflateRaw(gzip) : undefined
    this.#compressor = compression === 'zstd' ? createZstdCompress({ chunkSize: partBytes }) : this.#gzip
    this.#compressor?.on('error', error => {
      this.#failure ??= error
    })
    this.#compressor?.on('data', (chunk: Buffer) => this.#tryWrite(chunk))
  }

  /** Adds bytes. @throws FileWorkFailed where the file cannot be written: ENOSPC, EDQUOT, EIO */
  async put(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const room = await this.room()
      const copied = bytes.copy(room, 0, at)
      this.filled(copied)
      at += copied
    }
  }

  /** Where the next bytes go: never empty. The caller says how many it put there before it asks again. @throws as `put` */
  async room(): Promise<Buffer> {
    const part = this.#part()
    if (this.#used < partBytes) {
      if (this.#used === 0) await part.done
      this.#check()
      return part.bytes.subarray(this.#used)
    }
    this.#send()
    return await this.room()
  }

  filled(bytes: number): void {
    this.#used += bytes
  }

  /** Fills the last block of a file's content. */
  async fill(size: number): Promise<void> {
    const bytes = fillOf(size)
    if (bytes > 0) await this.put(Buffer.alloc(bytes))
  }

  /** SHA-256 of all bytes so far, before compression, as hex digits. */
  digest(): string {
    this.#hash.update(this.#part().bytes.subarray(0, this.#used))
    this.#hashed = this.#used
    return this.#hash.copy().digest('hex')
  }

  /** How much of the part is in the hash already. */
  #hashed = 0

  /** Writes what is left. @throws as `put` */
  async end(): Promise<void> {
    this.#send()
    for (const { done } of this.#ring) await done
    this.#check()
    const compressor = this.#compressor
    if (compressor === undefined) return
    const ended = new Promise<void>(resolve => {
      compressor.once('end', resolve)
      compressor.once('close', resolve)
    })
    compressor.end()
    await ended
    this.#check()
    if (this.#gzip !== undefined) this.#write(this.#gzipTrailer())
  }

  #gzipTrailer(): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc32)
    trailer.writeUInt32LE(this.#bytes % 2 ** 32, 4)
    return trailer
  }

  #part(): Part {
    const part = this.#ring[this.#at]
    if (part === undefined) throw new RangeError('the ring of parts has no such part')
    return part
  }

  #send(): void {
    if (this.#used === 0) return
    const part = this.#part()
    const bytes = part.bytes.subarray(0, this.#used)
    this.#hash.update(bytes.subarray(this.#hashed))
    if (this.#compressor === undefined) this.#write(bytes)
    else {
      const compressor = this.#compressor
      this.#compressed = this.#compressed.then(() => this.#compress(compressor, bytes))
      part.done = this.#compressed
    }
    this.#at = (this.#at + 1) % parts
    this.#used = 0
    this.#hashed = 0
  }

  /** Never rejects: what failed is thrown where somebody waits. */
  async #compress(compressor: DeflateRaw | ZstdCompress, bytes: Buffer): Promise<void> {
    if (this.#isOver || this.#failure !== undefined) return
    if (this.#gzip !== undefined) await this.#deflating(this.#gzip, bytes)
    await this.#done(done => compressor.write(bytes, done))
  }

  async #deflating(compressor: DeflateRaw, bytes: Buffer): Promise<void> {
    // No archive is empty: its end are two blocks.
    if (this.#bytes === 0) this.#tryWrite(gzipHeader)
    this.#crc32 = crc32(bytes, this.#crc32)
    this.#bytes += bytes.length
    const level = isIncompressible(bytes) ? stored : gzip.level
    if (level === this.#level) return
    this.#level = level
    await this.#done(done => compressor.params(level, constants.Z_DEFAULT_STRATEGY, done))
  }

  async #done(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    start(error => {
      if (error !== null && error !== undefined) this.#failure ??= error
      resolve()
    })
    await promise
  }

  /** What fails is thrown where somebody waits. */
  #tryWrite(bytes: Buffer): void {
    if (this.#isOver || this.#failure !== undefined) return
    try {
      this.#write(bytes)
    } catch (error) {
      this.#failure = error
    }
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += attempt('write', this.#path, () => writeSync(this.#fd, bytes, at))
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Gives up what is under way, once the compressor has nothing in its hands. */
  destroy(): void {
    this.#isOver = true
    void this.#compressed.then(() => this.#compressor?.destroy())
  }
}
