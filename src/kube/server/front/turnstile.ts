// What strangers send is worked off in small portions, a peer after the other, with a look at all else between two portions.

/**
 * Sixteen in one turn of the loop: each is a handshake, which takes up to a millisecond of CPU, or 64 KiB that were read. Nobody waits
 * longer than that for the first of his own.
 */
const standardEachTurn = 16

export class Turnstile {
  readonly #eachTurn: number
  readonly #waiting = new Map<string, (() => boolean)[]>()
  #left: number
  #isTurning = false

  constructor(eachTurn = standardEachTurn) {
    this.#eachTurn = eachTurn
    this.#left = eachTurn
  }

  /**
   * Runs `portion` at once where this turn still has room, else in one that follows. It yields false where there was nothing left to do.
   * Among those of one peer `isNew` portions come first, the newest of them before all: the oldest of a flood may be gone already.
   */
  pass(peer: string, portion: () => boolean, isNew: boolean): void {
    if (this.#left > 0 && this.#waiting.size === 0) {
      if (portion()) this.#left--
    } else {
      const queue = this.#waiting.get(peer) ?? []
      this.#waiting.set(peer, queue)
      if (isNew) queue.push(portion)
      else queue.unshift(portion)
    }
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#left = this.#eachTurn
    for (const [peer, queue] of this.#waiting) {
      if (this.#left === 0) break
      this.#waiting.delete(peer)
      const portion = queue.pop()
      if (queue.length > 0) this.#waiting.set(peer, queue)
      if (portion?.() === true) this.#left--
    }
    this.#isTurning = this.#left < this.#eachTurn || this.#waiting.size > 0
    if (this.#isTurning) setImmediate(() => this.#turn())
  }
}
