// Whether a peer gives a carried body fast enough. Nobody here waits for its bytes, so a client that takes them slowly looks like a slow peer:
// a digest that was left twice comes as slowly as it likes.
import type { Clock } from '#kube/clock.ts'
import type { Digest } from '../../reference.ts'
import type { SlowPeers } from '../peers/slow-peers.ts'
import { isTooSlow, type SourceRates } from '../transfer/minimum-rate.ts'

interface Options {
  readonly rates: Pick<SourceRates, 'ended' | 'minimumRate'>
  readonly slow: Pick<SlowPeers, 'add' | 'left' | 'takesAny'>
  readonly clock: Clock
}

export class CarriedRates {
  readonly #options: Options
  #sharing = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** A body begins, which shares this node's link with the others; what it returns ends it. */
  begin(): () => void {
    this.#sharing++
    return () => {
      this.#sharing--
    }
  }

  /** `bytes`: the most that can have come. */
  isTooSlow(digest: Digest, so: { readonly elapsedMs: number; readonly bytes: number }): boolean {
    const { rates, slow, clock } = this.#options
    if (slow.takesAny(digest, clock.elapsed())) return false
    return isTooSlow({ ...so, minimumRate: rates.minimumRate({ sharing: this.#sharing }) })
  }

  left(digest: Digest, peer: string): void {
    const { slow, clock } = this.#options
    slow.add(peer, clock.elapsed())
    slow.left(digest, clock.elapsed())
  }

  finished(bytes: number, seconds: number): void {
    this.#options.rates.ended('peer', { bytes, elapsedMs: seconds * 1_000 })
  }
}
