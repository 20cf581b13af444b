// Which peers a node knows: of each distance (shared leading bits of the place) at most k, those known longest.
import { compareDistance, type Place, placeOfPeer, sharedBits } from './keys.ts'

/** Peers of one distance, and copies of a record: Kademlia's k. */
export const bucketSize = 20

interface Entry {
  readonly id: string
  readonly place: Place
}

export class RoutingTable {
  readonly #own: Place
  readonly #entries = new Map<string, Entry>()
  /** Entries by shared bits. */
  readonly #counts = new Map<number, number>()

  constructor(own: Place) {
    this.#own = own
  }

  get size(): number {
    return this.#entries.size
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  ids(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** `full`: as many peers of its distance are known and alive; older ones stay, as Kademlia wants it. @throws Error where `id` is none. */
  add(id: string): 'added' | 'known' | 'full' {
    if (this.#entries.has(id)) return 'known'
    const place = placeOfPeer(id)
    const bits = sharedBits(this.#own, place)
    const count = this.#counts.get(bits) ?? 0
    if (count >= bucketSize) return 'full'
    this.#counts.set(bits, count + 1)
    this.#entries.set(id, { id, place })
    return 'added'
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    const bits = sharedBits(this.#own, entry.place)
    this.#counts.set(bits, (this.#counts.get(bits) ?? 1) - 1)
    return this.#entries.delete(id)
  }

  /** The nearest to `target`, nearest first. */
  nearest(target: Place, count: number = bucketSize): readonly string[] {
    return [...this.#entries.values()]
      .toSorted((left, right) => compareDistance(target, left.place, right.place))
      .slice(0, count)
      .map(({ id }) => id)
  }
}
