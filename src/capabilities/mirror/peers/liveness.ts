// Which peers are asked whether they are there, and which lost ones are tried again. Decisions only; the router asks.
import { LRUCache } from 'lru-cache'

/** A peer of the table that said nothing for so long is asked. */
const askedAfterMs = 10_000
/** How often that is looked at, and how many are asked then: the cost of a large cluster is bounded. */
export const checkEveryMs = 5_000
export const askedAtOnce = 8
/** A peer answered within this: the node is online. */
export const onlineMs = 30_000
const mostLost = 256
export const lostForMs = 3_600_000
const firstTryMs = 2_000
const longestTryMs = 60_000

/** Those to ask now: not heard for `askedAfterMs`, those unheard longest first. */
export function toAsk(peers: readonly string[], heardMs: (peer: string) => number | undefined, nowMs: number): readonly string[] {
  const since = (peer: string) => nowMs - (heardMs(peer) ?? Number.NEGATIVE_INFINITY)
  return peers
    .filter(peer => since(peer) >= askedAfterMs)
    .toSorted((left, right) => since(right) - since(left))
    .slice(0, askedAtOnce)
}

interface Lost {
  readonly sinceMs: number
  nextMs: number
  waitMs: number
}

/** Peers that no longer answer. They are tried for an hour: so a network that was split becomes one again without anybody's doing. */
export class LostPeers {
  readonly #lost = new LRUCache<string, Lost>({ max: mostLost })

  has(peer: string): boolean {
    return this.#lost.has(peer)
  }

  get size(): number {
    return this.#lost.size
  }

  add(peer: string, nowMs: number): void {
    if (this.#lost.has(peer)) return
    this.#lost.set(peer, { sinceMs: nowMs, nextMs: nowMs + firstTryMs, waitMs: firstTryMs })
  }

  remove(peer: string): boolean {
    return this.#lost.delete(peer)
  }

  /** Those to try now; each is tried later each time, at most every minute. */
  due(nowMs: number): readonly string[] {
    const found: string[] = []
    for (const [peer, lost] of [...this.#lost.entries()]) {
      if (nowMs - lost.sinceMs >= lostForMs) this.#lost.delete(peer)
      else if (lost.nextMs <= nowMs && found.length < askedAtOnce) {
        lost.waitMs = Math.min(longestTryMs, lost.waitMs * 2)
        lost.nextMs = nowMs + lost.waitMs
        found.push(peer)
      }
    }
    return found
  }
}
