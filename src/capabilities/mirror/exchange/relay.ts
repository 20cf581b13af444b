// Downloads that go on, shared: this node follows another's, or lets others follow its own.
import type { Readable } from 'node:stream'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { NotFound, Peer, RelayAsker, Relayed, Router, Store, Wanted } from '../contract.ts'
import type { Digest } from '../reference.ts'
import type { MirrorSettings } from '../settings.ts'
import type { Won } from './body-source.ts'
import { notFound } from './fetching.ts'
import type { PeerClient, PeerRequest } from './peer-client.ts'
import type { Quarantine } from './quarantine.ts'
import { hasPlace, orderOf, RelaySeat, type SeatAction, type SeatAnswer } from './relay-seat.ts'

/** Blobs below this size are not shared while they come: the settling would take longer. */
const leastBytes = 1_048_576
/** How long an announced download is believed in. */
const announcedMs = 60_000
/** Nodes of one download that a node hears of. */
const mostAnnouncers = 64
/** How long the look-up of them may take, at least. */
const leastLookupMs = 100

interface RelayOptions {
  readonly settings: MirrorSettings['relay']
  readonly stallMs: number
  readonly store: Pick<Store, 'inFlight' | 'follow'>
  readonly router: Pick<Router, 'id' | 'lookup' | 'announce' | 'distance' | 'state'>
  readonly client: Pick<PeerClient, 'ask'>
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly log: Log
}

/** Under which nodes tell that they want a blob which nobody has whole. */
const inFlightKey = (digest: Digest): string => `inflight:${digest}`

export class Relay {
  readonly #options: RelayOptions
  /** Who is served of each download. */
  readonly #seated = new Map<Digest, Set<string>>()

  constructor(options: RelayOptions) {
    this.#options = options
  }

  /**
   * Nobody has it whole: follows another's download of it, or says that this node leads. Answers within `hold` after the settling.
   * @throws `signal.reason` when aborted
   */
  async join(
    wanted: Wanted,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ readonly won: Won; readonly attempts: number } | NotFound> {
    const nobody = notFound(digest, { attempts: 0, reason: 'no-peer' })
    if (!(await this.#isWorthIt(digest, signal))) return nobody
    const { clock, router, settings, log } = this.#options
    const beganMs = clock.elapsed()
    const announcers = await this.#announcers(digest, signal)
    const key = inFlightKey(digest)
    const order = orderOf([router.id, ...announcers.keys()], id => router.distance(key, id))
    const seat = new RelaySeat({ self: router.id, order, deadlineMs: beganMs + settings.holdMs })
    const request: PeerRequest = { ...wanted, route: 'blobs', method: 'GET', digest, tag: undefined, range: undefined }
    let attempts = 0
    for (;;) {
      const action = seat.next(clock.elapsed())
      if (action.kind === 'lead') {
        log.debug({ digest, others: announcers.size }, 'this node fetches a blob for those that want it too')
        return notFound(digest, { attempts, reason: 'leading' })
      }
      if (action.kind === 'give-up') return notFound(digest, { attempts, reason: 'timeout' })
      if (action.kind === 'wait') {
        await clock.after(action.ms, signal)
        continue
      }
      attempts++
      const answer = await this.#ask(announcers.get(action.peer), action, request, signal)
      if (answer.kind === 'won') return { won: answer.won, attempts }
      seat.answered(action.peer, answer)
    }
  }

  /** Another of ours asks for a download of this node's. @throws StoreUnavailable */
  async serve(digest: Digest, { peer: asker, start = 0 }: RelayAsker, signal: AbortSignal): Promise<Relayed> {
    const { store, stallMs, settings } = this.#options
    if (!settings.enabled) return { outcome: 'nothing' }
    const download = await store.inFlight(digest, signal)
    // Only bytes that are here are given: nobody can come to wait for one that waits for him.
    if (download === undefined || download.total === 0 || download.offset <= start) return { outcome: 'nothing' }
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
    return { outcome: 'stream', total: download.total, body: body.once('close', leave) }
  }

  async #isWorthIt(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const { settings, router, store, log } = this.#options
    const { isAlone, peers } = router.state()
    if (!settings.enabled || isAlone || peers === 0) return false
    try {
      // containerd opens its download, with the size, before it asks.
      const download = await store.inFlight(digest, signal)
      return download !== undefined && download.total >= leastBytes
    } catch (error) {
      signal.throwIfAborted()
      log.debug({ digest, error: messageOf(error) }, 'the store does not say what it downloads')
      return false
    }
  }

  /** Others of ours that want it too, as far as they are known after the settling. */
  async #announcers(digest: Digest, signal: AbortSignal): Promise<ReadonlyMap<string, Peer>> {
    const { clock, router, settings, quarantine, log } = this.#options
    const key = inFlightKey(digest)
    const told = router.announce([key], { validMs: announcedMs }).catch((error: unknown) => {
      log.debug({ key, error: messageOf(error) }, 'a download could not be announced')
    })
    await clock.after(settings.settleMs, signal)
    const late = new AbortController()
    const cancel = clock.schedule(Math.max(leastLookupMs, settings.settleMs), () => late.abort())
    const found = new Map<string, Peer>()
    try {
      const both = AbortSignal.any([signal, late.signal])
      await Promise.race([told, aborted(both)])
      for await (const peer of router.lookup(key, { count: mostAnnouncers, signal: both })) {
        if (peer.isOurs && peer.id !== router.id && !quarantine.bars(peer.id, digest)) found.set(peer.id, peer)
      }
    } finally {
      cancel()
    }
    signal.throwIfAborted()
    return found
  }

  async #ask(
    peer: Peer | undefined,
    { withinMs }: SeatAction & { readonly kind: 'ask' },
    request: PeerRequest,
    signal: AbortSignal,
  ): Promise<SeatAnswer | { readonly kind: 'won'; readonly won: Won }> {
    if (peer === undefined) return { kind: 'unreachable' }
    const { client, clock } = this.#options
    const late = new AbortController()
    const cancel = clock.schedule(withinMs, () => late.abort())
    const reply = await client.ask(peer, request, AbortSignal.any([signal, late.signal]))
    cancel()
    if (signal.aborted) {
      if (reply.ok) reply.answer.body.on('error', () => undefined).destroy()
      throw signal.reason
    }
    if (reply.ok) return { kind: 'won', won: { peer, answer: reply.answer } }
    if (reply.fault.kind === 'ask') return { kind: 'ask', peers: reply.fault.peers }
    // Slow is not gone: if each node that hears nothing for a while led instead, all would lead on machines that are busy.
    return { kind: reply.fault.kind === 'refused' || late.signal.aborted ? 'nothing' : 'unreachable' }
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
