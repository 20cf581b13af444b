// Content as files, where containerd's content directory is mounted: `blobs/<algorithm>/<hex>`. What is open is read to its end even where
// it is deleted meanwhile.
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { ByteRange } from '../contract.ts'
import { type Digest, partsOfDigest } from '../reference.ts'

/** Bytes of one read: from here on larger ones gain nothing. */
export const readBytes = 1024 * 1024

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

/** The bytes of an open file from `start` to `end`, both included, `atOnce` at a time; closes it. Fails where the file ends before. */
class FileStream extends Readable {
  readonly #handle: FileHandle
  readonly #end: number
  readonly #atOnce: number
  #at: number

  constructor(handle: FileHandle, { start, end }: ByteRange, atOnce = readBytes) {
    super({ highWaterMark: atOnce })
    this.#atOnce = atOnce
    this.#handle = handle
    this.#at = start
    this.#end = end
  }

  override _read(): void {
    void this.#readPiece().catch((error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))))
  }

  async #readPiece(): Promise<void> {
    const left = this.#end + 1 - this.#at
    if (left <= 0) {
      this.push(null)
      return
    }
    const piece = Buffer.allocUnsafe(Math.min(this.#atOnce, left))
    const { bytesRead } = await this.#handle.read(piece, 0, piece.length, this.#at)
    if (bytesRead === 0) throw new Error(`the file ends at byte ${this.#at}, ${left} bytes too early`)
    this.#at += bytesRead
    this.push(bytesRead === piece.length ? piece : piece.subarray(0, bytesRead))
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#handle.close().then(
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
  atOnce = readBytes,
): Promise<FileStream | undefined> {
  const handle = await openFile(blobPath(root, digest))
  if (handle === undefined) return undefined
  const { size: found } = await handle.stat()
  if (found === size) return new FileStream(handle, clipped(size, range), atOnce)
  await handle.close()
  throw new Error(`the file of ${digest} has ${found} bytes instead of ${size}`)
}

export function clipped(size: number, { start = 0, end = size - 1 }: Partial<ByteRange>): ByteRange {
  return { start, end: Math.min(end, size - 1) }
}
