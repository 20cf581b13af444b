// A binary heap: the first of many, where many come and go.

export class Heap<T> {
  readonly #isBefore: (one: T, other: T) => boolean
  readonly #items: T[] = []

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore
  }

  /** The first; `undefined` where there is none. */
  get top(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    let at = this.#items.push(item) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#items[above]
      if (parent === undefined || !this.#isBefore(item, parent)) break
      this.#items[at] = parent
      at = above
    }
    this.#items[at] = item
  }

  /** Takes the first away. */
  pop(): T | undefined {
    const [top] = this.#items
    const last = this.#items.pop()
    if (last !== undefined && this.#items.length > 0) this.#sink(last)
    return top
  }

  /** Puts `item` where the first was, and below what is before it. */
  #sink(item: T): void {
    let at = 0
    for (;;) {
      const left = at * 2 + 1
      const [one, other] = [this.#items[left], this.#items[left + 1]]
      if (one === undefined) break
      const isOther = other !== undefined && this.#isBefore(other, one)
      const child = isOther ? other : one
      if (!this.#isBefore(child, item)) break
      this.#items[at] = child
      at = isOther ? left + 1 : left
    }
    this.#items[at] = item
  }
}
