// The bytes of content of one node's containerd: as files where its directory is mounted, else through its API. Both fail where fewer come
// than there should be.
import { Readable } from 'node:stream'
import type { ByteRange } from '../contract.ts'
import type { Digest } from '../reference.ts'
import { blobPath, FileStream, fileSize, isDirectory, openFile, readHead } from './blob-files.ts'
import * as api from './containerd-api.ts'
import type { ContainerdClient } from './containerd-client.ts'
import { binaryType, largestFingerprint, mayBeJson, mediaTypeOf } from './fingerprint.ts'

const headBytes = 256

export interface Sized {
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

  /** Whether the file is there with its size; without files always. */
  async isIntact({ digest, size }: Sized): Promise<boolean> {
    const root = await this.root()
    return root === undefined || (await fileSize(blobPath(root, digest))) === size
  }

  /** @throws Error where it is gone or has another size; NotInStore, StoreUnavailable */
  async open(content: Sized, range?: ByteRange): Promise<Readable> {
    const { digest, size } = content
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? size - 1, size - 1)
    const root = await this.root()
    if (root !== undefined) {
      const handle = await openFile(blobPath(root, digest))
      if (handle !== undefined) {
        const { size: found } = await handle.stat()
        if (found === size) return new FileStream(handle, { start, end })
        await handle.close()
        throw new Error(`the file of ${digest} has ${found} bytes, containerd says ${size}`)
      }
    }
    return Readable.from(this.#apiBytes(digest, { start, end }), { objectMode: false, highWaterMark: 1 })
  }

  /** All bytes. @throws Error where there are more than `limit`; else as `open` */
  async read(content: Sized, limit: number, signal: AbortSignal): Promise<Buffer> {
    if (content.size > limit) throw new Error(`${content.digest} has ${content.size} bytes, more than ${limit}`)
    const stream = await this.open(content)
    const pieces: Buffer[] = []
    for await (const piece of stream) {
      signal.throwIfAborted()
      pieces.push(piece)
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
  }

  /** By its first bytes, and by the whole where these may be JSON. */
  async mediaTypeOf(content: Sized, signal: AbortSignal): Promise<string> {
    if (content.size > largestFingerprint) return binaryType
    if (!mayBeJson(await this.#head(content))) return binaryType
    return mediaTypeOf(await this.read(content, largestFingerprint, signal))
  }

  async #head(content: Sized): Promise<Buffer> {
    const length = Math.min(headBytes, content.size)
    const root = await this.root()
    if (root !== undefined) {
      const handle = await openFile(blobPath(root, content.digest))
      if (handle !== undefined) {
        try {
          return await readHead(handle, length)
        } finally {
          await handle.close()
        }
      }
    }
    const pieces: Buffer[] = []
    for await (const piece of this.#apiBytes(content.digest, { start: 0, end: length - 1 })) pieces.push(piece)
    return Buffer.concat(pieces)
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
