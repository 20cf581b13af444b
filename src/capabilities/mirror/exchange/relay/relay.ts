// Downloads that go on, shared: this node follows another's, or lets others follow its own. Who fetches says the node nearest to the digest,
// asked directly: telling all through the distributed table takes longer than a request may wait.
import type { Readable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Peer, RelayAsker, Relayed, Router, Store, Wanted } from '../../contract.ts'
import type { Digest } from '../../reference.ts'
import type { MirrorSettings } from '../../settings.ts'
import { notFound } from '../fetching.ts'
import type { PeerClient, PeerRequest } from '../peers/peer-client.ts'
import type { Quarantine } from '../peers/quarantine.ts'
import type { SlowPeers } from '../peers/slow-peers.ts'
import type { Won } from '../transfer/body-source.ts'
import {
  type FollowAnswer,
  hasPlace,
  type KeeperAnswer,
  mostFollowers,
  orderOf,
  progressMsOf,
  RelaySeat,
  type SeatAction,
} from './relay-seat.ts'
import { SeatTable } from './relay-table.ts'
import type { Joined } from './relay-together.ts'
import { formatSeat, parseSeat, type SeatWord } from './relay-words.ts'

/** Blobs below this size are not shared while they come: asking who fetches would take longer. */
const leastBytes = 1_048_576
/** Downloads of which it is remembered whom this node followed, and for how long. */
const mostFollowed = 1_024
const followedMs = 60_000
/**
 * How long a request waits at most, whatever `relay.hold` says: a containerd from 2.3 on waits 30 s for a header, older ones for ever, and a
 * pull through CRI ends after 5 min without a byte.
 */
const longestHoldMs = 25_000
/** A node that said nothing in all the time that it had is asked with so little patience for so long: the next layer is not to wait for it too. */
const silentForMs = 60_000
const silentAnswerMs = 1_000
const mostSilent = 1_024
/** Downloads for which requests wait so long; further ones are given up as early as whatever else is asked. */
const mostHeld = 64
const briefHoldMs = 2_000

interface RelayOptions {
  readonly settings: MirrorSettings['relay']
  readonly stallMs: number
  readonly store: Pick<Store, 'info' | 'inFlight' | 'follow'>
  readonly router: Pick<Router, 'id' | 'nearest' | 'known' | 'whereIs' | 'distance' | 'state'>
  readonly client: Pick<PeerClient, 'ask'>
  readonly quarantine: Quarantine
  readonly slow: SlowPeers
  readonly clock: Clock
  readonly log: Log
}

/** What one question brought: a stream, or what to do next. */
type Asked<Answer> = { readonly kind: 'won'; readonly won: Won } | Answer

/** What is here of a download: bytes beyond those that are wanted, none yet, or nothing at all. */
type Seen = Begun | { readonly kind: 'not yet'; readonly total: number } | { readonly kind: 'gone' }

interface Begun {
  readonly kind: 'begun'
  readonly total: number
  /** It is no download any more. */
  readonly isWhole: boolean
}

interface Sitting {
  readonly wanted: Wanted
  readonly digest: Digest
  readonly start: number
  /** To be called when it is known whom this node follows, or that it fetches. */
  readonly decided: () => void
  readonly signal: AbortSignal
  readonly holdMs: number
}

interface Followed {
  readonly peer: string
  readonly sinceMs: number
}

export class Relay {
  readonly #options: RelayOptions
  readonly #table: SeatTable
  /** Who is served of each download. */
  readonly #seated = new Map<Digest, Set<string>>()
  /** How this node comes to them is not decided yet. */
  readonly #joining = new Map<Digest, Promise<void>>()
  /** Requests of this node's that wait to learn how it comes to a download, by digest. */
  readonly #held = new Map<Digest, number>()
  /** Until when those that were silent are not waited for. */
  readonly #silentUntilMs = new LRUCache<string, number>({ max: mostSilent })
  /** Whom it followed last: where it asks again, that one broke off. */
  readonly #followed = new LRUCache<Digest, Followed>({ max: mostFollowed })

  constructor(options: RelayOptions) {
    this.#options = options
    this.#table = new SeatTable({ progressMs: progressMsOf(this.#holdMs) })
  }

  get #holdMs(): number {
    return Math.min(longestHoldMs, this.#options.settings.holdMs)
  }

