// How fast the registry gives what this node was left to fetch from it: from the 404 that sent containerd there to the moment it has it.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Store, StoreChange, Wanted } from '../contract.ts'
import { type Digest, parseDigest } from '../reference.ts'
import type { SourceRates } from './transfer/minimum-rate.ts'

interface OutsideWatchOptions {
  readonly store: Pick<Store, 'changes' | 'info'>
  readonly rates: SourceRates
  /** Told of each digest that came into the store. */
  readonly onHere: (digest: Digest) => void
  readonly clock: Clock
  readonly log: Log
}

/** Watches until it is disposed of. A containerd before 2.1 tells of content only with its image, so there the registry passes for slower than it is. */
export class OutsideWatch implements Disposable {
  readonly #options: OutsideWatchOptions
  readonly #stop = new AbortController()

  constructor(options: OutsideWatchOptions) {
    this.#options = options
    void this.#run()
  }

  /** An answer to the node's own containerd: whether other nodes had it. */
  answered({ route, method, digest, range }: Wanted, isFound: boolean): void {
    const { rates, clock } = this.#options
    if (route !== 'blobs' || method !== 'GET' || digest === undefined) return
    const start = range === undefined ? 0 : 'start' in range && range.end === undefined ? range.start : undefined
    // Nobody knows of parts which is brought when.
    if (isFound || start === undefined) rates.notFromOutside(digest)
    else rates.leftToOutside(digest, start, clock.elapsed())
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new DOMException('the exchange ends', 'AbortError'))
  }

  async #run(): Promise<void> {
    try {
      for await (const change of this.#options.store.changes(this.#stop.signal)) await this.#changed(change)
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#options.log.warn({ why: messageOf(error) }, 'how fast the registry is stays unknown: the store tells no changes')
    }
  }

  async #changed(change: StoreChange): Promise<void> {
    if (change.kind === 'all') return
    const nowMs = this.#options.clock.elapsed()
    for (const key of change.added) {
      const digest = parseDigest(key)
      if (digest === undefined) continue
      this.#options.onHere(digest)
      if (this.#options.rates.isMeasured(digest)) await this.#committed(digest, nowMs)
    }
  }

  async #committed(digest: Digest, nowMs: number): Promise<void> {
    const { store, rates, log } = this.#options
    try {
      const info = await store.info(digest, this.#stop.signal)
      if (info !== undefined) rates.committed(digest, info.size, nowMs)
    } catch (error) {
      rates.notFromOutside(digest)
      log.debug({ digest, why: messageOf(error) }, 'the store does not tell the size of what came')
    }
  }
}
