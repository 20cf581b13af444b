// Content that was checked whole and lies in memory until the last of those who asked for it has it.
import { Readable } from 'node:stream'
import type { Checked } from './fetching.ts'

/** So much is handed on at a time. */
const pieceBytes = 65_536

export class KeptBytes {
  readonly #checked: Checked
  #holders = 0

  /** It is let go when nobody has attached by the next turn of the event loop, or when the last one has left. */
  constructor(checked: Checked) {
    this.#checked = checked
    const leave = this.#hold()
    setImmediate(leave)
  }

  attach(start: number, end: number): Readable {
    const leave = this.#hold()
    return readableOf(this.#checked.bytes.subarray(start, end + 1), leave)
  }

  #hold(): () => void {
    this.#holders++
    return () => {
      if (--this.#holders === 0) this.#checked[Symbol.dispose]()
    }
  }
}

/** The bytes as a stream; `onClose` once, however it ends. */
export function readableOf(bytes: Buffer, onClose: () => void = () => undefined): Readable {
  let at = 0
  const stream = new Readable({
    highWaterMark: pieceBytes,
    read() {
      const piece = bytes.subarray(at, at + pieceBytes)
      at += piece.length
      if (piece.length > 0) stream.push(piece)
      if (at >= bytes.length) stream.push(null)
    },
  })
  return stream.once('close', onClose)
}