  /** Whether an answer about a download waits for another node. */
  holds(digest: Digest): boolean {
    return this.#held.has(digest)
  }

  /**
   * Nobody has it whole: follows another's download of it, from `start` on, or says that this node fetches. Answers within `hold`.
   * @throws `signal.reason` when aborted
   */
  async join(wanted: Wanted, digest: Digest, start: number, signal: AbortSignal): Promise<Joined> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#joining.set(digest, promise)
    const decided = () => {
      if (this.#joining.get(digest) === promise) this.#joining.delete(digest)
      resolve()
    }
    try {
      return await this.#join(wanted, digest, start, decided, signal)
    } finally {
      decided()
    }
  }

  /** `decided`: to be called when it is known whom this node follows, or that it fetches. */
  async #join(wanted: Wanted, digest: Digest, start: number, decided: () => void, signal: AbortSignal): Promise<Joined> {
    if (!(await this.#isWorthIt(digest, start, signal))) return notFound(digest, { attempts: 0, reason: 'no-peer' })
    using place = this.#place(digest)
    return await this.#sat({ wanted, digest, start, decided, signal, holdMs: place.holdMs })
  }

  /** Takes a place among those that wait long, where there is one. */
  #place(digest: Digest): Disposable & { readonly holdMs: number } {
    if (!this.#held.has(digest) && this.#held.size >= mostHeld)
      return { holdMs: Math.min(briefHoldMs, this.#holdMs), [Symbol.dispose]: () => undefined }
    this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1)
    return {
      holdMs: this.#holdMs,
      [Symbol.dispose]: () => {
        const left = (this.#held.get(digest) ?? 1) - 1
        if (left > 0) this.#held.set(digest, left)
        else this.#held.delete(digest)
      },
    }
  }

  /** Does what the seat says, to its end. */
  async #sat({ wanted, digest, start, decided, signal, holdMs }: Sitting): Promise<Joined> {
    const { clock, router, log } = this.#options
    const beganMs = clock.elapsed()
    const near = new Map((await router.nearest(digest, signal)).map(peer => [peer.id, peer]))
    const order = orderOf([router.id, ...near.keys()], id => router.distance(digest, id))
    const broken = this.#brokeOff(digest, beganMs)
    const failed = broken === undefined ? undefined : ({ peer: broken, why: 'gone' } as const)
    const seat = new RelaySeat({ self: router.id, order, nowMs: beganMs, holdMs, failed })
    const range = start === 0 ? undefined : { start }
    const request: PeerRequest = { ...wanted, route: 'blobs', method: 'GET', digest, tag: undefined, range }
    for (let attempts = 0; ; ) {
      const action = seat.next(clock.elapsed())
      if (action.kind === 'lead') {
        log.debug({ digest, start }, 'this node fetches a blob for those that want it too')
        return notFound(digest, { attempts, reason: 'leading' })
      }
      if (action.kind === 'give-up') return notFound(digest, { attempts, reason: 'timeout' })
      if (action.kind === 'wait') {
        await clock.after(action.ms, signal)
        continue
      }
      attempts++
      if (action.kind === 'ask') {
        const answer = await this.#askKeeper(near.get(action.keeper), action, request, signal)
        log.debug({ digest, keeper: action.keeper, ...answerShown(answer) }, 'asked who fetches')
        if (answer.kind === 'won') return { won: answer.won, attempts }
        if (answer.kind !== 'nothing') decided()
        seat.told(answer)
      } else {
        const peer = near.get(action.peer) ?? (await router.whereIs(action.peer, signal))
        const answer =
          action.peer === broken ? ({ kind: 'gone' } as const) : await this.#follow(peer, action.withinMs, request, signal)
        log.debug({ digest, peer: action.peer, ...answerShown(answer) }, 'asked whom to follow')
        if (answer.kind === 'won') {
          this.#followed.set(digest, { peer: action.peer, sinceMs: clock.elapsed() })
          return { won: answer.won, attempts }
        }
        seat.followed(action.peer, answer)
      }
    }
  }

  #brokeOff(digest: Digest, nowMs: number): string | undefined {
    const followed = this.#followed.get(digest)
    this.#followed.delete(digest)
    return followed !== undefined && nowMs - followed.sinceMs < followedMs ? followed.peer : undefined
  }

  /** Another of ours asks for a download of this node's, or who fetches. @throws StoreUnavailable */
  async serve(digest: Digest, { peer: asker, seat, start = 0 }: RelayAsker, signal: AbortSignal): Promise<Relayed> {
    if (!this.#options.settings.enabled) return { outcome: 'nothing' }
    const word = parseSeat(seat)
    if (word?.kind === 'ask') return await this.#tell(digest, asker, word, start, signal)
    const seen =
      word === undefined ? await this.#look(digest, start, signal) : await this.#untilDecided(digest, word, start, signal)
    if (seen.kind === 'begun') return await this.#stream(digest, asker, start, seen)
    // The one that waited in vain is told so by nobody's name: that is not the same as that nothing is loaded here.
    return seen.kind === 'not yet' && word !== undefined ? { outcome: 'ask', peers: [] } : { outcome: 'nothing' }
  }

  /** Keeps the table for a digest: says who fetches, or who has it. */
  async #tell(
    digest: Digest,
    asker: string,
    { failed }: SeatWord & { readonly kind: 'ask' },
    start: number,
    signal: AbortSignal,
  ): Promise<Relayed> {
    const { router, clock } = this.#options
    const answer = this.#table.ask(digest, asker, clock.elapsed(), failed)
    if (answer.kind === 'nothing') return { outcome: 'nothing' }
    if (answer.kind === 'follow') return { outcome: 'ask', peers: [answer.peer] }
    // Only for the first one that asks is it looked at what is here; the others follow that one all the same.
    const seen = start === 0 && failed === undefined ? await this.#look(digest, 0, signal) : undefined
    if (seen?.kind === 'begun') return await this.#stream(digest, asker, 0, seen)
    // Those nearest to a digest are told who has it: what was only just announced, the one that asks may not have found.
    const having = router.known(digest).filter(({ id, isOurs }) => isOurs && id !== asker && id !== failed?.peer)
    return { outcome: 'ask', peers: having.length === 0 ? [asker] : having.slice(0, mostFollowers).map(({ id }) => id) }
  }

  async #stream(digest: Digest, asker: string, start: number, { total, isWhole }: Begun): Promise<Relayed> {
    const { store, stallMs } = this.#options
    if (total <= start) return { outcome: 'nothing' }
    const seated = this.#seated.get(digest) ?? new Set<string>()
    if (!hasPlace(seated, asker)) return { outcome: 'ask', peers: [...seated] }
    seated.add(asker)
    this.#seated.set(digest, seated)
    const leave = () => {
      seated.delete(asker)
      if (seated.size === 0 && this.#seated.get(digest) === seated) this.#seated.delete(digest)
    }
    let body: Readable
    try {
      body = await store.follow(digest, start, stallMs)
    } catch (error) {
      leave()
      this.#options.log.debug({ digest, error: messageOf(error) }, 'a download ended before it could be followed')
      return { outcome: 'nothing' }
    }
    return { outcome: 'stream', total, isWhole, body: body.once('close', leave) }
  }

  async #look(digest: Digest, start: number, signal: AbortSignal): Promise<Seen> {
    const { store } = this.#options
    const download = await store.inFlight(digest, signal)
    if (download !== undefined && download.total > 0)
      return { kind: download.offset > start ? 'begun' : 'not yet', total: download.total, isWhole: false }
    // It may be whole, or have become it since it was looked for.
    const whole = await store.info(digest, signal)
    return whole === undefined ? { kind: 'gone' } : { kind: 'begun', total: whole.size, isWhole: true }
  }

