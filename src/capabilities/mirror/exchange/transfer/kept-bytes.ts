// Content that was checked whole and lies in memory until the last of those who asked for it has it.
import { LentBody, ownPiece, type Piece } from '../../lent-body.ts'
import type { Checked } from '../fetching.ts'

/** So much is handed on at a time. */
const pieceBytes = 262_144

export class KeptBytes {
  readonly #checked: Checked
  #holders = 0

  /** It is let go when nobody has attached by the next turn of the event loop, or when the last one has left. */
  constructor(checked: Checked) {
    this.#checked = checked
    const leave = this.#hold()
    setImmediate(leave)
  }

  attach(start: number, end: number): LentBody {
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

/** The bytes as a body; `onClose` once, however it ends. */
export function readableOf(bytes: Buffer, onClose: () => void = () => undefined): LentBody {
  return new HeldBody(bytes).once('close', onClose)
}

class HeldBody extends LentBody {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    super({ highWaterMark: pieceBytes })
    this.#bytes = bytes
  }

  override async next(): Promise<Piece | undefined> {
    const bytes = this.#bytes.subarray(this.#at, this.#at + pieceBytes)
    this.#at += bytes.length
    return bytes.length === 0 ? undefined : ownPiece(bytes)
  }
}
