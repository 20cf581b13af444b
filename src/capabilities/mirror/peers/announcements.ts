// Which keys are announced, and when each has to be told again. Pure but for the clock and chance that are handed in.
import type { Random } from '#kube/random.ts'
import { multihashOf, textOf } from './keys.ts'

/** A key is told again after this, and later by chance up to `spreadMs`: never all at once. */
export const announceEveryMs = 15 * 60_000
export const spreadMs = 2 * 60_000

interface Announced {
  dueMs: number
  /** When a key that is announced once runs out. */
  readonly untilMs: number | undefined
}

/** Keys as text of their multihash's digest: 32 characters a key. */
export class Announcements {
  readonly #keys = new Map<string, Announced>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** Those that are announced for good. */
  get size(): number {
    return this.#keys.size
  }

  has(digest: string): boolean {
    return this.#keys.has(digest)
  }

  /** Digests that were not announced yet; those with `validMs` always, since they are told anew. */
  add(keys: Iterable<string>, nowMs: number, validMs: number | undefined): readonly string[] {
    const fresh: string[] = []
    for (const key of keys) {
      const digest = digestOf(key)
      if (validMs === undefined && this.#keys.get(digest)?.untilMs === undefined && this.#keys.has(digest)) continue
      const untilMs = validMs === undefined ? undefined : nowMs + validMs
      this.#keys.set(digest, { dueMs: validMs === undefined ? this.#next(nowMs) : Number.POSITIVE_INFINITY, untilMs })
      fresh.push(digest)
    }
    return fresh
  }

  /** Digests that were announced. */
  remove(keys: Iterable<string>): readonly string[] {
    return [...keys].map(digestOf).filter(digest => this.#keys.delete(digest))
  }

  /** What has to be told now; it counts as told. Keys that ran out are forgotten. */
  due(nowMs: number): readonly string[] {
    const found: string[] = []
    for (const [digest, announced] of this.#keys) {
      if (announced.untilMs !== undefined && announced.untilMs <= nowMs) this.#keys.delete(digest)
      if (announced.dueMs > nowMs) continue
      announced.dueMs = this.#next(nowMs)
      found.push(digest)
    }
    return found
  }

  /** All for good, to tell somebody who is new. */
  all(): readonly string[] {
    return [...this.#keys].filter(([, { untilMs }]) => untilMs === undefined).map(([digest]) => digest)
  }

  #next(nowMs: number): number {
    return nowMs + announceEveryMs + this.#random() * spreadMs
  }
}

export const digestOf = (key: string): string => textOf(multihashOf(key).subarray(2))
