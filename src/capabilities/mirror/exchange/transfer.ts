// A transfer that goes on: bytes come from a source, and one or several readers take them through a window that they share.
import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Clock } from '#kube/clock.ts'
import { type Digest, partsOfDigest } from '../reference.ts'
import type { BodySource } from './body-source.ts'
import type { Grant } from './byte-budget.ts'

/** What is held back of content that is being hashed until the digest matches. */
const heldBytes = 65_536
/** A reader that keeps others waiting for so long goes on alone. */
const lagMs = 250

/** The bytes were not those of the digest. */
class Poisoned extends Error {
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
  /** As many bytes are held; given back at the end. */
  readonly window: Grant
  readonly onBytes: (count: number) => void
  /** A transfer of its own for a reader that is slow; its bytes are not checked again. @throws Error where nobody has it */
  readonly apart: (start: number, end: number) => Promise<Readable>
  /** It is over: `poisoned` where the digest did not match. */
  readonly onEnd: (how: 'whole' | 'broken' | 'poisoned' | 'left') => void
}

interface Chunk {
  readonly at: number
  readonly data: Buffer
}

interface Reader {
  readonly stream: Readable
  /** Of the next byte it gets. */
  position: number
  readonly end: number
  wants: boolean
  /** What it reads since it was slow. */
  own?: Readable
}

/**
 * Reads from its source while its window has room for the slowest reader, and hashes on the way. Guarantees: no reader gets the last 64 KiB of
 * content with a digest before it matched; a reader ends cleanly only with its last byte; at most the window's bytes are held. A reader that
 * keeps another waiting is moved to a transfer of its own.
 */
export class Transfer {
  readonly #options: TransferOptions
  readonly #hash: Hash | undefined
  readonly #readers = new Set<Reader>()
  readonly #chunks: Chunk[] = []
  #head: number
  #isVerified: boolean
  #isOver = false
  #goOn: (() => void) | undefined
  #cancelLag: (() => void) | undefined

  constructor(options: TransferOptions) {
    this.#options = options
    this.#head = options.start
    this.#hash = options.digest === undefined ? undefined : createHash(partsOfDigest(options.digest).algorithm)
    this.#isVerified = this.#hash === undefined
  }

