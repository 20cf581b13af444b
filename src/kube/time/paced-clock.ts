// A clock whose pace can be changed while it runs: as fast as the host's, faster, standing still, or from timer to timer.
import { type Cancel, type Clock, VirtualClock } from '../clock.ts'

/** Seconds of this clock in one of the host's; `max` goes to the next timer whenever all is quiet. */
export type Pace = number | 'max'

/** A clock that somebody else may set: what `twinclocks` and the command line steer. */
export interface SteeredClock extends Clock {
  readonly pace: Pace
  readonly isPaused: boolean
  /** Timers that wait. */
  readonly pending: number
  setPace(pace: Pace): void
  pause(): void
  resume(): void
  /** Goes so far ahead, running each timer at its time; resolves when all is quiet there. */
  advance(ms: number): Promise<void>
}

/** How many timers run in one turn before others get theirs. */
const timersPerTurn = 64
const breathAfterMs = 4

export class PacedClock implements SteeredClock, Disposable {
  readonly #host: Clock
  readonly #timers: VirtualClock
  #pace: Pace
  #isPaused: boolean
  /** Value of `elapsed` at the moment `#hostMs` of the host: from there on time runs at the pace. */
  #fromMs = 0
  #hostMs: number
  #cancel: Cancel | undefined
  #advances = 0
  #isRacing = false
  #isStopped = false

  constructor(host: Clock, options: { readonly startMs?: number; readonly pace?: Pace; readonly isPaused?: boolean } = {}) {
    this.#host = host
    this.#timers = new VirtualClock(options.startMs ?? host.now())
    this.#pace = options.pace ?? 1
    this.#isPaused = options.isPaused ?? false
    this.#hostMs = host.elapsed()
  }

  now(): number {
    return Math.floor(this.#timers.now() - this.#timers.elapsed() + this.elapsed())
  }

  elapsed(): number {
    return Math.max(this.#timers.elapsed(), this.#reachedMs())
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    const cancel = this.#timers.schedule(this.elapsed() - this.#timers.elapsed() + Math.max(0, delayMs), callback)
    this.#arm()
    return cancel
  }

  at(wallMs: number, callback: () => void): Cancel {
    return this.schedule(wallMs - this.now(), callback)
  }

  after(delayMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = this.schedule(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = () => {
      cancel()
      reject(signal?.reason)
    }
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    return promise
  }

  hold(): Disposable {
    return this.#timers.hold()
  }

  get pace(): Pace {
    return this.#pace
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  get pending(): number {
    return this.#timers.pending
  }

  /** Milliseconds of this clock until the next timer; `undefined` when none waits. */
  get nextInMs(): number | undefined {
    const due = this.#dueMs()
    return due === undefined ? undefined : Math.max(0, due - this.elapsed())
  }

  /** By how much the next timer is overdue. */
  get lagMs(): number {
    const due = this.#dueMs()
    return due === undefined ? 0 : Math.max(0, this.elapsed() - due)
  }

  setPace(pace: Pace): void {
    this.#restart(() => {
      this.#pace = pace
    })
  }

  pause(): void {
    this.#restart(() => {
      this.#isPaused = true
    })
  }

  resume(): void {
    this.#restart(() => {
      this.#isPaused = false
    })
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.elapsed() + Math.max(0, ms)
    this.#freeze()
    this.#advances++
    try {
      await this.#timers.advance(untilMs - this.#timers.elapsed())
    } finally {
      this.#advances--
      this.#freeze()
      this.#arm()
    }
  }

  /** Timers run no more. */
  [Symbol.dispose](): void {
    this.#isStopped = true
    this.#cancel?.()
  }

  get #runs(): boolean {
    return !this.#isPaused && this.#advances === 0 && this.#pace !== 'max'
  }

  #reachedMs(): number {
    if (!this.#runs || this.#pace === 'max') return this.#fromMs
    return this.#fromMs + (this.#host.elapsed() - this.#hostMs) * this.#pace
  }

  /** From the present moment on, whatever the pace is then. */
  #freeze(): void {
    this.#fromMs = this.elapsed()
    this.#hostMs = this.#host.elapsed()
  }

  #restart(change: () => void): void {
    this.#freeze()
    change()
    this.#arm()
  }

  #arm(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#isStopped || this.#isPaused || this.#advances > 0) return
    if (this.#pace === 'max') {
      void this.#race()
      return
    }
    const due = this.#dueMs()
    if (due === undefined) return
    this.#cancel = this.#host.schedule((due - this.elapsed()) / this.#pace, () => this.#turn())
  }

  #dueMs(): number | undefined {
    const due = this.#timers.nextDueMs
    return due === undefined ? undefined : due - this.#timers.now() + this.#timers.elapsed()
  }

  #turn(): void {
    const sinceMs = this.#host.elapsed()
    for (let count = 0; count < timersPerTurn && this.#runs; count++) {
      // Work that sets the next timer for now would go on and on: others have their turn.
      if (this.#host.elapsed() - sinceMs > breathAfterMs) break
      const due = this.#dueMs()
      // The host's timers may fire a fraction of a millisecond early.
      if (due === undefined || due > this.elapsed() + 0.5) break
      this.#timers.step()
    }
    this.#arm()
  }

  /** From timer to timer, as long as that is the pace; where there is none it waits for the next to be set. */
  async #race(): Promise<void> {
    if (this.#isRacing) return
    this.#isRacing = true
    try {
      while (this.#pace === 'max' && !this.#isPaused && this.#advances === 0 && !this.#isStopped) {
        await this.#timers.quiet()
        if (this.#pace !== 'max' || this.#isPaused || this.#advances > 0 || this.#isStopped || !this.#timers.step()) return
      }
    } finally {
      this.#isRacing = false
    }
  }
}
