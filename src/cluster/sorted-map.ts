// Maps in order of their keys that share what did not change: an editor changes one, and hands out what it is at a moment for the
// price of what changed since the last time. 150,000 entries are chunks of some hundred; a change copies the one chunk it falls into.

interface Chunk<V extends object> {
  /** The editor's edition in which it was made: later ones copy it before they change it. */
  readonly edition: number
  readonly keys: string[]
  readonly values: V[]
}

/** Entries of a full chunk: small enough to copy for one change, large enough that there are few. */
const chunkSize = 256

/** An immutable map in ascending order of its keys (by UTF-16 code units, as `<` compares). */
export class SortedMap<V extends object> implements ReadonlyMap<string, V> {
  readonly size: number
  readonly #chunks: readonly Chunk<V>[]
  #list: readonly V[] | undefined

  /** Made by `SortedMapEditor.snapshot`, which never changes these chunks again. */
  constructor(chunks: readonly Chunk<V>[], size: number) {
    this.#chunks = chunks
    this.size = size
  }

  get(key: string): V | undefined {
    return found(this.#chunks, key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this)
  }

  *entries(): Generator<[string, V], undefined> {
    for (const { keys, values } of this.#chunks) {
      for (const [at, key] of keys.entries()) {
        const value = values[at]
        if (value !== undefined) yield [key, value]
      }
    }
  }

  *keys(): Generator<string, undefined> {
    for (const { keys } of this.#chunks) yield* keys
  }

  *values(): Generator<V, undefined> {
    for (const { values } of this.#chunks) yield* values
  }

  [Symbol.iterator](): Generator<[string, V], undefined> {
    return this.entries()
  }

  /** All values in order of their keys; made once. */
  list(): readonly V[] {
    this.#list ??= this.#chunks.flatMap(({ values }) => values)
    return this.#list
  }

  /** The values whose keys begin with `prefix`, in order. Costs what there is to find. */
  *under(prefix: string): Generator<V, undefined> {
    let at = chunkFor(this.#chunks, prefix)
    for (let chunk = this.#chunks[at]; chunk !== undefined; chunk = this.#chunks[++at]) {
      for (let place = placeIn(chunk.keys, prefix); place < chunk.keys.length; place++) {
        const value = chunk.values[place]
        if (value === undefined || chunk.keys[place]?.startsWith(prefix) !== true) return
        yield value
      }
    }
  }
}

/** The one who changes a sorted map. What it handed out stays as it was. */
export class SortedMapEditor<V extends object> {
  #chunks: Chunk<V>[] = []
  #size = 0
  #edition = 0
  #snapshot: SortedMap<V> | undefined

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    return found(this.#chunks, key)
  }

  set(key: string, value: V): void {
    const index = chunkFor(this.#chunks, key)
    const known = this.#chunks[index]
    if (known === undefined) {
      this.#own()
      this.#chunks.push({ edition: this.#edition, keys: [key], values: [value] })
      this.#size++
      return
    }
    const at = placeIn(known.keys, key)
    const isKnown = known.keys[at] === key
    if (isKnown && known.values[at] === value) return
    const chunk = this.#owned(index, known)
    if (isKnown) {
      chunk.values[at] = value
      return
    }
    chunk.keys.splice(at, 0, key)
    chunk.values.splice(at, 0, value)
    this.#size++
    if (chunk.keys.length > chunkSize) this.#split(index, chunk)
  }

  delete(key: string): void {
    const index = chunkFor(this.#chunks, key)
    const known = this.#chunks[index]
    if (known === undefined) return
    const at = placeIn(known.keys, key)
    if (known.keys[at] !== key) return
    const chunk = this.#owned(index, known)
    chunk.keys.splice(at, 1)
    chunk.values.splice(at, 1)
    this.#size--
    if (chunk.keys.length === 0) this.#chunks.splice(index, 1)
    else this.#joinWithNext(index, chunk)
  }

  /** The map as it is now; the same value until something changes. */
  snapshot(): SortedMap<V> {
    if (this.#snapshot === undefined) {
      this.#snapshot = new SortedMap(this.#chunks, this.#size)
      this.#edition++
    }
    return this.#snapshot
  }

  /** Makes the list of chunks one that nobody else has. */
  #own(): void {
    if (this.#snapshot === undefined) return
    this.#chunks = this.#chunks.slice()
    this.#snapshot = undefined
  }

  #owned(index: number, chunk: Chunk<V>): Chunk<V> {
    this.#own()
    if (chunk.edition === this.#edition) return chunk
    const copy = { edition: this.#edition, keys: chunk.keys.slice(), values: chunk.values.slice() }
    this.#chunks[index] = copy
    return copy
  }

  /** In halves; what grows at its end leaves full chunks behind. */
  #split(index: number, { keys, values }: Chunk<V>): void {
    const at = index === this.#chunks.length - 1 ? chunkSize - chunkSize / 8 : chunkSize / 2
    this.#chunks.splice(index + 1, 0, { edition: this.#edition, keys: keys.splice(at), values: values.splice(at) })
  }

  #joinWithNext(index: number, chunk: Chunk<V>): void {
    const next = this.#chunks[index + 1]
    if (next === undefined || chunk.keys.length + next.keys.length > chunkSize / 2) return
    chunk.keys.push(...next.keys)
    chunk.values.push(...next.values)
    this.#chunks.splice(index + 1, 1)
  }
}

function found<V extends object>(chunks: readonly Chunk<V>[], key: string): V | undefined {
  const chunk = chunks[chunkFor(chunks, key)]
  if (chunk === undefined) return undefined
  const at = placeIn(chunk.keys, key)
  return chunk.keys[at] === key ? chunk.values[at] : undefined
}

/** The index of the chunk in which `key` is or would be: the last that begins at or before it, else the first. */
function chunkFor<V extends object>(chunks: readonly Chunk<V>[], key: string): number {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const first = chunks[middle]?.keys[0]
    if (first !== undefined && first <= key) low = middle + 1
    else high = middle
  }
  return low === 0 ? 0 : low - 1
}

/** The place of `key`, or of the first key after it. */
function placeIn(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const known = keys[middle]
    if (known !== undefined && known < key) low = middle + 1
    else high = middle
  }
  return low
}
