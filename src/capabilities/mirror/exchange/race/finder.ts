// Finds a peer that has a key: looks the key up, races the peers found, and says who won or why nobody did.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { MirrorCounts, NotFound, Peer, Router } from '../../contract.ts'
import type { MirrorSettings } from '../../settings.ts'
import { Absences } from '../peers/absences.ts'
import type { Breaks } from '../peers/breaks.ts'
import { LateFirstPeers } from '../peers/late-peers.ts'
import type { PeerAnswer, PeerClient, PeerFault, PeerRequest } from '../peers/peer-client.ts'
import { firstPeer, PeerUses } from '../peers/peer-order.ts'
import type { Quarantine } from '../peers/quarantine.ts'
import type { SlowPeers } from '../peers/slow-peers.ts'
import type { Won } from '../transfer/body-source.ts'
import { FetchTimes } from './fetch-times.ts'
import { LoopLag } from './loop-lag.ts'
import { type Reply, runRace } from './race-run.ts'

/** A limit is longer by so many times what this process is late, since who is asked is late too, with each of its steps. */
const idleLags = 10
const giveUpLags = 100
/** However late it is. */
const mostIdleMs = 500
const mostGiveUpMs = 2_000
/** Peers that one look-up asks for, however many are barred. */
const mostLookedUp = 64

interface FinderOptions {
  readonly settings: Pick<MirrorSettings, 'mirrorResolveTimeoutMs' | 'mirrorResolveRetries' | 'zone' | 'ownZone'>
  readonly clock: Clock
  readonly log: Log
  readonly router: Pick<Router, 'lookup' | 'drop'>
  readonly client: Pick<PeerClient, 'ask'>
  readonly quarantine: Quarantine
  readonly slow: SlowPeers
  readonly counts: Pick<MirrorCounts, 'resolved'>
}

export interface FindOptions {
  /** Peers that broke off: left out of what is found, asked last. */
  readonly breaks?: Breaks
  /** Peers that are not asked at all. */
  readonly avoid?: ReadonlySet<string>
  /** What a good answer must be besides; the sentence says why it is not. */
  readonly refuse?: (answer: PeerAnswer) => string | undefined
  /** In place of what a race learnt of first headers: how long a candidate, and how long a header may take, in milliseconds. */
  readonly patience?: { readonly idleMs: number; readonly giveUpMs: number }
  /** Instead of a look-up. */
  readonly peers?: readonly Peer[]
}

export type Finding =
  | { readonly outcome: 'won'; readonly won: Won; readonly attempts: number }
  | { readonly outcome: 'nobody'; readonly attempts: number; readonly reason: NotFound['reason']; readonly beyond?: number }

export class Finder {
  readonly uses = new PeerUses()
  readonly #options: FinderOptions
  readonly #times = new FetchTimes()
  readonly #late: LateFirstPeers
  readonly #absences: Absences
  readonly #lag: LoopLag

  constructor(options: FinderOptions) {
    this.#options = options
    this.#late = new LateFirstPeers(options)
    this.#absences = new Absences(options.clock)
    this.#lag = new LoopLag(options.clock)
  }

  /** As {@link #race}, watched: how late this process is says how long others may take. @throws `signal.reason` when aborted */
  async find(key: string, request: PeerRequest, signal: AbortSignal, options: FindOptions = {}): Promise<Finding> {
    const over = this.#lag.watch()
    try {
      return await this.#race(key, request, signal, options)
    } finally {
      over()
    }
  }

