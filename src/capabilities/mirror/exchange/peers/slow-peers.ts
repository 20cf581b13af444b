// Peers that were left because they were slow, and digests that slow peers alone have. Pure: time comes as an argument.
import { LRUCache } from 'lru-cache'
import type { Digest } from '../../reference.ts'

/** A peer that was slow is not asked for so long, where somebody else may be. */
export const slowMs = 60_000
const mostPeers = 1_024
/** So often a digest is left to the registry because those that have it are slow. */
export const mostTimesLeft = 2
/** Requests for one digest that come together are left to it together. */
export const togetherMs = 5_000
const mostDigests = 1_024
/** After so long without a request it is forgotten that a digest was left. */
export const leftMs = 600_000

interface Left {
  readonly times: number
  readonly sinceMs: number
}

/**
 * Guarantees: a digest is left to the registry at most twice, so a slow peer is never worse than none where there is no registry; what is kept
 * has a bound.
 */
export class SlowPeers {
  readonly #untilMs = new LRUCache<string, number>({ max: mostPeers })
  readonly #left = new LRUCache<Digest, Left>({ max: mostDigests })

  /** How many are remembered, over or not. */
  get size(): number {
    return this.#untilMs.size
  }

  /** It sent so slowly that it was left. */
  add(peer: string, nowMs: number): void {
    this.#untilMs.set(peer, nowMs + slowMs)
  }

  has(peer: string, nowMs: number): boolean {
    return (this.#untilMs.get(peer) ?? Number.NEGATIVE_INFINITY) > nowMs
  }

  /** Only slow peers have it: it is left to the registry. */
  left(digest: Digest, nowMs: number): void {
    const known = this.#known(digest, nowMs)
    if (known === undefined) this.#left.set(digest, { times: 1, sinceMs: nowMs })
    else if (nowMs - known.sinceMs >= togetherMs) this.#left.set(digest, { times: known.times + 1, sinceMs: nowMs })
  }

  /** Whether it is taken however slowly it comes: the registry had its turns, so what is slow is this node, or all there is. */
  takesAny(digest: Digest, nowMs: number): boolean {
    const known = this.#known(digest, nowMs)
    return known !== undefined && known.times >= mostTimesLeft && nowMs - known.sinceMs >= togetherMs
  }

  #known(digest: Digest, nowMs: number): Left | undefined {
    const known = this.#left.get(digest)
    return known === undefined || nowMs - known.sinceMs >= leftMs ? undefined : known
  }
}
