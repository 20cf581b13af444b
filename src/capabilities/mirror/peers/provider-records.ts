// Who provides what, as others told us. Bounded in every direction, since anybody in the cluster may tell.
import type { Clock } from '#kube/clock.ts'

/** Providers of one key; a further one is refused. */
export const mostProvidersOfAKey = 1_000
const mostKeys = 250_000
/** Most records of all keys together. */
const mostRecords = 1_000_000

/** Peers as small numbers, seconds as small numbers: a record is two of them. */
type Records = number[]

export class ProviderRecords {
  readonly #clock: Clock
  readonly #byKey = new Map<string, Records>()
  readonly #numbers = new Map<string, number>()
  readonly #peers: string[] = []
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get keys(): number {
    return this.#byKey.size
  }

  get records(): number {
    return this.#count
  }

  #seconds(): number {
    return Math.floor(this.#clock.elapsed() / 1_000)
  }

  /** `key` as text of its multihash's digest. False where it is full. */
  add(key: string, peer: string, validMs: number): boolean {
    const number = this.#numberOf(peer)
    const until = this.#seconds() + Math.ceil(validMs / 1_000)
    const records = this.#byKey.get(key)
    if (records === undefined) {
      if (this.#byKey.size >= mostKeys || this.#count >= mostRecords) return false
      this.#byKey.set(key, [number, until])
      this.#count++
      return true
    }
    for (let index = 0; index < records.length; index += 2) {
      if (records[index] !== number) continue
      records[index + 1] = until
      return true
    }
    if (records.length >= mostProvidersOfAKey * 2) this.#sweepKey(key, records)
    if (records.length >= mostProvidersOfAKey * 2 || this.#count >= mostRecords) return false
    records.push(number, until)
    this.#count++
    return true
  }

  remove(key: string, peer: string): void {
    const number = this.#numbers.get(peer)
    const records = this.#byKey.get(key)
    if (number === undefined || records === undefined) return
    this.#keep(key, records, (provider, _until) => provider !== number)
  }

  /** Peers whose record of the key is valid. */
  of(key: string): readonly string[] {
    const records = this.#byKey.get(key)
    if (records === undefined) return []
    const now = this.#seconds()
    const found: string[] = []
    for (let index = 0; index < records.length; index += 2) {
      const peer = this.#peers[records[index] ?? -1]
      if (peer !== undefined && (records[index + 1] ?? 0) > now) found.push(peer)
    }
    return found
  }

  /** Forgets what has run out. `pause` is awaited between slices of it. */
  async sweep(pause: () => Promise<void>): Promise<void> {
    let looked = 0
    for (const [key, records] of this.#byKey) {
      this.#sweepKey(key, records)
      if (++looked % 64 === 0) await pause()
    }
    if (this.#byKey.size > 0) return
    this.#numbers.clear()
    this.#peers.length = 0
  }

  #sweepKey(key: string, records: Records): void {
    const now = this.#seconds()
    for (let index = 1; index < records.length; index += 2) {
      if ((records[index] ?? 0) > now) continue
      this.#keep(key, records, (_provider, until) => until > now)
      return
    }
  }

  #keep(key: string, records: Records, isKept: (provider: number, until: number) => boolean): void {
    let kept = 0
    for (let index = 0; index < records.length; index += 2) {
      const provider = records[index] ?? 0
      const until = records[index + 1] ?? 0
      if (!isKept(provider, until)) continue
      records[kept] = provider
      records[kept + 1] = until
      kept += 2
    }
    this.#count -= (records.length - kept) / 2
    records.length = kept
    if (kept === 0) this.#byKey.delete(key)
  }

  #numberOf(peer: string): number {
    const known = this.#numbers.get(peer)
    if (known !== undefined) return known
    const number = this.#peers.length
    this.#peers.push(peer)
    this.#numbers.set(peer, number)
    return number
  }
}