  #lateness(): { readonly idleMs: number; readonly giveUpMs: number } {
    const { ms } = this.#lag
    return { idleMs: Math.min(mostIdleMs, idleLags * ms), giveUpMs: Math.min(mostGiveUpMs, giveUpLags * ms) }
  }

  async #race(key: string, request: PeerRequest, signal: AbortSignal, options: FindOptions): Promise<Finding> {
    const { settings, clock, router, quarantine } = this.#options
    const { patience } = options
    let barred = 0
    let slow = 0
    const isBarred = (peer: string) => quarantine.bars(peer, request.digest) || options.avoid?.has(peer) === true
    const isSlow = this.#slowFor(request)
    const isLeft = (peer: string): boolean => {
      if (isBarred(peer)) barred++
      else if (isSlow(peer)) slow++
      else return false
      return true
    }
    const zone = settings.zone === 'prefer' && settings.ownZone !== '' ? settings.ownZone : undefined
    const lastResort = (options.breaks?.broken ?? []).filter(({ id }) => !isLeft(id))
    const times = this.#times.times()
    const result = await runRace<Peer, PeerAnswer, PeerFault>(
      {
        clock,
        times: patience === undefined ? times : { ...times, giveUpMs: Math.max(times.giveUpMs, patience.giveUpMs) },
        idleMs: Math.max(settings.mirrorResolveTimeoutMs, patience?.idleMs ?? 0),
        lateness: () => this.#lateness(),
        lastResort,
        choose: waiting => firstPeer(waiting, { uses: this.uses.uses, zone }),
        candidates: stop => this.#candidates(key, request, stop, options, isLeft),
        ask: (peer, stop) => this.#ask(key, peer, request, stop, options),
        discard: ({ body }) => body.on('error', () => undefined).destroy(),
        observe: ms => this.#times.observe(ms),
      },
      signal,
    )
    const { attempts, faults, won, because } = result
    if (won !== undefined) return { outcome: 'won', won: { peer: won.candidate, answer: won.answer }, attempts }
    if (because === 'no-peer' && barred + slow === 0) this.#late.missed(key, router)
    const beyond = faults.map(({ fault }) => fault).find(fault => fault.kind === 'beyond')
    if (beyond !== undefined) return { outcome: 'nobody', attempts, reason: 'range', beyond: beyond.size }
    if (slow > 0 && request.digest !== undefined) {
      this.#options.slow.left(request.digest, clock.elapsed())
      return { outcome: 'nobody', attempts, reason: 'slow' }
    }
    return { outcome: 'nobody', attempts, reason: because === 'no-peer' && barred > 0 ? 'quarantined' : (because ?? 'failed') }
  }

  /** Who is not asked because it was slow: for bodies of blobs only, the rest is small. */
  #slowFor({ route, method, digest }: PeerRequest): (peer: string) => boolean {
    const { slow, clock } = this.#options
    const nowMs = clock.elapsed()
    if (route !== 'blobs' || method !== 'GET' || digest === undefined || slow.takesAny(digest, nowMs)) return () => false
    return peer => slow.has(peer, nowMs)
  }

  async *#candidates(
    key: string,
    request: PeerRequest,
    signal: AbortSignal,
    { breaks, peers }: FindOptions,
    isLeft: (peer: string) => boolean,
  ): AsyncGenerator<Peer> {
    const { settings, router, counts, clock, quarantine, slow } = this.#options
    const beganMs = clock.elapsed()
    const left = quarantine.entries().length + slow.size + (breaks?.size ?? 0)
    const count = Math.min(mostLookedUp, settings.mirrorResolveRetries + left)
    for await (const peer of peers ?? router.lookup(key, { count, signal })) {
      if (peers === undefined) counts.resolved((clock.elapsed() - beganMs) / 1000)
      // One that broke is a last resort already, where it is one.
      if (breaks?.has(peer.id) === true || isLeft(peer.id)) continue
      if (peers === undefined && this.#absences.has(request, peer.id)) continue
      yield peer
    }
  }

  async #ask(
    key: string,
    peer: Peer,
    request: PeerRequest,
    signal: AbortSignal,
    { refuse }: FindOptions,
  ): Promise<Reply<PeerAnswer, PeerFault>> {
    const { client, quarantine, router, log } = this.#options
    const done = this.uses.begin(peer.id)
    const reply = await client.ask(peer, request, signal)
    done()
    const refused = reply.ok ? refuse?.(reply.answer) : undefined
    if (reply.ok && refused === undefined) {
      this.#late.found()
      return reply
    }
    if (signal.aborted) return { ok: false, fault: { kind: 'unreachable', message: 'cancelled' } }
    if (reply.ok) reply.answer.body.on('error', () => undefined).destroy()
    const fault: PeerFault = reply.ok ? { kind: 'refused', message: refused ?? '' } : reply.fault
    if (fault.kind === 'other-digest') quarantine.addPeer(peer.id)
    // A blob that is asked for as a manifest is not there, and still the peer has it.
    if (fault.kind === 'refused' && fault.isAbsent === true && request.digest !== undefined) this.#absences.add(request, peer.id)
    else if (fault.kind !== 'beyond' && fault.kind !== 'ask') router.drop(key, peer.id)
    log.debug({ key, peer: peer.id, fault: fault.kind, message: fault.message }, 'a peer did not give it')
    return { ok: false, fault }
  }
}