  /**
   * Until it is decided how this node comes to it: then it is on its way, and is sent as it comes. Its first byte is not waited for: on nodes
   * that have much to do a whole chain of them would be given up before it had begun.
   */
  async #untilDecided(
    digest: Digest,
    { ms }: SeatWord & { readonly kind: 'wait' },
    start: number,
    signal: AbortSignal,
  ): Promise<Seen> {
    const joining = this.#joining.get(digest)
    if (joining !== undefined) await Promise.race([joining, this.#options.clock.after(Math.min(ms, this.#holdMs), signal)])
    const now = await this.#look(digest, start, signal)
    return now.kind === 'not yet' && !this.#joining.has(digest) ? { kind: 'begun', total: now.total, isWhole: false } : now
  }

  async #isWorthIt(digest: Digest, start: number, signal: AbortSignal): Promise<boolean> {
    const { settings, router, store, log } = this.#options
    const { isAlone, peers } = router.state()
    if (!settings.enabled || isAlone || peers === 0) return false
    try {
      // containerd opens its download, with the size, before it asks.
      const download = await store.inFlight(digest, signal)
      // One that asks for parts ahead of what it has loads several at once: who loads one after the other is too slow for it.
      return download !== undefined && download.total >= leastBytes && download.offset >= start
    } catch (error) {
      signal.throwIfAborted()
      log.debug({ digest, error: messageOf(error) }, 'the store does not say what it downloads')
      return false
    }
  }

  async #askKeeper(
    keeper: Peer | undefined,
    { failed, withinMs }: SeatAction & { readonly kind: 'ask' },
    request: PeerRequest,
    signal: AbortSignal,
  ): Promise<Asked<KeeperAnswer>> {
    const { router, quarantine, clock } = this.#options
    const { digest } = request
    if (digest === undefined) return { kind: 'nothing' }
    if (keeper === undefined) {
      const own = this.#table.ask(digest, router.id, clock.elapsed(), failed)
      return own.kind === 'follow' ? { kind: 'follow', peers: [own.peer] } : own
    }
    if (quarantine.bars(keeper.id, digest)) return { kind: 'nothing' }
    const reply = await this.#ask(keeper, { ...request, seat: formatSeat({ kind: 'ask', failed }) }, withinMs, signal)
    if (reply.kind !== 'named') return reply.kind === 'won' ? reply : { kind: 'nothing' }
    return reply.peers.includes(router.id) ? { kind: 'lead' } : { kind: 'follow', peers: reply.peers }
  }

  async #follow(
    peer: Peer | undefined,
    withinMs: number,
    request: PeerRequest,
    signal: AbortSignal,
  ): Promise<Asked<FollowAnswer>> {
    if (peer === undefined || !peer.isOurs || this.#isLeft(peer.id, request.digest)) return { kind: 'gone' }
    const reply = await this.#ask(peer, { ...request, seat: formatSeat({ kind: 'wait', ms: withinMs }) }, withinMs, signal)
    if (reply.kind === 'named') return reply.peers.length === 0 ? { kind: 'slow' } : { kind: 'full', peers: reply.peers }
    if (reply.kind === 'late') return { kind: 'slow' }
    return reply.kind === 'won' ? reply : { kind: 'gone' }
  }

  #isLeft(peer: string, digest: Digest | undefined): boolean {
    const { quarantine, slow, clock } = this.#options
    if (quarantine.bars(peer, digest)) return true
    const nowMs = clock.elapsed()
    return slow.has(peer, nowMs) && (digest === undefined || !slow.takesAny(digest, nowMs))
  }

  async #ask(
    peer: Peer,
    request: PeerRequest,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Asked<{ readonly kind: 'none' | 'late' } | { readonly kind: 'named'; readonly peers: readonly string[] }>> {
    const { client, clock } = this.#options
    const late = new AbortController()
    const wasSilent = (this.#silentUntilMs.get(peer.id) ?? Number.NEGATIVE_INFINITY) > clock.elapsed()
    const cancel = clock.schedule(wasSilent ? Math.min(withinMs, silentAnswerMs) : withinMs, () => late.abort())
    const reply = await client.ask(peer, request, AbortSignal.any([signal, late.signal]))
    cancel()
    if (signal.aborted) {
      if (reply.ok) reply.answer.body.on('error', () => undefined).destroy()
      throw signal.reason
    }
    if (!late.signal.aborted) this.#silentUntilMs.delete(peer.id)
    else if (withinMs >= progressMsOf(this.#holdMs)) this.#silentUntilMs.set(peer.id, clock.elapsed() + silentForMs)
    if (reply.ok) return { kind: 'won', won: { peer, answer: reply.answer } }
    if (reply.fault.kind === 'ask') return { kind: 'named', peers: reply.fault.peers }
    return { kind: late.signal.aborted ? 'late' : 'none' }
  }
}

function answerShown(answer: Asked<KeeperAnswer | FollowAnswer>): {
  readonly answer: string
  readonly peers?: readonly string[]
} {
  return { answer: answer.kind, ...('peers' in answer ? { peers: answer.peers } : {}) }
}
