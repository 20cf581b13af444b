// The loop of a capability that carries out plans. Level-based: each pass looks at all policies and plans as they are now, does what is
// due, and begins again; nothing is remembered between passes, so that a new leader's first pass is like any other.
import { messageOf } from '#kube/log.ts'
import { Bell } from '../arbiter/bell.ts'
import type { Check, ControllerContext, Leading, Running } from '../capability.ts'
import type { PlanKeeper } from './plan-keeper.ts'
import type { Plans, Policies } from './plan-store.ts'

const intervals = {
  /** Old gates, permits over their time. */
  sweepMs: 10_000,
  /** How long moves under way may take to land when the controller stops: less than pods are given to end. */
  drainMs: 20_000,
  firstErrorMs: 1_000,
  longestErrorMs: 30_000,
  wallLookMs: 60_000,
} as const

interface PlanLoopOptions {
  readonly context: ControllerContext
  readonly leading: Leading
  /** Name of the capability. */
  readonly name: string
  readonly plans: Plans
  readonly policies: Policies
}

interface LoopWork {
  readonly keeper: PlanKeeper
  /** Does what is due. @returns after how many milliseconds something may be due though nothing changed */
  readonly pass: (signal: AbortSignal) => Promise<number>
}

export class PlanLoop {
  readonly #options: PlanLoopOptions
  readonly #bell: Bell
  readonly #stop = new AbortController()
  #failure: string | undefined
  #isClean = false
  /** Something was changed by others since the pass began. */
  #isRung = false
  #isStopping = false

  constructor(options: PlanLoopOptions) {
    this.#options = options
    this.#bell = new Bell(options.context.clock)
  }

  /** What is under way is followed up, nothing new begins. */
  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Starts the loop. The returned part ends it, takes away what steers, and waits for that. */
  async start<Config>(work: LoopWork, outer: AbortSignal): Promise<Running<Config>> {
    const signal = AbortSignal.any([outer, this.#stop.signal])
    const { context, plans, policies } = this.#options
    await context.informers.allSynced(signal)
    const resources = new DisposableStack()
    resources.defer(plans.onWish(() => this.#wake(work)))
    resources.defer(policies.onWish(() => this.#wake(work)))
    const running = [this.#run(work, signal), this.#sweep(work, signal)]
    return {
      health: () => this.#health(),
      reconfigure: async () => 'restart-part',
      [Symbol.asyncDispose]: async () => {
        await this.#drain(running, outer)
        resources.dispose()
        await work.keeper.cleanUp('the controller stops', outer)
      },
    }
  }

  /** Lets what is under way land, for a while; then ends everything. */
  async #drain(running: readonly Promise<void>[], outer: AbortSignal): Promise<void> {
    this.#isStopping = true
    this.#bell.ring()
    const [loop] = running
    const isOver = new AbortController()
    const limitOrEnd = AbortSignal.any([outer, isOver.signal])
    const limit = this.#options.context.clock.after(intervals.drainMs, limitOrEnd).catch(() => undefined) // an abort of it means the same here as its time: go on
    await Promise.race([loop, limit])
    isOver.abort()
    this.#stop.abort(new DOMException(`${this.#options.name} is stopped`, 'AbortError'))
    await Promise.all(running)
  }

  #wake(work: LoopWork): void {
    work.keeper.forgetPauses()
    this.#isRung = true
    this.#bell.ring()
    this.#options.leading.view.ring()
  }

  async #run(work: LoopWork, signal: AbortSignal): Promise<void> {
    const { context, name } = this.#options
    for (let failures = 0; !signal.aborted && !this.#isStopping; ) {
      try {
        this.#isRung = false
        await this.#tidy(work, signal)
        const waitMs = await work.pass(signal)
        this.#failure = undefined
        failures = 0
        // What waits for a time of day is looked at again: it may be set.
        const limitMs = Math.min(waitMs, intervals.wallLookMs)
        await this.#bell.until(() => (this.#isRung || this.#isStopping ? true : undefined), { limitMs, signal })
      } catch (error) {
        if (signal.aborted) return
        this.#failure = messageOf(error)
        const delayMs = Math.min(intervals.longestErrorMs, intervals.firstErrorMs * 2 ** failures++)
        context.log.error({ capability: name, delayMs, why: this.#failure }, 'pass failed, tried again')
        await context.clock.after(delayMs, signal).catch((reason: unknown) => {
          if (!signal.aborted) throw reason
        })
      }
    }
  }

  /** What an earlier leader, or a plan that was taken away, has left. */
  async #tidy({ keeper }: LoopWork, signal: AbortSignal): Promise<void> {
    if (!this.#isClean) {
      await keeper.takeOver(signal)
      this.#isClean = true
    } else if (keeper.isForsaken()) await keeper.cleanUp('its plan was deleted', signal)
    await keeper.expireOrphans(signal)
  }

  async #sweep(work: LoopWork, signal: AbortSignal): Promise<void> {
    const { context, name } = this.#options
    while (!signal.aborted) {
      try {
        await context.clock.after(intervals.sweepMs, signal)
        await work.keeper.sweep(signal)
      } catch (error) {
        if (signal.aborted) return
        context.log.warn({ capability: name, why: messageOf(error) }, 'sweep failed, tried again')
      }
    }
  }

  #health(): readonly Check[] {
    return [{ name: 'loop', ok: this.#failure === undefined, ...(this.#failure === undefined ? {} : { message: this.#failure }) }]
  }
}
