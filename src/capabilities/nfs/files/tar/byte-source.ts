// The bytes of a stream in the pieces that its reader wants, and no more of them in memory than one chunk and one piece; and the checksum of those that
// the reader counts in. Whole chunks are summed, since a call for each piece takes longer than the sum itself.
import { createHash } from 'node:crypto'
import { cutArchive } from './tar-header.ts'

export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #sum = createHash('sha256')
  #chunk: Buffer = Buffer.alloc(0)
  /** How far the chunk is taken, counted in, and summed. */
  #at = 0
  #counted = 0
  #summed = 0
  /** What was taken of chunks before and is not counted in yet. */
  #uncounted: Buffer[] = []
  #isAtEnd = false

  /** The memory of a chunk that was given is never written to again. */
  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** What there is of the next `most` bytes, at least one; undefined at the end. It is part of a chunk, which stays as it is. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#at === this.#chunk.length) {
      if (this.#isAtEnd) return undefined
      const next = await this.#chunks.next()
      if (next.done === true) this.#isAtEnd = true
      else this.#turnTo(next.value)
    }
    return this.#taken(Math.min(most, this.#chunk.length - this.#at))
  }

  /** The next `size` bytes. @throws FileWorkFailed CUT_ARCHIVE where there are fewer */
  async exactly(size: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at >= size) return this.#taken(size)
    const parts: Buffer[] = []
    for (let missing = size; missing > 0; ) {
      const part = await this.some(missing)
      if (part === undefined) throw cutArchive()
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  /** Counts all that was taken so far into the checksum. */
  count(): void {
    for (const part of this.#uncounted.splice(0)) this.#sum.update(part)
    this.#counted = this.#at
  }

  /** Leaves out of the checksum what was taken and not counted in. */
  leaveOut(): void {
    this.#sumUp()
    this.#uncounted = []
    this.#counted = this.#at
    this.#summed = this.#at
  }

  /** SHA-256 of all that was counted in, as hex digits. */
  digest(): string {
    this.#sumUp()
    return this.#sum.copy().digest('hex')
  }

  async close(): Promise<void> {
    this.#isAtEnd = true
    await this.#chunks.return?.()
  }

  #turnTo(chunk: Buffer): void {
    this.#sumUp()
    if (this.#summed < this.#at) this.#uncounted.push(this.#chunk.subarray(this.#summed, this.#at))
    this.#chunk = chunk
    this.#at = 0
    this.#counted = 0
    this.#summed = 0
  }

  #sumUp(): void {
    if (this.#summed < this.#counted) this.#sum.update(this.#chunk.subarray(this.#summed, this.#counted))
    this.#summed = this.#counted
  }

  #taken(size: number): Buffer {
    const part = this.#chunk.subarray(this.#at, this.#at + size)
    this.#at += size
    return part
  }
}
