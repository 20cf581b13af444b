// Which of several peers is asked first.
import type { Peer } from '../../contract.ts'

/** How peers are used now. */
interface PeerUse {
  /** Transfers under way from a peer, by its id. */
  readonly uses: ReadonlyMap<string, number>
  /** This node's zone where it counts; `undefined`: it does not. */
  readonly zone: string | undefined
}

/** The peer of the same zone, then the least used, then the one found first. @throws RangeError of none */
export function firstPeer(peers: readonly Peer[], { uses, zone }: PeerUse): Peer {
  const rank = (peer: Peer): number => (zone !== undefined && peer.zone === zone ? 0 : 1)
  const use = (peer: Peer): number => uses.get(peer.id) ?? 0
  let [best] = peers
  if (best === undefined) throw new RangeError('no peer to choose from')
  for (const peer of peers) {
    const difference = rank(peer) - rank(best) || use(peer) - use(best)
    if (difference < 0) best = peer
  }
  return best
}

/** Counts what is under way from each peer. */
export class PeerUses {
  readonly #uses = new Map<string, number>()

  get uses(): ReadonlyMap<string, number> {
    return this.#uses
  }

  /** Transfers from all peers together. */
  get total(): number {
    return this.#uses.values().reduce((sum, count) => sum + count, 0)
  }

  /** One more; the returned function ends it, once. */
  begin(peer: string): () => void {
    this.#uses.set(peer, (this.#uses.get(peer) ?? 0) + 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const left = (this.#uses.get(peer) ?? 1) - 1
      if (left === 0) this.#uses.delete(peer)
      else this.#uses.set(peer, left)
    }
  }
}
