// Writes an archive into a file as a stream. The compressor works in a thread of Node's while the next part is read, so that neither waits for the other.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { createGzip, createZstdCompress, type Gzip, type ZstdCompress } from 'node:zlib'
import type { ByteText } from '../byte-text.ts'
import type { Compression } from '../file-work.ts'
import { attempt } from '../file-work-failed.ts'
import { withoutZstd } from './archive-file.ts'
import { fillOf } from './tar-header.ts'

const partBytes = 256 * 1024
/**
 * Beside zlib's own choice (6 and 8), code takes a fifth less of a processor and data that cannot be compressed a sixth less. Archives of these
 * become at most 0.8 % larger, and 0.4 % larger than by Go's gzip, which upstream's driver uses; those of mere repetition, which are tiny, by an eighth.
 */
const gzip = { level: 5, memLevel: 9, chunkSize: partBytes }
/** One is filled while the others are compressed. */
const parts = 3

interface Part {
  readonly bytes: Buffer
  /** Until the compressor has done with it. */
  done: Promise<void>
}

export class ArchiveWriter {
  readonly #fd: number
  readonly #path: ByteText
  readonly #compressor: Gzip | ZstdCompress | undefined
  readonly #hash = createHash('sha256')
  readonly #ring: readonly Part[] = Array.from({ length: parts }, () => ({
    bytes: Buffer.allocUnsafeSlow(partBytes),
    done: Promise.resolve(),
  }))
  #at = 0
  #used = 0
  #failure: unknown

  /** `fd`: a file that is empty and stays open; `path`: for messages. @throws FileWorkFailed PROGRAM where Node is too old for zstd */
  constructor(fd: number, path: ByteText, compression: Compression) {
    this.#fd = fd
    this.#path = path
    if (compression === 'zstd' && createZstdCompress === undefined) throw withoutZstd()
    this.#compressor =
      compression === 'none'
        ? undefined
        : compression === 'gzip'
          ? createGzip(gzip)
          : createZstdCompress({ chunkSize: partBytes })
    this.#compressor?.on('error', error => {
      this.#failure ??= error
    })
    this.#compressor?.on('data', (chunk: Buffer) => {
      try {
        this.#write(chunk)
      } catch (error) {
        this.#failure ??= error
        this.#compressor?.destroy()
      }
    })
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
    else part.done = this.#compressed(this.#compressor, bytes)
    this.#at = (this.#at + 1) % parts
    this.#used = 0
    this.#hashed = 0
  }

  /** Never rejects: what failed is thrown where somebody waits. */
  #compressed(compressor: Gzip | ZstdCompress, bytes: Buffer): Promise<void> {
    return new Promise(resolve => {
      compressor.write(bytes, error => {
        if (error !== null && error !== undefined) this.#failure ??= error
        resolve()
      })
    })
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += attempt('write', this.#path, () => writeSync(this.#fd, bytes, at))
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Gives up what is under way. */
  destroy(): void {
    this.#compressor?.destroy()
  }
}
