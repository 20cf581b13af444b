// Look-ups of keys, shared: one at a time for a key, its peers kept for 5 s, asked again after 2.5 s where they are too few.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { Peer } from '../contract.ts'
import { atMost } from '../remembered.ts'

const keptMs = 5_000
const askedAgainAfterMs = keptMs / 2
/** Keys whose look-ups are kept at once. */
const mostKeptLookups = 4_096

/** Finds peers of a key until `isEnough`, or none is left, or `signal` is aborted (without an error). */
export type Search = (key: string, found: (peer: Peer) => void, isEnough: () => boolean, signal: AbortSignal) => Promise<void>

interface Kept {
  readonly sinceMs: number
  askedMs: number
  readonly peers: Map<string, Peer>
  readonly dropped: Set<string>
  /** The search under way. */
  stop: AbortController | undefined
  /** How many peers the one who wants most wants. */
  wanted: number
  readers: number
  /** Resolves at the next peer, or the search's end. */
  news: PromiseWithResolvers<void>
}

export class Lookups {
  readonly #clock: Clock
  readonly #search: Search
  readonly #onFault: (key: string, error: unknown) => void
  readonly #kept = new LRUCache<string, Kept>(atMost(mostKeptLookups))

  constructor(clock: Clock, search: Search, onFault: (key: string, error: unknown) => void) {
    this.#clock = clock
    this.#search = search
    this.#onFault = onFault
  }

  /** Peers of the key as they are found, each once, at most `count`; ends without an error when `signal` is aborted. */
  async *lookup(key: string, { count, signal }: { readonly count: number; readonly signal: AbortSignal }): AsyncGenerator<Peer> {
    const kept = this.#current(key, count)
    const given = new Set<string>()
    kept.readers++
    const { promise: aborted, resolve } = Promise.withResolvers<void>()
    const onAbort = () => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted && given.size < count) {
        const { news } = kept
        const next = kept.peers.values().find(({ id }) => !given.has(id))
        if (next !== undefined) {
          given.add(next.id)
          yield next
          continue
        }
        if (kept.stop === undefined) return
        await Promise.race([news.promise, aborted])
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      if (--kept.readers === 0) kept.stop?.abort()
    }
  }

  /** The peer no longer has it: it is not given again while this look-up is kept. */
  drop(key: string, peer: string): void {
    const kept = this.#kept.get(key)
    kept?.peers.delete(peer)
    kept?.dropped.add(peer)
  }

  #current(key: string, count: number): Kept {
    const nowMs = this.#clock.elapsed()
    let kept = this.#kept.get(key)
    if (kept === undefined || (nowMs - kept.sinceMs >= keptMs && kept.stop === undefined)) {
      kept = {
        sinceMs: nowMs,
        askedMs: Number.NEGATIVE_INFINITY,
        peers: new Map(),
        dropped: new Set(),
        stop: undefined,
        wanted: count,
        readers: 0,
        news: Promise.withResolvers(),
      }
      this.#kept.set(key, kept)
    }
    kept.wanted = Math.max(kept.wanted, count)
    const isShort = kept.peers.size < count && nowMs - kept.askedMs >= askedAgainAfterMs
    if (kept.stop === undefined && isShort) this.#ask(key, kept, nowMs)
    return kept
  }

  #ask(key: string, kept: Kept, nowMs: number): void {
    const stop = new AbortController()
    kept.stop = stop
    kept.askedMs = nowMs
    kept.news = Promise.withResolvers()
    const found = (peer: Peer) => {
      if (kept.dropped.has(peer.id) || kept.peers.has(peer.id)) return
      kept.peers.set(peer.id, peer)
      this.#tell(kept)
    }
    this.#search(key, found, () => kept.peers.size >= kept.wanted, stop.signal)
      .catch((error: unknown) => this.#onFault(key, error))
      .finally(() => {
        // A search that nobody waited for to its end says nothing of who has it.
        if (stop.signal.aborted) kept.askedMs = Number.NEGATIVE_INFINITY
        kept.stop = undefined
        this.#tell(kept)
      })
  }

  #tell(kept: Kept): void {
    const { news } = kept
    kept.news = Promise.withResolvers()
    news.resolve()
  }
}
