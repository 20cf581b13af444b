// Objects of one resource in the order of their keys. Snapshots cost nothing: what is changed after one is copied first, a few hundred
// objects at a time.
import type { KubeObject } from '#kube/objects/objects.ts'

/** A chunk of this size is split in two. */
const mostInChunk = 512

interface Chunk {
  readonly keys: string[]
  readonly objects: KubeObject[]
  /** Which edition may change it in place. */
  readonly edition: object
}

/** Keys below each other by UTF-16 units: for the names of Kubernetes that is the order of their bytes. */
export function byteOrder(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** A place between keys. */
interface Place {
  readonly chunk: number
  readonly index: number
}

/** Objects as they were at one time; they do not change any more. */
export class ObjectsSnapshot {
  readonly #chunks: readonly Chunk[]
  readonly size: number

  constructor(chunks: readonly Chunk[], size: number) {
    this.#chunks = chunks
    this.size = size
  }

  get(key: string): KubeObject | undefined {
    const { chunk, index } = placeOf(this.#chunks, key)
    const found = this.#chunks[chunk]
    return found?.keys[index] === key ? found.objects[index] : undefined
  }

  /** Those whose key starts with `prefix`, in order, from behind `after`. */
  *objects(prefix = '', after?: string): Generator<KubeObject, void, undefined> {
    const start = after === undefined || after < prefix ? prefix : `${after}\u0000`
    const place = placeOf(this.#chunks, start)
    let { index } = place
    for (let number = place.chunk; number < this.#chunks.length; number++) {
      const chunk = this.#chunks[number]
      if (chunk === undefined) return
      for (; index < chunk.keys.length; index++) {
        if (prefix !== '' && chunk.keys[index]?.startsWith(prefix) !== true) return
        const object = chunk.objects[index]
        if (object !== undefined) yield object
      }
      index = 0
    }
  }

  /** How many keys start with `prefix` and come behind `after`. */
  count(prefix = '', after?: string): number {
    const start = after === undefined || after < prefix ? prefix : `${after}\u0000`
    const end = prefix === '' ? this.size : this.#before(`${prefix}\uffff`)
    return Math.max(0, end - this.#before(start))
  }

  /** The same objects as something that can be changed. */
  fork(): OrderedObjects {
    return new OrderedObjects(this.#chunks, this.size)
  }

  #before(key: string): number {
    const { chunk, index } = placeOf(this.#chunks, key)
    let sum = index
    for (let number = 0; number < chunk; number++) sum += this.#chunks[number]?.keys.length ?? 0
    return sum
  }
}

/** The objects as they are now. */
export class OrderedObjects {
  #chunks: Chunk[]
  #size: number
  /** What was made in this edition is in no snapshot. */
  #edition: object = {}
  #snapshot: ObjectsSnapshot | undefined
  #all: readonly KubeObject[] | undefined

  constructor(chunks: readonly Chunk[] = [], size = 0) {
    this.#chunks = [...chunks]
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  set(key: string, object: KubeObject): void {
    const { place, chunk } = this.#writable(key)
    if (chunk.keys[place.index] === key) {
      chunk.objects[place.index] = object
      return
    }
    chunk.keys.splice(place.index, 0, key)
    chunk.objects.splice(place.index, 0, object)
    this.#size++
    if (chunk.keys.length > mostInChunk) this.#split(place, chunk)
  }

  delete(key: string): void {
    const found = placeOf(this.#chunks, key)
    if (this.#chunks[found.chunk]?.keys[found.index] !== key) return
    const { place, chunk } = this.#writable(key)
    chunk.keys.splice(place.index, 1)
    chunk.objects.splice(place.index, 1)
    this.#size--
    if (chunk.keys.length === 0) this.#chunks.splice(place.chunk, 1)
  }

  /** As they are now, whatever comes after. */
  snapshot(): ObjectsSnapshot {
    if (this.#snapshot === undefined) {
      this.#snapshot = new ObjectsSnapshot(this.#chunks, this.#size)
      this.#edition = {}
    }
    return this.#snapshot
  }

  /** All of them in order; the same array until something changes. */
  all(): readonly KubeObject[] {
    if (this.#all === undefined) {
      const all: KubeObject[] = []
      for (const { objects } of this.#chunks) for (const object of objects) all.push(object)
      this.#all = all
    }
    return this.#all
  }

  /** Those whose key starts with `prefix`, in order. No snapshot is taken, so that the next change need not copy anything. */
  startingWith(prefix: string): readonly KubeObject[] {
    const found: KubeObject[] = []
    let { chunk, index } = placeOf(this.#chunks, prefix)
    for (; chunk < this.#chunks.length; chunk++, index = 0) {
      const { keys = [], objects = [] } = this.#chunks[chunk] ?? {}
      for (; index < keys.length; index++) {
        const object = objects[index]
        if (object === undefined || keys[index]?.startsWith(prefix) !== true) return found
        found.push(object)
      }
    }
    return found
  }

  /** The chunk in which `key` is or belongs, to be changed. */
  #writable(key: string): { readonly place: Place; readonly chunk: Chunk } {
    this.#all = undefined
    if (this.#snapshot !== undefined) {
      this.#snapshot = undefined
      this.#chunks = [...this.#chunks]
    }
    let place = placeOf(this.#chunks, key)
    // Behind the last key: bulk loads come in order.
    if (place.chunk === this.#chunks.length && place.chunk > 0) {
      const last = place.chunk - 1
      place = { chunk: last, index: this.#chunks[last]?.keys.length ?? 0 }
    }
    const found = this.#chunks[place.chunk]
    if (found?.edition === this.#edition) return { place, chunk: found }
    const chunk: Chunk = { keys: [...(found?.keys ?? [])], objects: [...(found?.objects ?? [])], edition: this.#edition }
    this.#chunks[place.chunk] = chunk
    return { place, chunk }
  }

  /** At the end of all, a full chunk stays full: what follows begins a new one. */
  #split({ chunk: number }: Place, chunk: Chunk): void {
    const isLast = number === this.#chunks.length - 1
    const at = isLast ? chunk.keys.length - 1 : chunk.keys.length >> 1
    this.#chunks.splice(number + 1, 0, {
      keys: chunk.keys.splice(at),
      objects: chunk.objects.splice(at),
      edition: this.#edition,
    })
  }
}

/** The first place whose key is not below `key`; behind the last chunk when there is none. */
function placeOf(chunks: readonly Chunk[], key: string): Place {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >> 1
    const last = chunks[middle]?.keys.at(-1)
    if (last !== undefined && last < key) low = middle + 1
    else high = middle
  }
  const keys = chunks[low]?.keys
  if (keys === undefined) return { chunk: low, index: 0 }
  let first = 0
  let end = keys.length
  while (first < end) {
    const middle = (first + end) >> 1
    if ((keys[middle] ?? '') < key) first = middle + 1
    else end = middle
  }
  return { chunk: low, index: first }
}
