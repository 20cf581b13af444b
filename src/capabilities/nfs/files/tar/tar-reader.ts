// Reads a tar archive entry by entry, as a stream, strictly: two readers never see different things in what it lets pass.
import { type ByteText, latin } from '../byte-text.ts'
import type { ArchiveContent } from '../file-work.ts'
import { ByteSource } from './byte-source.ts'
import { markComment, readSeal } from './seal.ts'
import {
  blockBytes,
  brokenArchive,
  cutArchive,
  type DecodedEntry,
  decodeBlock,
  decodePax,
  entryOf,
  extensionSize,
  fillOf,
} from './tar-header.ts'

/** Extension headers before one entry. */
const mostExtensions = 16
/** Zeros after the end: writers fill up to their own unit, GNU tar to 10 KiB. */
const mostTrailingBytes = 16 * 1024 * 1024

export class TarReader implements AsyncDisposable {
  readonly #source: ByteSource
  readonly #global = new Map<string, ByteText>()
  /** Content of the entry that was given last which has not been read, and what fills it up. */
  #left = 0
  #fill = 0
  #entries = 0
  #contentBytes = 0
  #seal: ArchiveContent['seal'] = 'none'
  #sealed = ''
  #isMarked = false
  #isAtEnd = false

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#source = new ByteSource(chunks)
  }

  /** The next entry; undefined after the last. What was not read of the one before is passed over. @throws FileWorkFailed BROKEN_ARCHIVE, CUT_ARCHIVE */
  async next(): Promise<DecodedEntry | undefined> {
    if (this.#isAtEnd) return undefined
    while ((await this.content()) !== undefined);
    const extensions: { pax: Map<string, ByteText>; longName?: ByteText; longLink?: ByteText } = { pax: new Map() }
    for (let count = 0; count <= mostExtensions; count++) {
      const block = await this.#source.exactly(blockBytes)
      if (isZero(block)) {
        if (count > 0) throw brokenArchive('ends after an extended header')
        await this.#end()
        return undefined
      }
      const raw = decodeBlock(block)
      const size = extensionSize(raw)
      if (size === undefined) {
        const entry = entryOf(raw, { ...extensions, pax: this.#records(extensions.pax) })
        if (this.#isSeal(entry)) return await this.next()
        return entry
      }
      const data = await this.#source.exactly(size + fillOf(size))
      this.#extend(raw.typeFlag, data.subarray(0, size), extensions)
    }
    throw brokenArchive(`has more than ${mostExtensions} extended headers in a row`)
  }

  /** The next part of the content of the entry that was given last; undefined at its end. It stays as it is. */
  async content(): Promise<Buffer | undefined> {
    if (this.#left > 0) {
      const part = await this.#source.some(this.#left)
      if (part === undefined) throw cutArchive()
      this.#left -= part.length
      this.#source.count()
      return part
    }
    if (this.#fill > 0) {
      await this.#source.exactly(this.#fill)
      this.#source.count()
    }
    this.#fill = 0
    return undefined
  }

  /** Reads no further. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.close()
  }

  /** How much the headers so far say. */
  summarySoFar(): Pick<ArchiveContent, 'contentBytes' | 'entries'> {
    return { contentBytes: this.#contentBytes, entries: this.#entries }
  }

  /** What has been read; of the whole archive once `next` gave undefined. The seal is no entry. */
  summary(): ArchiveContent {
    return {
      contentBytes: this.#contentBytes,
      entries: this.#entries,
      sha256: this.#sealed === '' ? this.#source.digest() : this.#sealed,
      seal: this.#seal,
    }
  }

  /** Counts an entry in, or takes it as the seal, which is over all before it and no entry of its own. */
  #isSeal(entry: DecodedEntry): boolean {
    if (this.#seal !== 'none') throw brokenArchive('goes on after its checksum')
    const seal = readSeal(entry.comment)
    if (seal !== undefined) {
      if (entry.kind !== 'directory') throw brokenArchive('has a checksum at an entry that is no directory')
      this.#source.leaveOut()
      this.#sealed = this.#source.digest()
      this.#seal = seal.sha256 === this.#sealed && seal.entries === this.#entries ? 'right' : 'wrong'
      return true
    }
    if (entry.comment === markComment) this.#isMarked = true
    this.#entries++
    this.#source.count()
    this.#left = entry.size
    this.#fill = fillOf(entry.size)
    this.#contentBytes += entry.size
    return false
  }

  #extend(
    typeFlag: string,
    data: Buffer,
    extensions: { pax: Map<string, ByteText>; longName?: ByteText; longLink?: ByteText },
  ): void {
    switch (typeFlag) {
      case 'L':
        extensions.longName = beforeZero(data)
        return
      case 'K':
        extensions.longLink = beforeZero(data)
        return
      default:
        for (const [key, value] of decodePax(data)) {
          if (typeFlag === 'x') extensions.pax.set(key, value)
          else if (['path', 'linkpath', 'size'].includes(key)) throw brokenArchive(`says ${key} for all of its entries`)
          else this.#global.set(key, value)
        }
    }
  }

  #records(own: ReadonlyMap<string, ByteText>): ReadonlyMap<string, ByteText> {
    const all = this.#global.size === 0 ? own : new Map([...this.#global, ...own])
    return [...all.values()].includes('' as ByteText) ? new Map([...all].filter(([, value]) => value !== '')) : all
  }

  /** After the first block of zeros: a second one, and nothing else. Reading to the end lets the decompressor check what it gave. */
  async #end(): Promise<void> {
    if (!isZero(await this.#source.exactly(blockBytes))) throw brokenArchive('has a block of zeros in the middle')
    let read = 0
    for (
      let part = await this.#source.some(blockBytes * 128);
      part !== undefined;
      part = await this.#source.some(blockBytes * 128)
    ) {
      this.#source.leaveOut()
      read += part.length
      if (!isZero(part)) throw brokenArchive('has something after its end')
      if (read > mostTrailingBytes) throw brokenArchive(`has more than ${mostTrailingBytes} zeros after its end`)
    }
    if (this.#isMarked && this.#seal === 'none') throw brokenArchive('has lost its checksum')
    this.#isAtEnd = true
  }
}

function beforeZero(data: Buffer): ByteText {
  const end = data.indexOf(0)
  return latin(end < 0 ? data : data.subarray(0, end))
}

const zeros = Buffer.alloc(64 * 1024)

/** Whether each byte is 0. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length)
    if (!part.equals(zeros.subarray(0, part.length))) return false
  }
  return true
}
