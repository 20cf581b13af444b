// The scheduler's model of a large cluster, made ahead of who asks: standing 150,000 pods on 5,000 nodes takes more than the event loop can
// be kept from everything else, so it is done in pieces, and what is made serves for a while.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'

/** Up to so many pods a view makes the model itself, of the very state that it shows. */
const mostPodsAtOnce = 5_000
/** A model is made anew no more often than so. */
const renewEveryMs = 10_000
/** An older one is not shown: who asks waits for the next. */
const longestShownMs = 60_000

interface KeeperOptions {
  /** Real time: how old a model is, and when the event loop gets its turns. */
  readonly wallClock: Clock
  readonly state: () => ClusterState
  readonly settings: () => SchedulerSettings
  /** The cluster's time. */
  readonly nowMs: () => number
  /** There is a newer model. */
  readonly onRenewed: () => void
  readonly log: Log
  readonly signal: AbortSignal
}

/** The pods as they stood at `atMs` of the cluster's time. To be forked, not changed. */
interface PlacedAt {
  readonly placement: Placement
  readonly atMs: number
}

interface Known extends PlacedAt {
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly madeMs: number
}

/**
 * Flow: `prepare` by whoever is about to compute a view that needs the model, then `current`.
 * Guarantees: no piece of the work is longer than a few milliseconds; while nobody prepares nothing is made.
 */
export class PlacementKeeper {
  readonly #options: KeeperOptions
  #known: Known | undefined
  #making: Promise<void> | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** What `prepare` has made; `undefined` where the cluster is small, or nobody asked lately. */
  current(): PlacedAt | undefined {
    return this.#ageMs() <= longestShownMs ? this.#known : undefined
  }

  /** Resolves when `current` can be shown: at once where it is young. Never rejects. */
  async prepare(): Promise<void> {
    if (!this.#isNeeded() || this.#options.signal.aborted) return
    const ageMs = this.#ageMs()
    if (ageMs > renewEveryMs && this.#known?.state === this.#options.state()) {
      this.#known = { ...this.#known, madeMs: this.#options.wallClock.elapsed(), atMs: this.#options.nowMs() }
      return
    }
    if (ageMs > renewEveryMs)
      this.#making ??= this.#make().finally(() => {
        this.#making = undefined
      })
    if (ageMs > longestShownMs) await this.#making
  }

  #isNeeded(): boolean {
    return this.#options.state().pods.size > mostPodsAtOnce
  }

  #ageMs(): number {
    return this.#known === undefined ? Number.POSITIVE_INFINITY : this.#options.wallClock.elapsed() - this.#known.madeMs
  }

  async #make(): Promise<void> {
    const { wallClock, onRenewed, log, signal } = this.#options
    const [state, settings, atMs] = [this.#options.state(), this.#options.settings(), this.#options.nowMs()]
    const breathe = breather(wallClock)
    try {
      await breathe()
      const isSame = JSON.stringify(this.#known?.settings) === JSON.stringify(settings)
      const like = isSame ? this.#known?.placement : undefined
      const placement = new Placement(state, settings, { emptyLike: like })
      for (const pod of state.pods.values()) {
        placement.stand(pod)
        await breathe()
        if (signal.aborted) return
      }
      this.#known = { placement, atMs, state, settings, madeMs: wallClock.elapsed() }
      onRenewed()
    } catch (error) {
      log.error({ why: messageOf(error) }, 'where pods may go could not be worked out')
    }
  }
}
