// A map that is forked often and changed little after that: a fork costs what was changed since the last one, and not what is in it.

/** Above what part of what lies below a layer is merged down. */
const mergedFrom = 1 / 8

interface Layer<V extends object> {
  /** `undefined`: gone. */
  readonly entries: ReadonlyMap<string, V | undefined>
  readonly below: Layer<V> | undefined
  readonly depth: number
}

/** Layers that one look-up goes through at most. */
const layersKept = 6

/** Guarantees: a fork has what this one has, and neither sees what the other changes from then on. */
export class LayeredMap<V extends object> {
  #below: Layer<V> | undefined
  #own = new Map<string, V | undefined>()

  get(key: string): V | undefined {
    if (this.#own.has(key)) return this.#own.get(key)
    for (let layer = this.#below; layer !== undefined; layer = layer.below) {
      const found = layer.entries.get(key)
      if (found !== undefined || layer.entries.has(key)) return found
    }
    return undefined
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  set(key: string, value: V): void {
    this.#own.set(key, value)
  }

  delete(key: string): void {
    if (this.#below === undefined) this.#own.delete(key)
    else this.#own.set(key, undefined)
  }

  fork(): LayeredMap<V> {
    if (this.#own.size > 0) {
      this.#below = pushed(this.#below, this.#own)
      this.#own = new Map()
    }
    const fork = new LayeredMap<V>()
    fork.#below = this.#below
    return fork
  }
}

/** `entries` above `below`, merged with what is not much larger, and with everything where it is too deep. */
function pushed<V extends object>(below: Layer<V> | undefined, entries: ReadonlyMap<string, V | undefined>): Layer<V> {
  let top = entries
  let rest = below
  const isDeep = (below?.depth ?? 0) >= layersKept
  while (rest !== undefined && (isDeep || top.size > rest.entries.size * mergedFrom)) {
    const merged = new Map(rest.entries)
    for (const [key, value] of top) {
      if (value === undefined && rest.below === undefined) merged.delete(key)
      else merged.set(key, value)
    }
    top = merged
    rest = rest.below
  }
  return { entries: top, below: rest, depth: (rest?.depth ?? 0) + 1 }
}
