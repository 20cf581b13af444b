// Peers that broke off in the middle of a body: which are asked again, last, and which no more.
import type { Peer } from '../../contract.ts'

/** A peer that broke so often in a row without a new byte is dropped. */
const emptyTries = 3

export class Breaks {
  readonly #empty = new Map<string, number>()
  readonly #peers = new Map<string, Peer>()

  /** @param bytes that came since it was asked */
  broke(peer: Peer, bytes: number): void {
    this.#peers.delete(peer.id)
    this.#peers.set(peer.id, peer)
    this.#empty.set(peer.id, bytes > 0 ? 0 : (this.#empty.get(peer.id) ?? 0) + 1)
  }

  /** Asked again when nobody else is left, in the order in which they broke. */
  get broken(): readonly Peer[] {
    return [...this.#peers.values()].filter(({ id }) => !this.#isDropped(id))
  }

  get size(): number {
    return this.#peers.size
  }

  /** Whether it broke: it is not to be taken for one that was just found. */
  has(peer: string): boolean {
    return this.#peers.has(peer)
  }

  #isDropped(id: string): boolean {
    return (this.#empty.get(id) ?? 0) >= emptyTries
  }
}
