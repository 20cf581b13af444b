// Bodies that the data plane brought from peers: nobody here saw their bytes. What is known of each digest says whom to ask next: who gave
// bytes that containerd may have refused, who broke off, who was too slow.
import type { Clock } from '#kube/clock.ts'
import type { CarriedBody, MirrorCounts, Peer } from '../../contract.ts'
import type { Digest } from '../../reference.ts'
import { Breaks } from '../peers/breaks.ts'
import type { PeerPlace } from '../peers/peer-client.ts'
import type { CarriedRates } from './carried-rates.ts'
import type { Holders } from './holders.ts'

/** Digests that are remembered, and for how long after the last body of one. */
const mostDigests = 10_000
const rememberedMs = 600_000

interface Known {
  /** Peers that gave bytes of it, by id. */
  readonly givers: Map<string, Peer>
  readonly breaks: Breaks
  /** The last byte was given. */
  isWhole: boolean
  /** A body of it ended before its end, or goes on. */
  isBroken: boolean
  untilMs: number
}

interface Options {
  readonly clock: Clock
  readonly counts: Pick<MirrorCounts, 'served' | 'stalled' | 'resumed'>
  /** Begins to count a peer as busy; what it returns ends that. */
  readonly begin: (peer: string) => () => void
  readonly rates: CarriedRates
  readonly holders: Holders
}

/** A body as it begins. */
interface Begun {
  readonly digest: Digest
  readonly registry: string
  readonly peer: Peer
  readonly repository: string
  readonly place: PeerPlace
  /** First byte; undefined: the first of the last so many. */
  readonly start: number | undefined
  /** All bytes from `start` on are asked for. */
  readonly isToEnd: boolean
  /** It is for containerd, which keeps what is right. */
  readonly isContainerd: boolean
}

export class CarriedBodies {
  readonly #options: Options
  readonly #known = new Map<Digest, Known>()
  readonly #holders: Holders

  constructor(options: Options) {
    this.#options = options
    this.#holders = options.holders
  }

  /** Peers that are asked last, since they broke off. */
  breaks(digest: Digest): Breaks | undefined {
    return this.#live(digest)?.breaks
  }

  /** Peers that gave all of it between them, though containerd asks again: one of them may have given wrong bytes. */
  suspects(digest: Digest): readonly Peer[] {
    const known = this.#live(digest)
    return known?.isWhole === true ? [...known.givers.values()] : []
  }

  /** Its bytes were checked, or their givers dealt with: nobody is suspected any more. */
  cleared(digest: Digest): void {
    this.#known.delete(digest)
  }

  begin({ digest, registry, repository, peer, place, start, isToEnd, isContainerd }: Begun): CarriedBody {
    const { counts, rates } = this.#options
    const idle = this.#options.begin(peer.id)
    const apart = rates.begin()
    const known = this.#of(digest)
    if (start === 0) {
      known.givers.clear()
      known.isWhole = false
    } else if (known.isBroken) counts.resumed()
    known.givers.set(peer.id, peer)
    known.isBroken = true
    let isLeft = false
    return {
      isTooSlow: so => rates.isTooSlow(digest, so),
      left: () => {
        isLeft = true
        counts.stalled()
        rates.left(digest, peer.id)
      },
      ended: ({ sent, status, isComplete, seconds, isUnknown }) => {
        idle()
        apart()
        counts.served(registry, 'peer', 'in', sent)
        known.untilMs = this.#options.clock.elapsed() + rememberedMs
        // It begins beyond the end: the peer has done what it could. All of it never does, so who says that of it does not give it.
        if (status === 416 && start !== undefined && start > 0) return
        // What carried it ended for another's sake: this peer is not at fault.
        if (isUnknown === true && !isLeft) return
        if (isComplete) {
          rates.finished(sent, seconds)
          known.isBroken = false
          known.isWhole = isContainerd && start !== undefined && isToEnd
          this.#holders.gave({ registry, repository }, { peer, place })
        } else {
          known.breaks.broke(peer, isLeft ? 0 : sent)
          this.#holders.lacks({ registry, repository }, peer.id)
        }
      },
    }
  }

  #of(digest: Digest): Known {
    const untilMs = this.#options.clock.elapsed() + rememberedMs
    const known = this.#live(digest) ?? {
      givers: new Map<string, Peer>(),
      breaks: new Breaks(),
      isWhole: false,
      isBroken: false,
      untilMs,
    }
    known.untilMs = untilMs
    this.#known.delete(digest)
    this.#known.set(digest, known)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostDigests) break
      this.#known.delete(oldest)
    }
    return known
  }

  #live(digest: Digest): Known | undefined {
    const known = this.#known.get(digest)
    if (known !== undefined && known.untilMs > this.#options.clock.elapsed()) return known
    this.#known.delete(digest)
    return undefined
  }
}
