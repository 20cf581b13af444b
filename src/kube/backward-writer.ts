// Writes a protobuf message from its end to its beginning, as Go's generated code does: the length of what is inside is known when it is
// written before it, so that nothing is measured twice.

const firstBytes = 4_096
const digitsRoom = 16
/** Longer texts are written by Node, shorter ones are written faster than Node is called. */
const longestByHand = 40

export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(firstBytes)
  /** What is written stands from here to the end. */
  #at = firstBytes

  /** Begins another message, over the last one. */
  reset(): void {
    this.#at = this.#buffer.length
  }

  /** A mark for {@link delimit}: what is written from now on is inside. */
  mark(): number {
    return this.#buffer.length - this.#at
  }

  /** Closes a field of bytes: `field` is its number, `mark` where it ends. */
  delimit(field: number, mark: number): void {
    this.#varint(this.#buffer.length - this.#at - mark)
    this.#varint(field * 8 + 2)
  }

  text(field: number, value: string): void {
    const mark = this.mark()
    this.characters(value)
    this.delimit(field, mark)
  }

  /** Bytes that {@link finish} gave of another message, as a part of this one. */
  part(bytes: Uint8Array): void {
    this.#room(bytes.length)
    const buffer = this.#buffer
    let to = this.#at
    for (let at = bytes.length - 1; at >= 0; at--) buffer[--to] = bytes[at] ?? 0
    this.#at = to
  }

  /** Text without its field. */
  characters(value: string): void {
    if (value.length > longestByHand) {
      this.#otherCharacters(value)
      return
    }
    this.#room(value.length)
    const buffer = this.#buffer
    let to = this.#at
    for (let at = value.length - 1; at >= 0; at--) {
      const code = value.charCodeAt(at)
      if (code > 0x7f) {
        this.#otherCharacters(value)
        return
      }
      buffer[--to] = code
    }
    this.#at = to
  }

  /** The digits of a whole number that is not negative and below 2^53, without a field. */
  digits(value: number): void {
    this.#room(digitsRoom)
    let rest = value
    do {
      const digit = rest % 10
      this.#buffer[--this.#at] = 0x30 + digit
      rest = (rest - digit) / 10
    } while (rest > 0)
  }

  /** A whole number that is not negative and below 2^53; 0 is written, too. */
  integer(field: number, value: number): void {
    this.#varint(value)
    this.#varint(field * 8)
  }

  /** A whole number of 64 bits; a negative one has ten bytes, as `int32` and `int64` have it. */
  signed(field: number, value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.integer(field, value)
      return
    }
    const groups: number[] = []
    for (let rest = BigInt.asUintN(64, BigInt(value)); rest > 0n; rest >>= 7n) groups.push(Number(rest & 0x7fn))
    this.#room(groups.length)
    this.#at -= groups.length
    for (const [index, group] of groups.entries())
      this.#buffer[this.#at + index] = index === groups.length - 1 ? group : group | 0x80
    this.#varint(field * 8)
  }

  double(field: number, value: number): void {
    this.#room(8)
    this.#at -= 8
    this.#buffer.writeDoubleLE(value, this.#at)
    this.#varint(field * 8 + 1)
  }

  /** The message: a view, good until `reset`. */
  finish(): Buffer {
    return this.#buffer.subarray(this.#at)
  }

  #otherCharacters(value: string): void {
    const length = Buffer.byteLength(value)
    this.#room(length)
    this.#at -= length
    this.#buffer.write(value, this.#at, 'utf8')
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#room(1)
      this.#buffer[--this.#at] = value
      return
    }
    let length = 1
    for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++
    this.#room(length)
    this.#at -= length
    let rest = value
    for (let at = this.#at; at < this.#at + length - 1; at++) {
      this.#buffer[at] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#at + length - 1] = rest
  }

  #room(length: number): void {
    if (this.#at >= length) return
    const used = this.#buffer.length - this.#at
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + length))
    this.#buffer.copy(larger, larger.length - used, this.#at)
    this.#at = larger.length - used
    this.#buffer = larger
  }
}
