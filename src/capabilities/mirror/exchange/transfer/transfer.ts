// A transfer that goes on: bytes come from a source, and one or several readers take them, the same memory for all.
import { createHash, type Hash } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { type LentBody, ownPiece, type Piece } from '../../lent-body.ts'
import { type Digest, partsOfDigest } from '../../reference.ts'
import type { BodySource } from './body-source.ts'
import { TransferReader } from './transfer-reader.ts'

/** What is held back of content that is being hashed until the digest matches. */
const heldBytes = 65_536
/** A reader that keeps others waiting for so long goes on alone. */
const lagMs = 250
/** A reader may begin so far ahead of what has come. */
const mostAhead = 1_048_576

/** The bytes were not those of the digest. */
class Poisoned extends OutsideError {
  override readonly name = 'Poisoned'
}

interface TransferOptions {
  readonly clock: Clock
  readonly source: BodySource
  readonly start: number
  /** Last byte. */
  readonly end: number
  /** What start to end has to be; `undefined`: a part, which cannot be checked. */
  readonly digest: Digest | undefined
  readonly onBytes: (count: number) => void
  /** A transfer of its own for a reader that is slow; its bytes are not checked again. @throws Error where nobody has it */
  readonly apart: (start: number, end: number) => Promise<LentBody>
  /** A further slab may be held; false where there are too many already. */
  readonly makeRoom: () => boolean
  /** It is over: `poisoned` where the digest did not match. */
  readonly onEnd: (how: 'whole' | 'broken' | 'poisoned' | 'left') => void
}

/** Bytes that came, as long as a reader needs them. */
interface Chunk {
  readonly at: number
  readonly bytes: Buffer
  hold(): void
  release(): void
}

/**
 * Hashes on the way, and goes on as its readers let go of memory. Guarantees: no reader gets the last 64 KiB of content with a digest before it
 * matched; a reader ends cleanly only with its last byte; no more is held than the slabs of its source. A reader that keeps another waiting is
 * moved to a transfer of its own.
 */
export class Transfer {
  readonly #options: TransferOptions
  readonly #hash: Hash | undefined
  readonly #readers = new Set<TransferReader>()
  readonly #chunks: Chunk[] = []
  #head: number
  #isVerified: boolean
  #isOver = false
  #onEmpty: (() => void) | undefined
  #cancelLag: (() => void) | undefined

  constructor(options: TransferOptions) {
    this.#options = options
    this.#head = options.start
    this.#hash = options.digest === undefined ? undefined : createHash(partsOfDigest(options.digest).algorithm)
    this.#isVerified = this.#hash === undefined
  }

