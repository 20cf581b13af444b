// Tells the peers nearest to each key who has it: many keys to one peer in one go, so that thousands of keys cost seconds.

import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type Address, addressBytes } from './address.ts'
import { asMultihash, bytesOf, bytesOfPeer, compareDistance, type Place, placeOf, placeOfPeer, sharedBits } from './keys.ts'
import { encodeMessage, messageTypes } from './message.ts'
import { bucketSize, type RoutingTable } from './routing-table.ts'

/** Peers that are told at once. */
const toldAtOnce = 4
/** Messages in one piece that is sent. */
export const batchLength = 128

interface AnnouncerOptions {
  readonly own: string
  readonly ownAddresses: () => readonly Address[]
  readonly table: RoutingTable
  readonly isOurs: (peer: string) => boolean
  /** Peers near to a place, nearest first, found by asking. */
  readonly explore: (multihash: Uint8Array, signal: AbortSignal) => Promise<readonly string[]>
  readonly tell: (peer: string, batches: Iterable<Uint8Array>, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** What is told of keys: for good; for so many seconds; no longer. The last two only to ours: others would keep it for 19 min. */
interface Telling {
  readonly digests: readonly string[]
  readonly validSeconds: number | undefined
}

export class Announcer {
  readonly #options: AnnouncerOptions

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** Resolves when all peers that can be reached were told. Peers that fail are logged: they are told again with the next round. */
  async tellNearest(telling: Telling, signal: AbortSignal): Promise<void> {
    const plan = await this.#plan(telling, signal)
    const peers = [...plan.keys()]
    const worker = async () => {
      for (let peer = peers.shift(); peer !== undefined && !signal.aborted; peer = peers.shift()) {
        await this.#tellOne(peer, plan.get(peer) ?? [], telling.validSeconds, signal)
      }
    }
    await Promise.all(Array.from({ length: toldAtOnce }, worker))
  }

  /** Tells a peer that came of those keys that it is near to. */
  async tellNew(peer: string, digests: readonly string[], signal: AbortSignal): Promise<void> {
    const { table, clock } = this.#options
    const pause = breather(clock)
    const near: string[] = []
    for (const digest of digests) {
      if (table.size <= bucketSize || table.nearest(placeOfDigest(digest)).includes(peer)) near.push(digest)
      await pause()
    }
    await this.#tellOne(peer, near, undefined, signal)
  }

  async #tellOne(peer: string, digests: readonly string[], validSeconds: number | undefined, signal: AbortSignal): Promise<void> {
    if (digests.length === 0) return
    try {
      await this.#options.tell(peer, this.#batches(digests, validSeconds), signal)
    } catch (error) {
      if (!signal.aborted)
        this.#options.log.debug({ peer, keys: digests.length, error: messageOf(error) }, 'could not announce to a peer')
    }
  }

  *#batches(digests: readonly string[], validSeconds: number | undefined): Generator<Uint8Array> {
    const { own, ownAddresses } = this.#options
    const providers = [{ id: bytesOfPeer(own), addresses: ownAddresses().map(addressBytes) }]
    for (let start = 0; start < digests.length; start += batchLength) {
      const frames = digests
        .slice(start, start + batchLength)
        .map(digest =>
          encodeMessage({ type: messageTypes.addProvider, key: asMultihash(bytesOf(digest)), providers, validSeconds }),
        )
      yield Buffer.concat(frames)
    }
  }

  /** Keys by the peers that are to hold them. */
  async #plan({ digests, validSeconds }: Telling, signal: AbortSignal): Promise<Map<string, string[]>> {
    const { table, isOurs, explore, clock } = this.#options
    const pause = breather(clock)
    const plan = new Map<string, string[]>()
    const assign = (digest: string, peers: readonly string[]) => {
      for (const peer of peers) {
        if (validSeconds !== undefined && !isOurs(peer)) continue
        const list = plan.get(peer)
        if (list === undefined) plan.set(peer, [digest])
        else list.push(digest)
      }
    }
    // While everybody is known, everybody is among the nearest of every key.
    if (table.size < bucketSize) {
      const all = table.ids()
      for (const digest of digests) assign(digest, all)
      return plan
    }
    const placed = digests
      .map(digest => ({ digest, place: placeOfDigest(digest) }))
      .toSorted((left, right) => Buffer.compare(left.place, right.place))
    for (let at = 0; at < placed.length && !signal.aborted; ) {
      const first = placed[at]
      if (first === undefined) break
      const near = (await explore(asMultihash(bytesOf(first.digest)), signal)).map(id => ({ id, place: placeOfPeer(id) }))
      const farthest = near.slice(0, bucketSize).at(-1)
      // A peer that shares one bit more with the first key than the farthest of its nearest does is known already.
      const bits = farthest === undefined ? 0 : sharedBits(first.place, farthest.place) + 1
      for (
        let entry = placed[at];
        entry !== undefined && (entry === first || sharedBits(first.place, entry.place) >= bits);
        entry = placed[at]
      ) {
        const { digest, place } = entry
        const nearest = near.toSorted((left, right) => compareDistance(place, left.place, right.place)).slice(0, bucketSize)
        assign(
          digest,
          nearest.map(({ id }) => id),
        )
        at++
        await pause()
      }
    }
    return plan
  }
}

const placeOfDigest = (digest: string): Place => placeOf(asMultihash(bytesOf(digest)))
