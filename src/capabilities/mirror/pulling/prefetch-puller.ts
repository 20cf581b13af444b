// Pulls images on this node before pods need them: by the container runtime, as the kubelet would, so that layers come from other nodes where
// they have them. One at a time: what pods wait for goes first.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'
import type { Prefetcher, PrefetchState } from '../prefetch.ts'
import { createLease, deleteLease, imageStatus, pullImage } from '../store/containerd-api.ts'
import { ContainerdClient } from '../store/containerd-client.ts'

/** Images that wait, or of which it is remembered how they ended. */
const mostKnown = 256
/** For one image. The runtime's own limit is on progress. */
const pullLimitMs = 3_600_000
/** Time for the question whether an image is here. */
const lookLimitMs = 900
/** How long a pulled image is kept from the runtime's garbage collection, though no pod runs it. */
const leaseMs = 3_600_000
/** So long a failure is told before the image is tried again when it is asked for. */
const failedMs = 60_000

export interface PullerOptions {
  readonly socket: string
  readonly namespace: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Known {
  readonly state: 'queued' | 'pulling' | 'present' | 'failed'
  readonly message?: string
  /** When it ended, by the clock's `elapsed()`. */
  readonly atMs: number
}

export class PrefetchPuller implements Prefetcher, AsyncDisposable {
  readonly #options: PullerOptions
  readonly #client: ContainerdClient
  readonly #known = new Map<string, Known>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: PullerOptions) {
    this.#options = options
    this.#client = new ContainerdClient(options)
  }

  async ask(images: readonly string[]): Promise<readonly PrefetchState[]> {
    const states: PrefetchState[] = []
    const isHere = await Promise.all(images.map(image => this.#isHere(image)))
    for (const [at, image] of images.entries()) states.push(this.#stateOf(image, isHere[at]))
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined
    })
    return states
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the agent ends', 'AbortError'))
    await this.#running
    this.#client[Symbol.dispose]()
  }

  /** `undefined`: the runtime did not say. */
  async #isHere(image: string): Promise<boolean | undefined> {
    try {
      const { image: found } = await this.#client.call(imageStatus, { image: { image } }, this.#stop.signal, lookLimitMs)
      return found !== undefined
    } catch (error) {
      this.#options.log.debug({ image, why: messageOf(error) }, 'the runtime did not say whether an image is here')
      return undefined
    }
  }

  #stateOf(image: string, isHere: boolean | undefined): PrefetchState {
    const nowMs = this.#options.clock.elapsed()
    if (isHere === true) {
      if (this.#known.get(image)?.state !== 'pulling') this.#known.delete(image)
      return { image, state: 'present' }
    }
    const known = this.#known.get(image)
    const isOver = known !== undefined && (known.state === 'present' || nowMs - known.atMs >= failedMs)
    if (known !== undefined && (known.state === 'queued' || known.state === 'pulling' || !isOver))
      return { image, state: known.state, ...(known.message === undefined ? {} : { message: known.message }) }
    if (known === undefined && !this.#makeRoom()) return { image, state: 'refused', message: `${mostKnown} images wait already` }
    this.#known.set(image, { state: 'queued', atMs: nowMs })
    return { image, state: 'queued' }
  }

  /** What ended is forgotten first. */
  #makeRoom(): boolean {
    if (this.#known.size < mostKnown) return true
    const [ended] = [...this.#known].find(([, { state }]) => state === 'present' || state === 'failed') ?? []
    return ended !== undefined && this.#known.delete(ended)
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = [...this.#known].find(([, { state }]) => state === 'queued') ?? []
      if (next === undefined || this.#stop.signal.aborted) return
      const { clock, log } = this.#options
      this.#known.set(next, { state: 'pulling', atMs: clock.elapsed() })
      try {
        await this.#pull(next)
        this.#known.set(next, { state: 'present', atMs: clock.elapsed() })
        log.info({ image: next }, 'an image was pulled beforehand')
      } catch (error) {
        if (this.#stop.signal.aborted) return
        const message = messageOf(error).slice(0, 1_000)
        this.#known.set(next, { state: 'failed', message, atMs: clock.elapsed() })
        log.warn({ image: next, why: message }, 'an image could not be pulled beforehand')
      }
    }
  }

  /** @throws StoreUnavailable with the runtime's words */
  async #pull(image: string): Promise<void> {
    const { socket, namespace, clock, random } = this.#options
    const { signal } = this.#stop
    const id = `ballast-prefetch-${randomUuid(random)}`
    const labels = new Map([['containerd.io/gc.expire', formatTime(clock.now() + leaseMs)]])
    await this.#client.call(createLease, { id, labels }, signal)
    using client = new ContainerdClient({ socket, namespace, lease: id, clock })
    try {
      await client.call(pullImage, { image: { image } }, signal, pullLimitMs)
    } catch (error) {
      // What came of it so far is kept for the next try only by the runtime's own rules.
      await this.#client.call(deleteLease, { id, sync: false }, new AbortController().signal).catch((why: unknown) => {
        this.#options.log.debug({ lease: id, why: messageOf(why) }, 'a lease is left to run out')
      })
      throw error
    }
  }
}
