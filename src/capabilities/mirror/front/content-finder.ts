// Where what was asked comes from: this node's store, a download of its own that still goes on, other nodes, or nowhere.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Carrying, ContentInfo, Exchange, MirrorCounts, Store } from '../contract.ts'
import { StoreUnavailable } from '../contract.ts'
import { passes, type RegistryFilters } from '../filters.ts'
import { HeaderDeadlines } from '../header-deadline.ts'
import type { Digest } from '../reference.ts'
import { clipRange } from './byte-range.ts'
import { findLocal } from './local-content.ts'
import { type FallReason, type Outcome, outcomeOf } from './outcome.ts'
import type { AskedContent } from './request.ts'
import { SearchPlaces } from './search-places.ts'

/** Searches at other nodes at a time: more than containerd begins for dozens of pulls. */
const mostSearches = 256
/** How long a request may wait until a search for it begins: later it is better off at the registry. */
const longestWaitMs = 1_000

interface FinderOptions {
  readonly filters: RegistryFilters
  readonly headerTimeoutMs: number
  readonly store: Store
  readonly exchange: Pick<Exchange, 'fetch' | 'answersTags' | 'relay' | 'holds'>
  readonly counts: Pick<MirrorCounts, 'fellThrough'>
  readonly clock: Clock
  readonly log: Log
}

/** Who asks, as far as it matters. */
export interface AskedBy {
  /** Another mirror: it gets what is here, and nobody else is asked for it. */
  readonly isMirror: boolean
  /** Id of a peer of ours: it may have downloads that still go on. */
  readonly ourPeer: string | undefined
  /** What it says of a download that several share. */
  readonly seat?: string | undefined
  /** A data plane asks for it, and carries the body of what it is told of. */
  readonly carrying?: Carrying | undefined
}

type Opening = AskedBy & {
  readonly readBytes: number
  /** Milliseconds that the request had waited before this process saw it. */
  readonly waitedMs: number
}

export class ContentFinder {
  readonly #options: FinderOptions
  readonly #deadlines: HeaderDeadlines
  readonly #places: SearchPlaces

  constructor(options: FinderOptions) {
    const { clock } = options
    this.#options = options
    this.#places = new SearchPlaces({ clock, most: mostSearches, waitMs: longestWaitMs })
    this.#deadlines = new HeaderDeadlines(options)
  }