  /** A stream of start to end, both included; `undefined` where the first of these bytes are gone already, or it is over. */
  attach(start: number, end: number): Readable | undefined {
    const oldest = this.#chunks[0]?.at ?? this.#head
    if (this.#isOver || start < oldest || start > this.#head || end > this.#options.end) return undefined
    const stream: Readable = new Readable({
      highWaterMark: heldBytes,
      read: () => {
        reader.wants = true
        reader.own?.resume()
        this.#feed(reader)
        this.#settle()
      },
      destroy: (error, done) => {
        reader.own?.destroy()
        this.#leave(reader)
        done(error)
      },
    })
    const reader: Reader = { stream, position: start, end, wants: false }
    this.#readers.add(reader)
    return stream
  }

  /** Brings all bytes; never throws: how it ended is told to readers and `onEnd`. */
  async run(): Promise<void> {
    const how = await this.#bring().catch((error: unknown) => this.#fail(error))
    this.#isOver = true
    this.#cancelLag?.()
    if (this.#readers.size > 0 && how === 'whole') await this.#emptied()
    this.#options.source.cancel()
    this.#options.window[Symbol.dispose]()
    this.#options.onEnd(how)
  }

  async #bring(): Promise<'whole'> {
    const { source, onBytes, digest } = this.#options
    for (;;) {
      await this.#room()
      const data = await source.next()
      if (data === undefined) break
      onBytes(data.length)
      this.#hash?.update(data)
      this.#chunks.push({ at: this.#head, data })
      this.#head += data.length
      if (this.#head > this.#options.end) this.#verify(digest)
      this.#feedAll()
    }
    return 'whole'
  }

  #verify(digest: Digest | undefined): void {
    if (digest === undefined || this.#hash === undefined) return
    if (this.#hash.digest('hex') !== partsOfDigest(digest).hex) throw new Poisoned(`the bytes are not ${digest}`)
    this.#isVerified = true
  }

  #fail(error: unknown): 'broken' | 'poisoned' | 'left' {
    const cause = error instanceof Error ? error : new Error(String(error))
    const how = cause instanceof Poisoned ? 'poisoned' : this.#readers.size === 0 ? 'left' : 'broken'
    for (const { stream } of [...this.#readers]) stream.destroy(cause)
    return how
  }

  /** Waits until the slowest reader has taken enough that another piece has room. @throws Error where no reader is left */
  async #room(): Promise<void> {
    while (this.#isFull() && this.#readers.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#goOn = resolve
      await promise
    }
    if (this.#readers.size === 0) throw new Error('nobody reads it any more')
  }

  /** Waits until every reader has its last byte, or left. */
  async #emptied(): Promise<void> {
    while (this.#readers.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#goOn = resolve
      await promise
    }
  }

  #isFull(): boolean {
    return this.#head - this.#slowest() + heldBytes > this.#options.window.bytes
  }

  #slowest(): number {
    let least = this.#head
    for (const { position } of this.#readers) least = Math.min(least, position)
    return least
  }

  /** Up to which byte readers may get, that one not included. */
  #limit(): number {
    return this.#isVerified
      ? this.#head
      : Math.min(this.#head, this.#options.end + 1 - Math.min(heldBytes, this.#options.end + 1))
  }

  #feedAll(): void {
    for (const reader of [...this.#readers]) this.#feed(reader)
    this.#settle()
  }

  #feed(reader: Reader): void {
    if (!this.#readers.has(reader)) return
    const limit = Math.min(this.#limit(), reader.end + 1)
    for (const { at, data } of this.#chunks) {
      if (!reader.wants || reader.position >= limit) break
      if (at + data.length <= reader.position) continue
      const piece = data.subarray(reader.position - at, limit - at)
      reader.position += piece.length
      reader.wants = reader.stream.push(piece)
    }
    if (reader.position > reader.end && this.#readers.delete(reader)) reader.stream.push(null)
  }

  /** After readers moved: forgets what all have, lets the source go on, looks for one that holds the others up. */
  #settle(): void {
    const slowest = this.#slowest()
    while (this.#chunks[0] !== undefined && this.#chunks[0].at + this.#chunks[0].data.length <= slowest) this.#chunks.shift()
    const goOn = this.#goOn
    this.#goOn = undefined
    goOn?.()
    const isHeldUp =
      this.#readers.size > 1 &&
      this.#isFull() &&
      [...this.#readers].some(({ wants, position }) => wants && position >= this.#head)
    if (!isHeldUp || this.#isOver) {
      this.#cancelLag?.()
      this.#cancelLag = undefined
    } else this.#cancelLag ??= this.#options.clock.schedule(lagMs, () => this.#partSlow(slowest))
  }

  /** The readers that stand where the slowest stood all the time go on by themselves. */
  #partSlow(since: number): void {
    this.#cancelLag = undefined
    for (const reader of [...this.#readers]) if (reader.position === since && reader.position < this.#head) this.#part(reader)
    this.#settle()
  }

  #part(reader: Reader): void {
    this.#readers.delete(reader)
    const { stream, position, end } = reader
    this.#options.apart(position, end).then(
      own => this.#handOn(own, reader),
      (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
    )
  }

  /** What `own` brings goes on in the reader's stream, which has had what came before. */
  #handOn(own: Readable, reader: Reader): void {
    const { stream } = reader
    reader.own = own
    own.once('end', () => stream.push(null))
    own.once('error', error => stream.destroy(error))
    own.on('data', (piece: Buffer) => {
      if (!stream.push(piece)) own.pause()
    })
    if (stream.destroyed) own.destroy()
  }

  #leave(reader: Reader): void {
    if (!this.#readers.delete(reader)) return
    this.#settle()
    if (this.#readers.size === 0 && !this.#isOver) this.#options.source.cancel()
  }
}
