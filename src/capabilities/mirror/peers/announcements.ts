// Which keys are announced, and when each has to be told again. Pure but for the clock and chance that are handed in.
import type { Random } from '#kube/random.ts'
import { multihashOf, textOf } from './keys.ts'

/** A key is told again after this, and later by chance up to `spreadMs`: never all at once. */
export const announceEveryMs = 15 * 60_000
export const spreadMs = 2 * 60_000

/** Keys as text of their multihash's digest: 32 characters a key. There may be tens of thousands: of each there is a small number and no object. */
export class Announcements {
  /** Those that are announced for good, with the second in which each is told again. */
  readonly #due = new Map<string, number>()
  /** Those that are announced once, with the millisecond in which each runs out. */
  readonly #untilMs = new Map<string, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** Those that are announced for good. */
  get size(): number {
    return this.#due.size
  }

  has(digest: string): boolean {
    return this.#due.has(digest) || this.#untilMs.has(digest)
  }

  /** Digests that were not announced yet; those with `validMs` always, since they are told anew. */
  add(keys: Iterable<string>, nowMs: number, validMs: number | undefined): readonly string[] {
    const fresh: string[] = []
    for (const key of keys) {
      const digest = digestOf(key)
      if (validMs === undefined && this.#due.has(digest)) continue
      const [into, from] = validMs === undefined ? [this.#due, this.#untilMs] : [this.#untilMs, this.#due]
      from.delete(digest)
      into.set(digest, validMs === undefined ? this.#next(nowMs) : nowMs + validMs)
      fresh.push(digest)
    }
    return fresh
  }

  /** Digests that were announced. */
  remove(keys: Iterable<string>): readonly string[] {
    return [...keys].map(digestOf).filter(digest => this.#due.delete(digest) || this.#untilMs.delete(digest))
  }

  /** What has to be told now; it counts as told. Keys that ran out are forgotten. */
  due(nowMs: number): readonly string[] {
    for (const [digest, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(digest)
    const found: string[] = []
    for (const [digest, second] of this.#due) if (second * 1_000 <= nowMs) found.push(digest)
    for (const digest of found) this.#due.set(digest, this.#next(nowMs))
    return found
  }

  /** All for good, to tell somebody who is new. */
  all(): readonly string[] {
    return [...this.#due.keys()]
  }

  /** A second of the clock: no earlier than the key is due, and no later than the spread allows. */
  #next(nowMs: number): number {
    const earliestMs = nowMs + announceEveryMs
    return Math.min(Math.ceil((earliestMs + this.#random() * spreadMs) / 1_000), Math.floor((earliestMs + spreadMs) / 1_000))
  }
}

export const digestOf = (key: string): string => textOf(multihashOf(key).subarray(2))
