// Whether containerd asks the mirror at all, by what is seen: an image was pulled, and nothing was asked here for an hour before. Pure.

const windowMs = 3_600_000
/** A pull may have begun before we served. */
const patienceMs = 600_000

/** Times are of the clock's `elapsed()`. */
export class PullWitness {
  readonly #startMs: number
  #askedMs = Number.NEGATIVE_INFINITY
  #unasked: { readonly image: string; readonly atMs: number } | undefined

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  /** containerd asked for anything: whatever was wrong is over. */
  asked(nowMs: number): void {
    this.#askedMs = nowMs
    this.#unasked = undefined
  }

  /** An image has come from a registry. Returns whether it came past us, and none did before. */
  pulled(image: string, nowMs: number): boolean {
    if (nowMs - this.#startMs < patienceMs || nowMs - this.#askedMs <= windowMs) return false
    const isFirst = this.#unasked === undefined
    this.#unasked = { image, atMs: nowMs }
    return isFirst
  }

  /** The last image that came past us; `undefined` where containerd asks. */
  get unasked(): string | undefined {
    return this.#unasked?.image
  }
}
