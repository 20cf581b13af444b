// Bytes of bodies and answers that are under way, over all connections of all listeners: each is taken as it comes, and given back at its end.
import type { Clock } from '../../clock.ts'
import { FairShares } from './fair-shares.ts'

/** A body that has been coming for so long may give way: one that comes at once is not broken off for the next. */
const settledMs = 1_000
/** One that is so many times what the other peer has in all gives way at once. */
const muchLarger = 4

/** One body or answer. */
export interface Held extends Disposable {
  /** False: there is no room, and nothing was taken. */
  take(bytes: number): boolean
}

export class BodyBudget {
  readonly #shares: FairShares<{ readonly sinceMs: number; readonly giveWay: () => void }>
  readonly #clock: Clock

  constructor(bytes: number, clock: Clock) {
    this.#shares = new FairShares(bytes)
    this.#clock = clock
  }

  /** Bytes that are held now. */
  get used(): number {
    return this.#shares.used
  }

  /** `giveWay` is called when what is held is taken back in favour of a peer that holds less; it must let go of the bytes. */
  open(peer: string, giveWay: () => void): Held {
    const holder = { sinceMs: this.#clock.elapsed(), giveWay }
    return {
      take: bytes => {
        while (!this.#shares.fits(bytes)) {
          const nowMs = this.#clock.elapsed()
          const wanted = this.#shares.heldBy(peer) + bytes
          const displaced = this.#shares.displaced(peer, bytes, other => {
            const ageMs = nowMs - other.sinceMs
            return ageMs >= settledMs || this.#shares.amountOf(other) >= muchLarger * wanted ? ageMs : undefined
          })
          if (displaced === undefined || displaced === holder) return false
          this.#shares.release(displaced)
          displaced.giveWay()
        }
        this.#shares.take(holder, peer, bytes)
        return true
      },
      [Symbol.dispose]: () => this.#shares.release(holder),
    }
  }
}