  /** The bytes from start to end, both included; `undefined` where the first of these are gone already or far off, or it is over. */
  attach(start: number, end: number): LentBody | undefined {
    const oldest = this.#chunks[0]?.at ?? this.#head
    if (this.#isOver || start < oldest || start > this.#head + mostAhead || end > this.#options.end) return undefined
    const reader = new TransferReader(start, end, {
      take: () => this.#take(reader),
      moved: () => this.#settle(),
      leave: () => this.#leave(reader),
    })
    this.#readers.add(reader)
    return reader
  }

  /** Brings all bytes; never throws: how it ended is told to readers and `onEnd`. */
  async run(): Promise<void> {
    const how = await this.#bring().catch((error: unknown) => this.#fail(error))
    this.#isOver = true
    this.#cancelLag?.()
    if (how === 'whole') await this.#emptied()
    for (const chunk of this.#chunks.splice(0)) chunk.release()
    this.#options.source.cancel()
    this.#options.onEnd(how)
  }

  async #bring(): Promise<'whole'> {
    const { source, onBytes, digest } = this.#options
    for (;;) {
      if (this.#readers.size === 0) throw new Error('nobody reads it any more')
      const piece = await source.next()
      if (piece === undefined) return 'whole'
      const { bytes } = piece
      onBytes(bytes.length)
      this.#hash?.update(bytes)
      this.#keep(piece)
      this.#head += bytes.length
      if (this.#head > this.#options.end) this.#verify(digest)
      for (const reader of [...this.#readers]) reader.came()
      this.#settle()
    }
  }

  /** What is to be held until the digest is known lies in memory of its own: it must not keep the rest from coming. */
  #keep(piece: Piece): void {
    const { bytes } = piece
    const free = this.#isVerified ? bytes.length : Math.min(bytes.length, Math.max(0, this.#heldFrom() - this.#head))
    const held = free < bytes.length ? Buffer.from(bytes.subarray(free)) : undefined
    if (free > 0) this.#chunks.push(chunkOf(this.#head, bytes.subarray(0, free), piece))
    else piece[Symbol.dispose]()
    if (held !== undefined) this.#chunks.push(chunkOf(this.#head + free, held, ownPiece(held)))
  }

  #heldFrom(): number {
    return Math.max(0, this.#options.end + 1 - heldBytes)
  }

  #verify(digest: Digest | undefined): void {
    if (digest === undefined || this.#hash === undefined) return
    if (this.#hash.digest('hex') !== partsOfDigest(digest).hex) throw new Poisoned(`the bytes are not ${digest}`)
    this.#isVerified = true
  }

  #fail(error: unknown): 'broken' | 'poisoned' | 'left' {
    const cause = error instanceof Error ? error : new Error(String(error))
    const how = cause instanceof Poisoned ? 'poisoned' : this.#readers.size === 0 ? 'left' : 'broken'
    for (const reader of [...this.#readers]) reader.destroy(cause)
    return how
  }

  /** Waits until every reader has its last byte, or left. */
  async #emptied(): Promise<void> {
    if (this.#readers.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEmpty = resolve
    await promise
  }

  #slowest(): number {
    let least = this.#head
    for (const { position } of this.#readers) least = Math.min(least, position)
    return least
  }

  /** Up to which byte readers may get, that one not included. */
  #limit(): number {
    return this.#isVerified ? this.#head : Math.min(this.#head, this.#heldFrom())
  }

  /** The next bytes of a reader that are here, with their memory held for it. */
  #take(reader: TransferReader): Piece | undefined {
    const { position } = reader
    const limit = Math.min(this.#limit(), reader.end + 1)
    const chunk = this.#chunks.find(({ at, bytes }) => at + bytes.length > position)
    if (chunk === undefined || chunk.at > position || position >= limit) return undefined
    chunk.hold()
    return { bytes: chunk.bytes.subarray(position - chunk.at, limit - chunk.at), [Symbol.dispose]: once(() => chunk.release()) }
  }

  /** After readers moved: forgets what all have, and looks for one that holds the others up. */
  #settle(): void {
    for (const reader of [...this.#readers]) if (reader.position > reader.end) this.#readers.delete(reader)
    const slowest = this.#slowest()
    while (this.#chunks[0] !== undefined && this.#chunks[0].at + this.#chunks[0].bytes.length <= slowest)
      this.#chunks.shift()?.release()
    if (this.#readers.size === 0) this.#onEmpty?.()
    const isHeldUp =
      this.#readers.size > 1 &&
      this.#options.source.isHeldUp &&
      [...this.#readers].some(({ isWaiting, position }) => isWaiting && position >= this.#head)
    if (!isHeldUp || this.#isOver) {
      this.#cancelLag?.()
      this.#cancelLag = undefined
    } else this.#cancelLag ??= this.#options.clock.schedule(lagMs, () => this.#partSlow(slowest))
  }

  /** The readers that stand where the slowest stood all the time go on by themselves. */
  #partSlow(since: number): void {
    this.#cancelLag = undefined
    // What they are sending still lies in a slab: the others are to have another for it.
    const mayPart = this.#options.makeRoom()
    for (const reader of [...this.#readers]) {
      if (reader.position !== since || reader.position >= this.#head) continue
      this.#readers.delete(reader)
      if (mayPart) reader.goOnWith(this.#options.apart(reader.position, reader.end))
      else reader.destroy(new Error('too many slow readers of one transfer'))
    }
    this.#settle()
  }

  #leave(reader: TransferReader): void {
    if (!this.#readers.delete(reader)) return
    this.#settle()
    if (this.#readers.size === 0 && !this.#isOver) this.#options.source.cancel()
  }
}

function chunkOf(at: number, bytes: Buffer, piece: Piece): Chunk {
  let holders = 1
  return {
    at,
    bytes,
    hold: () => {
      holders++
    },
    release: () => {
      if (--holders === 0) piece[Symbol.dispose]()
    },
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    work()
  }
}
