// Ends the pauses that reloads began (config-reload 3.9): by the annotation on the Deployment, so that a restart changes nothing.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { ReloadSettings } from '../settings.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'
import { type PauseState, pauseState } from './pause.ts'

const retryMs = 5_000

interface PauseKeeperOptions {
  readonly clock: Clock
  readonly settings: Pick<ReloadSettings, 'keys'>
  /** The workload as it is known now. */
  readonly factsOf: (key: string) => WorkloadFacts | undefined
  /** Resumes it, or tries to. Never rejects but by abort. */
  readonly resume: (facts: WorkloadFacts, pausedAt: string) => Promise<void>
}

export class PauseKeeper implements Disposable {
  readonly #options: PauseKeeperOptions
  readonly #timers = new Map<string, { readonly atMs: number; readonly cancel: Cancel }>()
  readonly #resuming = new Set<string>()
  #isOver = false

  constructor(options: PauseKeeperOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#timers.size
  }

  /** The Deployment has come, or has changed. */
  look(key: string): void {
    const state = this.#stateOf(key)
    if (state?.kind !== 'ours') this.#drop(key)
    else this.#arm(key, state.resumeAtMs)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    for (const key of [...this.#timers.keys()]) this.#drop(key)
  }

  #stateOf(key: string): PauseState | undefined {
    const { factsOf, settings, clock } = this.#options
    const facts = factsOf(key)
    return facts?.kind === 'Deployment' ? pauseState(facts, settings, clock.now()) : undefined
  }

  #drop(key: string): void {
    this.#timers.get(key)?.cancel()
    this.#timers.delete(key)
  }

  #arm(key: string, atMs: number): void {
    if (this.#isOver || this.#timers.get(key)?.atMs === atMs) return
    this.#drop(key)
    const { clock } = this.#options
    const cancel = clock.at(atMs, () => {
      this.#timers.delete(key)
      this.#resume(key)
    })
    this.#timers.set(key, { atMs, cancel })
  }

  #resume(key: string): void {
    const { factsOf, settings, clock, resume } = this.#options
    const facts = factsOf(key)
    const state = this.#stateOf(key)
    if (facts === undefined || state?.kind !== 'ours' || this.#resuming.has(key)) return
    if (state.resumeAtMs > clock.now()) {
      this.#arm(key, state.resumeAtMs)
      return
    }
    this.#resuming.add(key)
    const pausedAt = facts.annotations[settings.keys.pauseTime] ?? ''
    void resume(facts, pausedAt)
      .catch(() => undefined) // rejected only by the end of it all
      .finally(() => {
        this.#resuming.delete(key)
        // Until the watch shows that it is not paused any more.
        if (this.#stateOf(key)?.kind === 'ours') this.#arm(key, clock.now() + retryMs)
      })
  }
}
