// How many requests came in a window, piece by piece, as upstream averages them.

/** Pieces of a second that are remembered; what is asked of is made of them. */
export class RateWindow {
  readonly #windowMs: number
  readonly #pieceMs: number
  readonly #pieces: number[]
  #first: number | undefined
  #last = 0
  #total = 0

  /** Milliseconds, both; the window is rounded up to whole pieces. */
  constructor(windowMs: number, pieceMs: number) {
    this.#windowMs = windowMs
    this.#pieceMs = pieceMs
    this.#pieces = new Array<number>(Math.max(1, Math.ceil(windowMs / pieceMs))).fill(0)
  }

  isOf(windowMs: number, pieceMs: number): boolean {
    return this.#windowMs === windowMs && this.#pieceMs === pieceMs
  }

  /** So many came; `nowMs` of a clock that never goes back. */
  record(nowMs: number, count: number): void {
    this.#moveTo(Math.floor(nowMs / this.#pieceMs))
    this.#first ??= this.#last
    const at = this.#last % this.#pieces.length
    this.#pieces[at] = (this.#pieces[at] ?? 0) + count
    this.#total += count
  }

  /** Requests for each piece, over the pieces since the first record, at most a window of them; rounded to three digits. */
  rate(nowMs: number): number {
    if (this.#first === undefined) return 0
    this.#moveTo(Math.floor(nowMs / this.#pieceMs))
    const covered = Math.min(this.#last - this.#first + 1, this.#pieces.length)
    return Math.round((this.#total / covered) * 1_000) / 1_000
  }

  /** Pieces that have passed without a record are empty. */
  #moveTo(piece: number): void {
    if (this.#first === undefined) {
      this.#last = piece
      return
    }
    if (piece - this.#last >= this.#pieces.length) {
      // Nothing came for a whole window: it begins anew.
      this.#pieces.fill(0)
      this.#total = 0
      this.#first = piece
      this.#last = piece
      return
    }
    while (this.#last < piece) {
      this.#last++
      const at = this.#last % this.#pieces.length
      this.#total -= this.#pieces[at] ?? 0
      this.#pieces[at] = 0
    }
  }
}
