// Time as an argument. This is the only file that touches the host's clock and timers; everything else takes a Clock.

/** Cancels a scheduled call; calling it twice, or after the call ran, does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC: for what is written down. */
  now(): number
  /** Milliseconds since an arbitrary start that never goes back: for durations, deadlines and back-off. */
  elapsed(): number
  /** Calls `callback` once after `delayMs` of this clock (at once, but never synchronously, when it is 0 or less). */
  schedule(delayMs: number, callback: () => void): Cancel
  /** Resolves after `delayMs` of this clock. @throws `signal.reason` when aborted before. */
  after(delayMs: number, signal?: AbortSignal): Promise<void>
  /** While the returned value is not disposed, a virtual clock stands still; real clocks ignore it. Hold it around work that the clock cannot see. */
  hold(): Disposable
}

/** `after` for a clock that has `schedule`: one implementation for all clocks. */
function afterBy(clock: Pick<Clock, 'schedule'>, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal?.aborted) {
    reject(signal.reason)
    return promise
  }
  const cancel = clock.schedule(delayMs, () => {
    signal?.removeEventListener('abort', onAbort)
    resolve()
  })
  const onAbort = () => {
    cancel()
    reject(signal?.reason)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return promise
}

/** The longest delay one host timer takes; longer ones are chained. */
const longestTimerMs = 2 ** 31 - 1

/** The host's own clock, `speed` times as fast (1 = real time). `startMs` sets what `now()` says at the beginning. */
export function hostClock(options: { speed?: number; startMs?: number } = {}): Clock {
  const speed = options.speed ?? 1
  const origin = performance.now()
  const startMs = options.startMs ?? Date.now()
  const elapsed = () => (performance.now() - origin) * speed
  const schedule = (delayMs: number, callback: () => void): Cancel => {
    const dueMs = elapsed() + Math.max(0, delayMs)
    let timer: ReturnType<typeof setTimeout>
    const arm = () => {
      const leftMs = Math.max(0, (dueMs - elapsed()) / speed)
      timer = leftMs > longestTimerMs ? setTimeout(arm, longestTimerMs) : setTimeout(callback, leftMs)
    }
    arm()
    return () => clearTimeout(timer)
  }
  return {
    now: () => Math.floor(startMs + elapsed()),
    elapsed,
    schedule,
    after: (delayMs, signal) => afterBy({ schedule }, delayMs, signal),
    hold: () => new DisposableStack(),
  }
}

/** Real time. */
export const systemClock: Clock = hostClock()

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

/**
 * A clock that moves only when told to. Timers that are due run in order of (due time, order of scheduling).
 *
 * `advance` runs everything due within a duration; `run` moves by itself from timer to timer whenever nothing is held
 * and the event loop has had `quietTurns` turns in which nothing was scheduled: that is virtual time at full speed.
 */
export class VirtualClock implements Clock {
  #nowMs: number
  readonly #startMs: number
  readonly #timers: Timer[] = []
  #order = 0
  #held = 0

  constructor(startMs: number) {
    this.#nowMs = startMs
    this.#startMs = startMs
  }

  now(): number {
    return Math.floor(this.#nowMs)
  }

  elapsed(): number {
    return this.#nowMs - this.#startMs
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback }
    let index = this.#timers.length
    while (index > 0 && isLater(this.#timers[index - 1], timer)) index--
    this.#timers.splice(index, 0, timer)
    return () => {
      const at = this.#timers.indexOf(timer)
      if (at >= 0) this.#timers.splice(at, 1)
    }
  }

  after(delayMs: number, signal?: AbortSignal): Promise<void> {
    return afterBy(this, delayMs, signal)
  }

  hold(): Disposable {
    this.#held++
    let released = false
    return {
      [Symbol.dispose]: () => {
        if (!released) this.#held--
        released = true
      },
    }
  }

  get isHeld(): boolean {
    return this.#held > 0
  }

  /** How many timers wait; and when the next one is due, in milliseconds since 1970, `undefined` when none does. */
  get pending(): number {
    return this.#timers.length
  }

  get nextDueMs(): number | undefined {
    return this.#timers[0]?.dueMs
  }

  /** How many timers were ever scheduled: a value that stands still when nothing happens. */
  get activity(): number {
    return this.#order
  }

  /** Moves to the next timer and runs it. False when there is none. */
  step(): boolean {
    const timer = this.#timers.shift()
    if (timer === undefined) return false
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    timer.callback()
    return true
  }

  /** Moves `durationMs` ahead, running each timer at its time and letting the event loop drain in between. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs
    await this.quiet()
    for (;;) {
      const dueMs = this.nextDueMs
      if (dueMs === undefined || dueMs > untilMs) break
      this.step()
      await this.quiet()
    }
    this.#nowMs = untilMs
  }

  /** Resolves when nothing is held and the event loop turned `turns` times without a new timer. */
  async quiet(turns = 6): Promise<void> {
    let still = 0
    let seen = this.#order
    while (still < turns) {
      await new Promise<void>(resolve => setImmediate(resolve))
      if (this.isHeld || seen !== this.#order) still = 0
      else still++
      seen = this.#order
    }
  }

  /** Virtual time at full speed until `done()` holds. @throws `signal.reason` when aborted; Error when `limitMs` of virtual time passed or no timer is left. */
  async runUntil(done: () => boolean, options: { limitMs: number; signal?: AbortSignal }): Promise<void> {
    const untilMs = this.#nowMs + options.limitMs
    for (;;) {
      await this.quiet()
      options.signal?.throwIfAborted()
      if (done()) return
      const dueMs = this.nextDueMs
      if (dueMs === undefined) throw new Error('virtual clock: nothing is left to wait for and the condition does not hold')
      if (dueMs > untilMs) throw new Error(`virtual clock: the condition does not hold after ${options.limitMs} ms`)
      this.step()
    }
  }
}

function isLater(timer: Timer | undefined, than: Timer): boolean {
  return timer !== undefined && (timer.dueMs > than.dueMs || (timer.dueMs === than.dueMs && timer.order > than.order))
}
