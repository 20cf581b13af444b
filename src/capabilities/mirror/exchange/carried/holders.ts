// Peers that gave something of an image a moment ago: most likely they have the rest of it, and are asked for that without another look-up.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { Peer } from '../../contract.ts'
import type { PeerPlace } from '../peers/peer-client.ts'

/** Repositories, and peers of each, that are remembered, for so long after they gave something. */
const mostRepositories = 1_024
const mostPeers = 8
const rememberedMs = 60_000

/** A repository of a registry, as it was asked for. */
interface Named {
  readonly registry: string
  readonly repository: string
}

export interface Holder {
  readonly peer: Peer
  readonly place: PeerPlace
}

interface Remembered extends Holder {
  readonly untilMs: number
}

export class Holders {
  readonly #clock: Clock
  readonly #known = new LRUCache<string, Map<string, Remembered>>({ max: mostRepositories })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The peer gave something of it. */
  gave(named: Named, { peer, place }: Holder): void {
    const key = keyOf(named)
    const peers = this.#known.get(key) ?? new Map<string, Remembered>()
    peers.delete(peer.id)
    peers.set(peer.id, { peer, place, untilMs: this.#clock.elapsed() + rememberedMs })
    for (const oldest of peers.keys()) {
      if (peers.size <= mostPeers) break
      peers.delete(oldest)
    }
    this.#known.set(key, peers)
  }

  /** The peer did not give something of it. */
  lacks(named: Named, peer: string): void {
    this.#known.get(keyOf(named))?.delete(peer)
  }

  /** Those that may be asked, the latest first. */
  of(named: Named): readonly Holder[] {
    const nowMs = this.#clock.elapsed()
    return [...(this.#known.get(keyOf(named))?.values() ?? [])].filter(({ untilMs }) => untilMs > nowMs).toReversed()
  }
}

const keyOf = ({ registry, repository }: Named): string => `${registry}/${repository}`
