// The bytes of content of one node's containerd: as files where its directory is mounted, else through its API. Both fail where fewer come
// than there should be.
import { Readable } from 'node:stream'
import type { ByteRange } from '../contract.ts'
import type { Digest } from '../reference.ts'
import { blobPath, clipped, fileSizeNow, isDirectory, openBlob } from './blob-files.ts'
import * as api from './containerd-api.ts'
import type { ContainerdClient } from './containerd-client.ts'
import { binaryType, largestFingerprint, mayBeJson, mediaTypeOf } from './fingerprint.ts'

const headBytes = 256

interface Sized {
  readonly digest: Digest
  /** Bytes, as containerd says. */
  readonly size: number
}

export class ContentReader {
  readonly #client: ContainerdClient
  #path: string | undefined
  #isMounted = false

  constructor(client: ContainerdClient) {
    this.#client = client
  }

  /** Where its directory with `blobs` and `ingest` lies, mounted or not. */
  set path(path: string | undefined) {
    if (path !== this.#path) this.#isMounted = false
    this.#path = path
  }

  /** The directory; `undefined` while it is not there: containerd makes it when it first loads something. */
  async root(): Promise<string | undefined> {
    if (!this.#isMounted && this.#path !== undefined) this.#isMounted = await isDirectory(this.#path)
    return this.#isMounted ? this.#path : undefined
  }

  /** Its file, where files are mounted. */
  async file(digest: Digest): Promise<{ readonly size: number } | 'none' | 'unmounted'> {
    const root = await this.root()
    if (root === undefined) return 'unmounted'
    const size = fileSizeNow(blobPath(root, digest))
    return size === undefined ? 'none' : { size }
  }

  /** Path of the file with exactly its bytes; `undefined` where there is none to be seen. */
  async fileOf({ digest, size }: Sized): Promise<string | undefined> {
    const root = await this.root()
    if (root === undefined) return undefined
    const path = blobPath(root, digest)
    return fileSizeNow(path) === size ? path : undefined
  }

  /** Whether the file is there with its size; without files always. */
  async isIntact({ digest, size }: Sized): Promise<boolean> {
    const root = await this.root()
    return root === undefined || fileSizeNow(blobPath(root, digest)) === size
  }

  /** @throws Error where it is gone or has another size; NotInStore, StoreUnavailable */
  async open(content: Sized, range?: Partial<ByteRange>, atOnce?: number): Promise<Readable> {
    const root = await this.root()
    const file = root === undefined ? undefined : await openBlob(root, content, range, atOnce)
    if (file !== undefined) return file
    const bytes = this.#apiBytes(content.digest, clipped(content.size, range ?? {}))
    return Readable.from(bytes, { objectMode: false, highWaterMark: 1 })
  }

  /** All bytes. @throws Error where there are more than `limit`; else as `open` */
  async read(content: Sized, limit: number, signal: AbortSignal): Promise<Buffer> {
    if (content.size > limit) throw new Error(`${content.digest} has ${content.size} bytes, more than ${limit}`)
    return await buffered(await this.open(content), signal)
  }

  /** By its first bytes, and by the whole where these may be JSON. */
  async mediaTypeOf(content: Sized, signal: AbortSignal): Promise<string> {
    if (content.size > largestFingerprint) return binaryType
    const end = Math.min(headBytes, content.size) - 1
    if (!mayBeJson(await buffered(await this.open(content, { start: 0, end }), signal))) return binaryType
    return mediaTypeOf(await this.read(content, largestFingerprint, signal))
  }

  /** Each message is up to 1 MiB; the next is taken from the connection when this one was. */
  async *#apiBytes(digest: Digest, { start, end }: ByteRange): AsyncGenerator<Buffer> {
    let left = end - start + 1
    if (left <= 0) return // containerd takes a size of 0 for "all"
    const call = this.#client.open(api.readContent, { digest, offset: start, size: left })
    try {
      for await (const { data } of call) {
        left -= data.length
        if (left < 0) throw new Error(`${digest}: containerd sends more than was asked`)
        if (data.length > 0) yield Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      }
    } catch (error) {
      throw left < 0 ? error : this.#client.told(api.readContent, error)
    } finally {
      call.cancel()
    }
    if (left > 0) throw new Error(`${digest}: containerd sends ${left} bytes too few`)
  }
}

/** All bytes of a stream that is known to be small. */
export async function buffered(stream: Readable, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) {
    signal.throwIfAborted()
    pieces.push(piece)
  }
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
}
