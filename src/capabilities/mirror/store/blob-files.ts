// Content as files, where containerd's content directory is mounted: `blobs/<algorithm>/<hex>`. What is open is read to its end even where
// it is deleted meanwhile.
import { statSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteRange } from '../contract.ts'
import { LentBody, type Piece } from '../lent-body.ts'
import { type Digest, partsOfDigest } from '../reference.ts'
import { giveMemory, slabBytes, takeMemory } from '../slabs.ts'

export const blobPath = (root: string, digest: Digest): string => {
  const { algorithm, hex } = partsOfDigest(digest)
  return join(root, 'blobs', algorithm, hex)
}

/** Bytes of the file; `undefined` where there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * The same at once, for each request: the kernel has nearly every entry of a content directory in memory, and a thread that is asked instead
 * costs thirty times as much.
 */
export function fileSizeNow(path: string): number | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() === true ? found.size : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Whether it is a directory that we can see. */
export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false // absent, or not ours to see
    throw error
  }
}

/** The file, to be closed by the caller; `undefined` where there is none. */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

/**
 * The bytes of an open file from `start` to `end`, both included, `atOnce` at a time; closes it. While one piece is being sent, the next is
 * read. Fails where the file ends before.
 */
class FileBody extends LentBody {
  readonly #handle: FileHandle
  readonly #end: number
  readonly #atOnce: number
  readonly #free: Buffer[] = []
  #at: number
  #reading: Promise<Piece | undefined> | undefined

  constructor(handle: FileHandle, { start, end }: ByteRange, atOnce: number) {
    super({ highWaterMark: atOnce })
    this.#atOnce = Math.min(atOnce, slabBytes)
    this.#handle = handle
    this.#at = start
    this.#end = end
  }

  override async next(): Promise<Piece | undefined> {
    const piece = await (this.#reading ?? this.#read())
    this.#reading = undefined
    if (piece !== undefined && this.#at <= this.#end && !this.destroyed) {
      this.#reading = this.#read()
      // The reader of the next piece gets the failure, and there may be none any more.
      this.#reading.catch(() => undefined)
    }
    return piece
  }

  async #read(): Promise<Piece | undefined> {
    if (this.destroyed) throw this.errored ?? new Error('the file was closed')
    const left = this.#end + 1 - this.#at
    if (left <= 0) return undefined
    const memory = this.#free.pop() ?? this.#memory(left)
    let isGiven = false
    const give = () => {
      if (isGiven) return
      isGiven = true
      this.#given(memory)
    }
    try {
      const { bytesRead } = await this.#handle.read(memory, 0, Math.min(memory.length, left), this.#at)
      if (bytesRead === 0) throw new Error(`the file ends at byte ${this.#at}, ${left} bytes too early`)
      this.#at += bytesRead
      return { bytes: memory.subarray(0, bytesRead), [Symbol.dispose]: give }
    } catch (error) {
      give()
      throw error
    }
  }

  #memory(left: number): Buffer {
    return this.#atOnce === slabBytes && left > this.#atOnce / 4 ? takeMemory() : Buffer.allocUnsafe(Math.min(this.#atOnce, left))
  }

  #given(memory: Buffer): void {
    this.#free.push(memory)
    if (this.destroyed) this.#letGo()
  }

  #letGo(): void {
    for (const memory of this.#free.splice(0)) if (memory.length === slabBytes) giveMemory(memory)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // What is being read is still written into its memory.
    const reading = this.#reading ?? Promise.resolve(undefined)
    this.#reading = undefined
    reading
      .then(
        piece => piece?.[Symbol.dispose](),
        () => undefined,
      )
      .then(() => {
        this.#letGo()
        return this.#handle.close()
      })
      .then(
        () => callback(error),
        (failed: Error) => callback(error ?? failed),
      )
  }
}

/** Part of a blob's file, all of it without `range`; `undefined` where there is none. @throws Error where it has another size than said */
export async function openBlob(
  root: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  range: Partial<ByteRange> = {},
  atOnce = slabBytes,
): Promise<FileBody | undefined> {
  const handle = await openFile(blobPath(root, digest))
  if (handle === undefined) return undefined
  const { size: found } = await handle.stat()
  if (found === size) return new FileBody(handle, clipped(size, range), atOnce)
  await handle.close()
  throw new Error(`the file of ${digest} has ${found} bytes instead of ${size}`)
}

export function clipped(size: number, { start = 0, end = size - 1 }: Partial<ByteRange>): ByteRange {
  return { start, end: Math.min(end, size - 1) }
}
