// Passes on exactly as many bytes as were promised: fewer or more end the connection instead of an answer that looks whole.
import { Transform, type TransformCallback } from 'node:stream'

/** Fails where its source ends early or goes on beyond `length`. `passed` is what went through. */
export class Exactly extends Transform {
  readonly #length: number
  passed = 0

  constructor(length: number) {
    super()
    this.#length = length
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    if (this.passed + chunk.length > this.#length) {
      callback(new Error(`more than ${this.#length} bytes came`))
      return
    }
    this.passed += chunk.length
    callback(null, chunk)
  }

  override _flush(callback: TransformCallback): void {
    callback(this.passed === this.#length ? null : new Error(`${this.passed} of ${this.#length} bytes came`))
  }
}
