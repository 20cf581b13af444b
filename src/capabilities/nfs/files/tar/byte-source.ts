// The bytes of a stream in the pieces that its reader wants, and no more of them in memory than one chunk and one piece.
import { cutArchive } from './tar-header.ts'

export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>
  #chunk: Buffer = Buffer.alloc(0)
  #isAtEnd = false

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** What there is of the next `most` bytes, at least one; undefined at the end. It is part of a chunk: use it before the next call. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#chunk.length === 0) {
      if (this.#isAtEnd) return undefined
      const next = await this.#chunks.next()
      if (next.done === true) this.#isAtEnd = true
      else this.#chunk = next.value
    }
    return this.#taken(Math.min(most, this.#chunk.length))
  }

  /** The next `size` bytes. @throws FileWorkFailed CUT_ARCHIVE where there are fewer */
  async exactly(size: number): Promise<Buffer> {
    if (this.#chunk.length >= size) return this.#taken(size)
    const parts: Buffer[] = []
    for (let missing = size; missing > 0; ) {
      const part = await this.some(missing)
      if (part === undefined) throw cutArchive()
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  async close(): Promise<void> {
    this.#isAtEnd = true
    await this.#chunks.return?.()
  }

  #taken(size: number): Buffer {
    const part = this.#chunk.subarray(0, size)
    this.#chunk = this.#chunk.subarray(size)
    return part
  }
}
