// How fast a source has to be so as not to count as broken, by what other sources gave. Pure: times come as arguments, and nothing is asked.
import { LRUCache } from 'lru-cache'
import type { Digest } from '../../reference.ts'

/** A body is judged each time that so much of its source was waited for: less says how soon the first bytes come, not how fast the rest. */
export const graceMs = 3_000
/** The same of another node's download that still goes on: a registry that pauses for a moment pauses for all who follow. */
export const graceInFlightMs = 10_000
/** Bodies by which the rate of a kind of source is known. */
const mostRemembered = 16
/** A smaller body takes the time of its beginning: connecting, a token, a redirect. */
const leastBytes = 1_048_576
/** A source that gives a part of what the registry gives is no worse for it: the registry's bytes cost more. */
const tolerated = 4
/** Bytes a second below which nothing is waited for, however slow the registry is, and which are enough, however fast it is. */
const leastRate = 65_536
const mostRate = 4_194_304
/** What the registry is taken to give, over `tolerated`, while nothing of it is known. */
const unknownRate = 1_048_576
/**
 * A download that another node has under way comes as the registry gives it, through nodes in between, to many at a time. One that is left
 * for its slowness is one more copy from outside, which makes the others slower: so it has to be far slower than that.
 */
const toleratedInFlight = 16
const mostRateInFlight = 262_144

/** Nodes that one with a limit for what it sends may serve at a time, without being slow for it. */
const servedAtOnce = 8

/** Downloads from outside that are being measured; a slower one counts as none, as one that was given up does. */
const mostMeasured = 1_024
const longestMeasuredMs = 600_000

/** Where a body comes from: another node, or the registry. */
export type SourceKind = 'peer' | 'outside'

/** A part of a body, or all of it. */
export interface Brought {
  readonly bytes: number
  /** How long its source was waited for, in milliseconds; not how long whoever read it took. */
  readonly elapsedMs: number
}

/** Whether a source is so slow that another one is asked for the rest: never before `afterMs`, and never at a `minimumRate` of 0. */
export function isTooSlow({
  elapsedMs,
  bytes,
  minimumRate,
  afterMs = graceMs,
}: Brought & { readonly minimumRate: number; readonly afterMs?: number }): boolean {
  return elapsedMs >= afterMs && bytes * 1_000 < minimumRate * elapsedMs
}

interface Measured {
  readonly sinceMs: number
  readonly start: number
}

/**
 * What sources gave, in bytes a second, and what is therefore to be had of the next. Guarantees: a minimum is between 64 KiB/s and 4 MiB/s,
 * or 0 for no minimum; it never falls when the registry is seen to be faster; what is kept has a bound.
 */
export class SourceRates {
  readonly #rates: Readonly<Record<SourceKind, number[]>> = { peer: [], outside: [] }
  readonly #next: Record<SourceKind, number> = { peer: 0, outside: 0 }
  readonly #most: number
  readonly #measured = new LRUCache<Digest, Measured>({ max: mostMeasured })

  /** @param options.uploadLimit bytes a second that each node sends to others at most, in all; 0: as many as it can */
  constructor({ uploadLimit = 0 }: { readonly uploadLimit?: number } = {}) {
    this.#most = uploadLimit > 0 ? uploadLimit / servedAtOnce : Number.POSITIVE_INFINITY
  }

  /** A body has come, or a peer's part of one. */
  ended(kind: SourceKind, { bytes, elapsedMs }: Brought): void {
    if (bytes < leastBytes) return
    const rates = this.#rates[kind]
    rates[this.#next[kind]] = (bytes * 1_000) / Math.max(1, elapsedMs)
    this.#next[kind] = (this.#next[kind] + 1) % mostRemembered
  }

  /** The node's containerd was told just now, at `nowMs`, that it has to ask the registry, for all from the byte `start` on. */
  leftToOutside(digest: Digest, start: number, nowMs: number): void {
    this.#measured.set(digest, { start, sinceMs: nowMs })
  }

  /** It comes from somewhere else after all. */
  notFromOutside(digest: Digest): void {
    this.#measured.delete(digest)
  }

  /** Whether it is being measured how fast the registry gives it. */
  isMeasured(digest: Digest): boolean {
    return this.#measured.has(digest)
  }

  /** The node has it whole at `nowMs`; `size` in bytes. */
  committed(digest: Digest, size: number, nowMs: number): void {
    const measured = this.#measured.get(digest)
    this.#measured.delete(digest)
    if (measured === undefined) return
    const elapsedMs = nowMs - measured.sinceMs
    if (elapsedMs <= longestMeasuredMs) this.ended('outside', { bytes: size - measured.start, elapsedMs })
  }

  /** Bytes a second that a kind of source usually gives: the median of what is remembered; `undefined`: nothing is. */
  usual(kind: SourceKind): number | undefined {
    const sorted = this.#rates[kind].toSorted((one, other) => one - other)
    return sorted[Math.floor((sorted.length - 1) / 2)]
  }

  /**
   * Bytes a second below which a source is left for another. Nodes of which all are slow, with a registry of which nothing is known, are
   * usual there and not slow: then what they give counts in its place, so far as it is less.
   * @param options.isInFlight another node's download that still goes on: 0 while nothing is known of the registry
   * @param options.sharing bodies that this node receives at a time, this one among them: they share its link
   */
  minimumRate({ isInFlight = false, sharing = 1 }: { readonly isInFlight?: boolean; readonly sharing?: number } = {}): number {
    const outside = this.usual('outside')
    const shared = (rate: number, most: number) => Math.max(leastRate, Math.min(rate, most, this.#most) / Math.max(1, sharing))
    if (isInFlight) return outside === undefined ? 0 : shared(outside / toleratedInFlight, mostRateInFlight)
    if (outside !== undefined) return shared(outside / tolerated, mostRate)
    const peers = this.usual('peer')
    return shared(peers === undefined ? unknownRate : peers / tolerated, unknownRate)
  }
}