  /**
   * Answers within the deadline for a first header, whatever the rooms behind do; what waits for another node's download has longer.
   * `readBytes`: how much of a body of this node's is read at a time. Aborting `gone` (the client went away) ends what was begun. Never throws.
   */
  async find(asked: AskedContent, by: Opening, gone: AbortSignal): Promise<Outcome> {
    const { exchange, headerTimeoutMs, log } = this.#options
    const late = new AbortController()
    const signal = AbortSignal.any([gone, late.signal])
    const { promise: deadline, resolve } = Promise.withResolvers<Outcome>()
    let isLate = false
    const isHeld = () => asked.route === 'blobs' && asked.digest !== undefined && exchange.holds(asked.digest)
    const cancel = this.#deadlines.begin(isHeld, () => {
      isLate = true
      late.abort(new DOMException(`no answer within ${headerTimeoutMs} ms`, 'AbortError'))
      resolve(absent(`no answer within ${headerTimeoutMs} ms`, 'late'))
    })
    const work = this.#find(asked, by, signal).catch((error: unknown) =>
      // Whatever ended because nobody waits for it any more is no fault.
      gone.aborted ? absent('who asked has gone', undefined) : this.#fault(error, 'a request failed'),
    )
    // What comes too late is let go of.
    const found = work.then(outcome => {
      if (isLate && outcome.kind === 'content') outcome.body?.destroy()
      return outcome
    })
    const outcome = await Promise.race([found, deadline])
    cancel()
    if (isLate) log.warn({ wanted: asked.digest ?? asked.tag }, 'answered 404 because nothing was found in time')
    return outcome
  }

  async #find(asked: AskedContent, by: Opening, signal: AbortSignal): Promise<Outcome> {
    const { filters, exchange, store } = this.#options
    const { registry, repository, tag } = asked
    // Content that is asked by its digest alone has no name that could be filtered.
    if (registry !== '' && !passes(filters, { registry, repository, ...(tag === undefined ? {} : { tag }) }))
      return absent('this registry or image is not mirrored', undefined)
    if (tag !== undefined && !by.isMirror && !exchange.answersTags(registry))
      return absent('tags are answered by their registry', 'registry-up')
    // Who fetches is a short question, and many wait for its answer: containerd is not asked first.
    const shared = by.isMirror && by.seat !== undefined ? await this.#relayed(asked, by, signal) : undefined
    if (shared !== undefined) return shared
    const local = await this.#local(asked, by, signal)
    if (local !== undefined) return local
    const { carrying } = by
    if (!by.isMirror && registry !== '' && asked.digest !== undefined) store.expect?.(asked.digest)
    if (!by.isMirror) {
      using place = by.waitedMs > longestWaitMs ? undefined : await this.#places.take()
      if (place === undefined) return absent('too many are looked for at once', 'busy')
      return outcomeOf(await exchange.fetch(carrying === undefined ? asked : { ...asked, carrying }, signal))
    }
    const relayed = await this.#relayed(asked, by, signal)
    return relayed ?? absent(`${nameOf(asked)} is not here`, undefined)
  }

  /** `undefined`: not here, or not to be had here now. */
  async #local(asked: AskedContent, by: Opening, signal: AbortSignal): Promise<Outcome | undefined> {
    const { store } = this.#options
    try {
      const local = await findLocal(store, asked, signal)
      if (local.kind === 'absent') return undefined
      if (local.kind === 'other-kind') return absent(`${nameOf(asked)} is not one of the ${asked.route}`, undefined)
      return await this.#opened(asked, local.content, by)
    } catch (error) {
      if (signal.aborted) throw error
      if (!(error instanceof StoreUnavailable)) return void this.#fault(error, 'the store failed', 'read')
      this.#fault(error, 'the store does not answer', 'store')
      return undefined
    }
  }

  async #opened(asked: AskedContent, content: ContentInfo, { readBytes, carrying }: Opening): Promise<Outcome> {
    const { digest, size, mediaType } = content
    const clipped = clipRange(asked.range, size)
    if (clipped.kind === 'beyond') return { kind: 'beyond', size }
    const range = clipped.kind === 'part' ? clipped.range : undefined
    const { store } = this.#options
    const found = { kind: 'content', source: 'local', content: { digest, size, mediaType, range } } as const
    if (asked.method === 'HEAD') return { ...found, body: undefined }
    const path = carrying === undefined ? undefined : await store.fileOf?.({ digest, size })
    if (path !== undefined) return { ...found, body: undefined, path }
    return { ...found, body: await store.open(digest, range, readBytes) }
  }

  /** A download of this node's that is still under way, for a peer of ours that asks for all of it, or for the rest. */
  async #relayed(asked: AskedContent, { ourPeer, seat }: AskedBy, signal: AbortSignal): Promise<Outcome | undefined> {
    const { digest, range, route, method } = asked
    if (ourPeer === undefined || digest === undefined || route !== 'blobs' || method !== 'GET') return undefined
    if (range !== undefined && !('start' in range && range.end === undefined)) return undefined
    const start = range?.start
    const relayed = await this.#options.exchange.relay(digest, { peer: ourPeer, seat, start }, signal)
    switch (relayed.outcome) {
      case 'nothing':
        return undefined
      case 'ask':
        return { kind: 'ask', peers: relayed.peers }
      case 'stream':
        return { kind: 'content', source: 'relay', body: relayed.body, content: inFlight(digest, relayed, start) }
    }
  }

  #fault(error: unknown, what: string, reason: FallReason = 'fault'): Outcome {
    this.#options.log.warn({ why: messageOf(error), reason }, what)
    this.#options.counts.fellThrough(reason)
    return absent(what, undefined)
  }
}

type Streamed = Extract<Awaited<ReturnType<Exchange['relay']>>, { readonly outcome: 'stream' }>

const inFlight = (digest: Digest, { total: size, isWhole }: Streamed, start: number | undefined) => {
  const range = start === undefined ? undefined : { start, end: size - 1 }
  return { digest, size, mediaType: 'application/octet-stream', range, isInFlight: isWhole !== true } as const
}

function absent(message: string, reason: FallReason | undefined): Outcome {
  return { kind: 'absent', message, reason, attempts: undefined }
}

const nameOf = ({ digest, registry, repository, tag }: AskedContent): string => digest ?? `${registry}/${repository}:${tag}`
