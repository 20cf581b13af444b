// Where values of a configuration object lie while they are hashed: in memory outside of the garbage collector's reach, which would move
// and so copy them, and which is overwritten when they are hashed.
import type { ByteSink } from '#kube/informers/json-bytes.ts'

const firstBytes = 16 * 1024

export class ValueArena implements Disposable {
  #bytes = new Uint8Array(new ArrayBuffer(firstBytes))
  #length = 0

  /** Where the next byte comes. */
  get length(): number {
    return this.#length
  }

  push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow()
    this.#bytes[this.#length++] = byte
  }

  /** A view, until more is pushed or the arena is disposed. */
  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to)
  }

  /** Everything is overwritten. */
  [Symbol.dispose](): void {
    this.#bytes.fill(0)
    this.#length = 0
  }

  #grow(): void {
    const wider = new Uint8Array(new ArrayBuffer(this.#bytes.length * 2))
    wider.set(this.#bytes)
    this.#bytes.fill(0)
    this.#bytes = wider
  }
}

/** Decodes base64 as it comes; what is no such text is marked. */
export class Base64Sink implements ByteSink {
  readonly #arena: ValueArena
  readonly #ended: (isBase64: boolean) => void
  #bits = 0
  #count = 0
  #isPadded = false
  #isBase64 = true

  constructor(arena: ValueArena, ended: (isBase64: boolean) => void) {
    this.#arena = arena
    this.#ended = ended
  }

  push(byte: number): void {
    // Go's decoder, which the API server used, skips line ends.
    if (byte === 0x0a || byte === 0x0d) return
    if (byte === 0x3d) {
      this.#isPadded = true
      return
    }
    const value = sixBits(byte)
    if (value < 0 || this.#isPadded) {
      this.#isBase64 = false
      return
    }
    this.#bits = ((this.#bits << 6) | value) & 0xffffff
    this.#count += 6
    if (this.#count < 8) return
    this.#count -= 8
    this.#arena.push((this.#bits >> this.#count) & 0xff)
  }

  end(): void {
    this.#bits = 0
    this.#ended(this.#isBase64)
  }
}

function sixBits(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x47
  if (byte >= 0x30 && byte <= 0x39) return byte + 4
  if (byte === 0x2b) return 62
  return byte === 0x2f ? 63 : -1
}
