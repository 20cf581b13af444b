// Peers and digests that are left alone for a while, because bytes did not match.
import type { Clock } from '#kube/clock.ts'
import type { ExchangeState } from '../../contract.ts'
import type { Digest } from '../../reference.ts'

/** Entries; beyond that the oldest is let go. */
const mostEntries = 1_000

interface Entry {
  readonly peer: string | undefined
  readonly digest: Digest | undefined
  readonly untilMs: number
}

export class Quarantine {
  readonly #clock: Clock
  readonly #forMs: number
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock, forMs: number) {
    this.#clock = clock
    this.#forMs = forMs
  }

  /** Nothing of the peer is taken. */
  addPeer(peer: string): void {
    this.#add({ peer, digest: undefined })
  }

  /** The digest is taken from nobody. */
  addDigest(digest: Digest): void {
    this.#add({ peer: undefined, digest })
  }

  /** The digest is not taken from this peer. */
  addPair(peer: string, digest: Digest): void {
    this.#add({ peer, digest })
  }

  hasDigest(digest: Digest): boolean {
    return this.#has({ peer: undefined, digest })
  }

  /** Whether `digest` (or anything, where none is known yet) is not to be taken from `peer`. */
  bars(peer: string, digest: Digest | undefined): boolean {
    return this.#has({ peer, digest: undefined }) || (digest !== undefined && this.#has({ peer, digest }))
  }

  /** What is left alone now; times in milliseconds since 1970. */
  entries(): ExchangeState['quarantined'] {
    for (const [key, { untilMs }] of this.#entries) if (untilMs <= this.#clock.elapsed()) this.#entries.delete(key)
    const toDate = this.#clock.now() - this.#clock.elapsed()
    return [...this.#entries.values()].map(entry => ({ ...entry, untilMs: Math.round(entry.untilMs + toDate) }))
  }

  #add(entry: Omit<Entry, 'untilMs'>): void {
    const key = keyOf(entry)
    this.#entries.delete(key)
    this.#entries.set(key, { ...entry, untilMs: this.#clock.elapsed() + this.#forMs })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= mostEntries) break
      this.#entries.delete(oldest)
    }
  }

  #has(entry: Omit<Entry, 'untilMs'>): boolean {
    const found = this.#entries.get(keyOf(entry))
    return found !== undefined && found.untilMs > this.#clock.elapsed()
  }
}

const keyOf = ({ peer, digest }: Omit<Entry, 'untilMs'>): string => `${peer ?? ''} ${digest ?? ''}`
