// Writes a protobuf message from its end to its beginning, as Go's generated code does: the length of what is inside is known when it is
// written before it, so that nothing is measured twice.

const firstBytes = 4_096

export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(firstBytes)
  /** What is written stands from here to the end. */
  #at = firstBytes

  /** Begins another message; `finish` handed out a copy of the last. */
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
    const length = Buffer.byteLength(value)
    this.#room(length)
    this.#at -= length
    this.#buffer.write(value, this.#at, 'utf8')
    this.delimit(field, mark)
  }

  /** A whole number that is not negative and below 2^53; 0 is written, too. */
  integer(field: number, value: number): void {
    this.#varint(value)
    this.#varint(field * 8)
  }

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(this.#at))
  }

  #varint(value: number): void {
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
