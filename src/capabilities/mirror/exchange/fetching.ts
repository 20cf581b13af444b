// What fetching manifests and blobs has in common: finding who has it, reading it whole, and what a mismatch leads to.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { MirrorCounts, NotFound } from '../contract.ts'
import type { Digest } from '../reference.ts'
import { Slabs } from '../slabs.ts'
import type { Holders } from './carried/holders.ts'
import type { PeerAnswer, PeerRequest } from './peers/peer-client.ts'
import type { SlowPeers } from './peers/slow-peers.ts'
import type { Finder, Finding, FindOptions } from './race/finder.ts'
import { BodySource, NoPeerLeft, type Pace, type Won } from './transfer/body-source.ts'
import type { ByteBudget, Grant } from './transfer/byte-budget.ts'
import { matches, type Reaction, reactTo } from './transfer/integrity.ts'
import type { SourceRates } from './transfer/minimum-rate.ts'

/** Slabs that bytes come through which are read whole: each is copied out at once. */
const checkingSlabs = 1

/**
 * How long a peer that goes on in mid-body is looked for, and how long those that are asked have for a first header. A race for a first header
 * is short, because the registry is asked next. Here a body would be broken off for it: whoever serves much at a time, on a node with much to
 * do, answers later than that.
 */
const resumeLookUpMs = 2_000
const resumeGiveUpMs = 10_000

/** Rounds of one request: each leaves a peer out that did not bring it. */
export const mostRounds = 8

interface FetchingOptions extends Reaction {
  readonly clock: Clock
  readonly log: Log
  readonly finder: Finder
  readonly counts: MirrorCounts
  readonly rates: SourceRates
  readonly slow: SlowPeers
  readonly stallMs: number
  /** Told who gave something of what. */
  readonly holders: Holders
  /** Budget of all bodies that are on their way. */
  readonly budget: ByteBudget
}

/** Content that was checked whole; disposing of it gives its memory back to the budget. */
export interface Checked extends Disposable {
  readonly bytes: Buffer
}

export class Fetching {
  readonly #options: FetchingOptions

  constructor(options: FetchingOptions) {
    this.#options = options
  }

  get options(): FetchingOptions {
    return this.#options
  }

  async find(key: string, request: PeerRequest, signal: AbortSignal, options?: FindOptions): Promise<Finding> {
    const finding = await this.#options.finder.find(key, request, signal, options)
    if (finding.outcome === 'won') {
      const { peer, answer } = finding.won
      if (answer.place !== undefined) this.#options.holders.gave(request, { peer, place: answer.place })
    }
    return finding
  }

  /** The body of an answer, which others go on with where it breaks off; all of them say the same size. */
  source(key: string, request: PeerRequest, first: Won, slabs: Slabs): BodySource {
    const { clock, finder, counts, stallMs } = this.#options
    const { size, end } = first.answer.head
    const again = async (offset: number, breaks: NonNullable<FindOptions['breaks']>, signal: AbortSignal) => {
      const rest: PeerRequest = { ...request, range: end === size - 1 ? { start: offset } : { start: offset, end } }
      const refuse = ({ head }: PeerAnswer) => (head.size === size ? undefined : `size ${head.size} instead of ${size}`)
      const patience = { idleMs: resumeLookUpMs, giveUpMs: resumeGiveUpMs }
      const finding = await finder.find(key, rest, signal, { breaks, refuse, patience })
      return finding.outcome === 'won' ? finding.won : undefined
    }
    const begin = (peer: string) => finder.uses.begin(peer)
    const isResumable = request.route === 'blobs'
    const pace = isResumable ? this.#paceOf(request) : undefined
    return new BodySource({ clock, stallMs, first, slabs, isResumable, again, begin, counts, pace })
  }

  #paceOf({ digest }: PeerRequest): Pace {
    const { clock, finder, log, rates, slow } = this.#options
    const nowMs = () => clock.elapsed()
    return {
      minimumRate: isInFlight => {
        if (digest !== undefined && slow.takesAny(digest, nowMs())) return 0
        return rates.minimumRate({ isInFlight, sharing: finder.uses.total })
      },
      slow: ({ peer, answer }, { bytes, elapsedMs }) => {
        // Who loads it itself is as slow as whom it has it from.
        if (answer.head.isInFlight !== true) slow.add(peer.id, nowMs())
        log.info({ digest, peer: peer.id, bytes, waitedMs: Math.round(elapsedMs) }, 'a peer is left: it sends too slowly')
      },
      ended: ({ answer }, brought) => {
        if (answer.head.isInFlight !== true) rates.ended('peer', brought)
      },
    }
  }

  /** Reads a source to its end. @throws NoPeerLeft; `signal.reason` when aborted */
  async readWhole(source: BodySource, size: number, signal: AbortSignal): Promise<Buffer> {
    const onAbort = () => source.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      const bytes = Buffer.allocUnsafe(size)
      let at = 0
      for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
        at += piece.bytes.copy(bytes, at)
        piece[Symbol.dispose]()
      }
      if (at < size) throw new NoPeerLeft(`${at} of ${size} bytes`)
      return bytes
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      source.cancel()
    }
  }

  /**
   * Reads an answer whole and compares it with its digest. `undefined`: it broke off, or did not match, which has had its consequences.
   * @throws `signal.reason` when aborted
   */
  async readChecked(key: string, request: PeerRequest, won: Won, signal: AbortSignal): Promise<Checked | undefined> {
    const { budget, counts } = this.#options
    const { size, digest } = won.answer.head
    using slabs = new Slabs(checkingSlabs)
    const source = this.source(key, request, won, slabs)
    let grant: Grant | undefined
    try {
      grant = await budget.take(size, size, signal)
      const bytes = await this.readWhole(source, size, signal)
      counts.served(request.registry, won.answer.head.isInFlight ? 'relay' : 'peer', 'in', bytes.length)
      if (matches(bytes, digest)) return { bytes, [Symbol.dispose]: grant[Symbol.dispose] }
      this.poisoned(digest, request, [...source.delivered.keys()])
      grant[Symbol.dispose]()
      return undefined
    } catch (error) {
      grant?.[Symbol.dispose]()
      source.cancel()
      if (error instanceof NoPeerLeft) return undefined
      throw error
    }
  }

  poisoned(digest: Digest, { registry, repository }: PeerRequest, peers: readonly string[]): void {
    reactTo({ digest, registry, repository, peers }, this.#options)
  }
}

/** Nobody had it, in the words of the front. */
export function notFound(
  name: string,
  {
    attempts,
    reason,
    beyond,
  }: { readonly attempts: number; readonly reason: NotFound['reason']; readonly beyond?: number | undefined },
): NotFound {
  return {
    outcome: 'not-found',
    attempts,
    message: `${sentences[reason]} ${name}`,
    reason,
    ...(beyond === undefined ? {} : { beyond }),
  }
}

const sentences: Readonly<Record<NotFound['reason'], string>> = {
  'no-peer': 'no peer has',
  timeout: 'no peer answered in time for',
  failed: 'no peer gave',
  quarantined: 'quarantine holds back',
  slow: 'only slow peers have',
  leading: 'this node fetches for the others',
  'registry-up': 'its registry answers for',
  range: 'beyond the end of',
}
