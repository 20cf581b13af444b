// What the process knows of one part over all its lives and terms: its state for health and metrics, its faults for the supervision.
import type { Check } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { type FaultHistory, noFaults } from './part-supervision.ts'

/** `standby`: another process leads. `waiting`: for somebody else, another part or an upstream. `backing-off`: it failed and starts again soon. */
export const partStates = ['standby', 'waiting', 'starting', 'running', 'backing-off', 'quarantined', 'stopped'] as const
type PartState = (typeof partStates)[number]

/** Told of what is counted. */
export interface PartObserver {
  restarted(record: PartRecord): void
  /** By itself. */
  faulted(record: PartRecord): void
  /** By what a server, the network or an object did. */
  interrupted(record: PartRecord): void
}

export class PartRecord {
  readonly capability: string
  /** Name of the part alone: `controller`, `controller-always`. */
  readonly part: string
  readonly #clock: Clock
  readonly #observer: PartObserver | undefined
  #state: PartState
  #history: FaultHistory = noFaults
  #restsUntilMs = Number.NEGATIVE_INFINITY
  #lives = 0
  #awaited: () => string = () => 'something'
  #hasRun = false
  #runsSinceMs: number | undefined

  constructor(
    of: { readonly capability: string; readonly part: string; readonly state: PartState },
    around: { readonly clock: Clock; readonly observer?: PartObserver | undefined },
  ) {
    this.capability = of.capability
    this.part = of.part
    this.#state = of.state
    this.#clock = around.clock
    this.#observer = around.observer
  }

  /** `deschedule/controller` */
  get name(): string {
    return `${this.capability}/${this.part}`
  }

  get state(): PartState {
    return this.#state
  }

  get history(): FaultHistory {
    return this.#history
  }

  /** For how long the present life, or the last one, has been running; 0 where it never came to. */
  get ranMs(): number {
    return this.#runsSinceMs === undefined ? 0 : this.#clock.elapsed() - this.#runsSinceMs
  }

  set(state: PartState): void {
    this.#state = state
    if (state === 'running') {
      this.#hasRun = true
      this.#runsSinceMs ??= this.#clock.elapsed()
    }
  }

  /** It cannot begin yet; `awaited` says for what, in words that anybody may read. */
  wait(awaited: () => string): void {
    this.#awaited = awaited
    this.set('waiting')
  }

  /** A life begins. */
  started(): void {
    this.#restsUntilMs = Number.NEGATIVE_INFINITY
    this.#runsSinceMs = undefined
    this.set('starting')
    if (this.#lives++ > 0) this.#observer?.restarted(this)
  }

  /** Something went wrong that is not followed by a rest of its own. */
  count(): void {
    this.#observer?.faulted(this)
  }

  /** A fault that it counts as its own, or as an interruption, after which it rests. */
  rest(
    history: FaultHistory,
    {
      state,
      delayMs,
      isOutside,
    }: { readonly state: 'backing-off' | 'quarantined'; readonly delayMs: number; readonly isOutside: boolean },
  ): void {
    if (isOutside) this.#observer?.interrupted(this)
    else this.count()
    this.#history = history
    this.#restsUntilMs = this.#clock.elapsed() + delayMs
    this.#state = state
  }

  /** Forgets its faults: what they came from may be gone. */
  release(): void {
    this.#history = noFaults
    this.#restsUntilMs = Number.NEGATIVE_INFINITY
  }

  /** How it stands, for health. Only a first start holds up the whole process: what failed must not take the others along. */
  check(): Check & { readonly isGating: boolean; readonly state: string } {
    const { name } = this
    switch (this.#state) {
      case 'running':
      case 'standby':
        return { name, ok: true, isGating: true, state: this.#state }
      case 'starting':
        return { name, ok: false, isGating: this.#lives <= 1 && !this.#hasRun, state: 'starting' }
      case 'waiting':
        return { name, ok: false, isGating: false, state: `waiting for ${this.#awaited()}` }
      case 'backing-off':
      case 'quarantined': {
        const until = new Date(this.#clock.now() + this.#restsUntilMs - this.#clock.elapsed()).toISOString()
        const state = this.#state === 'quarantined' ? `quarantined until ${until}` : `failed, starts again at ${until}`
        return { name, ok: false, isGating: false, state }
      }
      case 'stopped':
        return { name, ok: true, isGating: false, state: 'not running' }
    }
  }
}
