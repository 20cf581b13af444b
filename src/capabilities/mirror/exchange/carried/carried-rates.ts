// Whether a peer gives a carried body fast enough. Nobody here waits for its bytes, so a client that takes them slowly looks like a slow peer:
// a digest that was left twice comes as slowly as it likes.
import { LRUCache } from 'lru-cache'
import type { Digest } from '../../reference.ts'

/** So often peers of one digest are left for their slowness. */
const mostLeft = 2
const mostDigests = 1_024
/** Less says how soon the first bytes come, not how fast the rest. */
const graceMs = 3_000

interface Rates {
  /** Bytes a second below which a source is left; `sharing`: bodies that come at a time. */
  minimumRate(of: { readonly sharing: number }): number
  ended(kind: 'peer', brought: { readonly bytes: number; readonly elapsedMs: number }): void
}

export class CarriedRates {
  readonly #rates: Rates
  readonly #left = new LRUCache<Digest, number>({ max: mostDigests })
  #sharing = 0

  constructor(rates: Rates) {
    this.#rates = rates
  }

  /** A body begins; what it returns ends it. */
  begin(): () => void {
    this.#sharing++
    return () => {
      this.#sharing--
    }
  }

  isTooSlow(digest: Digest, { elapsedMs, bytes }: { readonly elapsedMs: number; readonly bytes: number }): boolean {
    if (elapsedMs < graceMs || (this.#left.get(digest) ?? 0) >= mostLeft) return false
    return bytes * 1_000 < this.#rates.minimumRate({ sharing: this.#sharing }) * elapsedMs
  }

  left(digest: Digest): void {
    this.#left.set(digest, (this.#left.get(digest) ?? 0) + 1)
  }

  finished(bytes: number, seconds: number): void {
    this.#rates.ended('peer', { bytes, elapsedMs: seconds * 1_000 })
  }
}
