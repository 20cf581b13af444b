// Memory for bodies on their way: pieces of one size that are used again, outside of the heap. A buffer made anew for each read would have the
// collector run all the time under a small heap.

/** Bytes of a slab. Larger ones save nothing that can be measured, smaller ones cost more calls. */
export const slabBytes = 262_144
/** Slabs that are kept while nobody needs them. */
const mostIdle = 16

const idle: Buffer[] = []

/** Memory of `slabBytes`, with whatever was in it. How many are out at a time is bounded by those who take them. */
export function takeMemory(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(slabBytes)
}

/** Each only once, and only when nothing reads from it or writes to it any more. */
export function giveMemory(memory: Buffer): void {
  if (idle.length < mostIdle) idle.push(memory)
}

/** Memory that several may hold; it is used again when the last of them has let go of it. */
export class Slab {
  readonly #free: (memory: Buffer) => void
  readonly #memory: Buffer
  #holders = 1

  /** Held once, by whoever made it. */
  constructor(memory: Buffer, free: (memory: Buffer) => void) {
    this.#memory = memory
    this.#free = free
  }

  get memory(): Buffer {
    return this.#memory
  }

  hold(): void {
    if (this.#holders === 0) throw new Error('a slab that was let go of')
    this.#holders++
  }

  release(): void {
    if (this.#holders === 0) throw new Error('a slab is let go of twice')
    if (--this.#holders === 0) this.#free(this.#memory)
  }
}

/** Slabs of one transfer: at most so many at a time. */
export class Slabs implements Disposable {
  #most: number
  readonly #onEmpty: () => void
  #out = 0
  #isClosed = false
  /** Told when one has come back. */
  onRoom: (() => void) | undefined

  /** @param onEmpty it was disposed of, and the last slab has come back; once */
  constructor(most: number, onEmpty: () => void = () => undefined) {
    this.#most = most
    this.#onEmpty = onEmpty
  }

  get hasRoom(): boolean {
    return this.#out < this.#most && !this.#isClosed
  }

  /** One more from now on, up to `limit`. Yields whether it is so. */
  grow(limit: number): boolean {
    if (this.#most >= limit) return false
    this.#most++
    this.onRoom?.()
    return true
  }

  /** Held once; `undefined` where all are out. */
  take(): Slab | undefined {
    if (!this.hasRoom) return undefined
    this.#out++
    return new Slab(takeMemory(), memory => {
      giveMemory(memory)
      this.#out--
      if (this.#isClosed && this.#out === 0) this.#onEmpty()
      this.onRoom?.()
    })
  }

  /** No more are taken; those that are out come back when their holders are done. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onRoom = undefined
    if (this.#out === 0) this.#onEmpty()
  }
}
