// Whether tags are answered from the cluster: always, never, or while their registry is away, which is looked at in the background.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { type BreakerState, closedBreaker, onProbe, onTag } from './tags-breaker.ts'

/** Registries whose state is kept. */
const mostRegistries = 256
/** Registries that are looked at at a time. */
const mostProbes = 8

interface TagPolicyOptions {
  readonly tags: 'always' | 'never' | 'fallback'
  /** Whether the registry answers anything at all; never throws. */
  readonly probe: (registry: string, signal: AbortSignal) => Promise<boolean>
  readonly clock: Pick<Clock, 'elapsed'>
  readonly log: Log
}

export class TagPolicy implements Disposable {
  readonly #options: TagPolicyOptions
  readonly #states = new LRUCache<string, BreakerState>({ max: mostRegistries })
  readonly #stop = new AbortController()
  #probes = 0

  constructor(options: TagPolicyOptions) {
    this.#options = options
  }

  /** Comes back at once; with `fallback` it may begin to look at the registry. */
  answers(registry: string): boolean {
    if (this.#options.tags !== 'fallback') return this.#options.tags === 'always'
    const { state, isProbed } = onTag(this.#state(registry), this.#options.clock.elapsed())
    if (isProbed && this.#probes < mostProbes) {
      this.#states.set(registry, state)
      this.#probes++
      void this.#probe(registry)
    }
    return state.isOpen
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new DOMException('the exchange is closed', 'AbortError'))
  }

  async #probe(registry: string): Promise<void> {
    const isReachable = await this.#options.probe(registry, this.#stop.signal)
    this.#probes--
    if (this.#stop.signal.aborted) return
    const before = this.#state(registry)
    const after = onProbe(before, isReachable)
    this.#states.set(registry, after)
    if (before.isOpen !== after.isOpen)
      this.#options.log.info({ registry, isReachable }, 'a registry went away or came back: its tags are answered accordingly')
  }

  #state(registry: string): BreakerState {
    return this.#states.get(registry) ?? closedBreaker
  }
}
