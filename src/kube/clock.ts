// Time as an argument. This is the only file that touches the host's clock and timers; everything else takes a Clock.
import { uptime } from 'node:os'

/** Cancels a scheduled call; calling it twice, or after the call ran, does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC: for what is written down, and for what others wrote. It goes where the host's time is set. */
  now(): number
  /** Milliseconds since an arbitrary start that never go back and count while the machine sleeps: for durations, deadlines and back-off. */
  elapsed(): number
  /** Calls `callback` once after `delayMs` of this clock (at once, but never synchronously, when it is 0 or less). */
  schedule(delayMs: number, callback: () => void): Cancel
  /** Calls `callback` once when `now()` has come to `wallMs` (at once, but never synchronously, where it has): also where time is set before. */
  at(wallMs: number, callback: () => void): Cancel
  /** Resolves after `delayMs` of this clock. @throws `signal.reason` when aborted before. */
  after(delayMs: number, signal?: AbortSignal): Promise<void>
  /** While the returned value is not disposed, a virtual clock stands still; real clocks ignore it. Hold it around work that the clock cannot see. */
  hold(): Disposable
}

/** By how much `now()` is ahead of `elapsed()`. One of them counts whole milliseconds, and time is corrected in small steps: only more counts. */
const aheadMs = new WeakMap<Pick<Clock, 'now' | 'elapsed'>, number>()
const leastSetMs = 5

/**
 * What `now()` would have said at the moment when `elapsed()` said `elapsedMs`, by the host's time as it is set now. Moments keep their order, and
 * the same moment gives the same time until the host's is set.
 */
export function wallOf(clock: Pick<Clock, 'now' | 'elapsed'>, elapsedMs: number): number {
  const freshMs = clock.now() - clock.elapsed()
  const knownMs = aheadMs.get(clock)
  const isKnown = knownMs !== undefined && Math.abs(freshMs - knownMs) < leastSetMs
  if (!isKnown) aheadMs.set(clock, freshMs)
  return elapsedMs + (isKnown ? knownMs : freshMs)
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

/** The host's timers do not know that the machine slept, or that its time was set: longer ones look at the time so often. */
const longestTimerMs = 5_000
/** They may fire a moment before their time. */
const earlyMs = 2

/** The three clocks of a host, in milliseconds. */
export interface HostTime {
  /** The time of day: it is set by people and by NTP. */
  readonly wallMs: () => number
  /** It stands still while the machine sleeps. */
  readonly monotonicMs: () => number
  /** It goes on while the machine sleeps. Asked seldom: it may be a file. */
  readonly bootMs: () => number
}

const thisHost: HostTime = { wallMs: () => Date.now(), monotonicMs: () => performance.now(), bootMs: () => uptime() * 1_000 }
/** A machine that slept for less is not told from one that was busy: `bootMs` counts in hundredths of a second. */
const leastSleepMs = 30

/** `monotonicMs` and how long the machine slept. The time of day goes on in its sleep: where the two have not parted, it did not sleep. */
function wakefulTime({ wallMs, monotonicMs, bootMs }: HostTime): () => number {
  const behindMs = () => bootMs() - monotonicMs()
  const firstBehindMs = behindMs()
  let sleptMs = 0
  let partedMs = wallMs() - monotonicMs()
  return () => {
    const monotonic = monotonicMs()
    const apartMs = wallMs() - monotonic
    if (Math.abs(apartMs - partedMs) >= leastSleepMs / 2) {
      partedMs = apartMs
      const asleepMs = behindMs() - firstBehindMs
      if (asleepMs - sleptMs >= leastSleepMs) sleptMs = asleepMs
    }
    return monotonic + sleptMs
  }
}

/**
 * The host's own clock, `speed` times as fast (1 = real time). It says the host's time of day as that is set; with `startMs` or another speed it
 * has a time of its own, which begins there and is never set.
 */
export function hostClock(options: { speed?: number; startMs?: number; host?: HostTime } = {}): Clock {
  const { speed = 1, host = thisHost } = options
  const wakeful = wakefulTime(host)
  const origin = wakeful()
  const elapsed = () => (wakeful() - origin) * speed
  const startMs = options.startMs ?? host.wallMs()
  const isOwn = options.startMs !== undefined || speed !== 1
  const now = isOwn ? () => Math.floor(startMs + elapsed()) : () => Math.floor(host.wallMs())
  const chained = (leftMs: () => number, callback: () => void): Cancel => {
    // The host's shortest timer waits for a millisecond; who has more to do at once only lets others have their turn.
    if (leftMs() <= 0) {
      const next = setImmediate(callback)
      return () => clearImmediate(next)
    }
    let timer: ReturnType<typeof setTimeout>
    const arm = () => {
      const left = Math.max(0, leftMs() / speed)
      // What is set back in the last moments is looked at once more.
      timer = setTimeout(
        left > longestTimerMs ? arm : () => (leftMs() > earlyMs ? arm() : callback()),
        Math.min(left, longestTimerMs),
      )
    }
    arm()
    return () => clearTimeout(timer)
  }
  const schedule = (delayMs: number, callback: () => void): Cancel => {
    const dueMs = elapsed() + Math.max(0, delayMs)
    return chained(() => dueMs - elapsed(), callback)
  }
  const at = (wallMs: number, callback: () => void): Cancel => chained(() => wallMs - now(), callback)
  return {
    now,
    elapsed,
    schedule,
    at,
    after: (delayMs, signal) => afterBy({ schedule }, delayMs, signal),
    hold: () => new DisposableStack(),
  }
}

/** Real time. */
export const systemClock: Clock = hostClock()

interface Timer {
  dueMs: number
  /** Waits for this time of day, wherever that is set to. */
  readonly wallMs?: number
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
  /** By how much the time of day was set. */
  #setMs = 0
  readonly #timers: Timer[] = []
  #order = 0
  #held = 0

  constructor(startMs: number) {
    this.#nowMs = startMs
    this.#startMs = startMs
  }

  now(): number {
    return Math.floor(this.#nowMs + this.#setMs)
  }

  /** Sets the time of day so much ahead, or back: `elapsed()` does not notice. */
  setWall(byMs: number): void {
    this.#setMs += byMs
    for (const timer of this.#timers) if (timer.wallMs !== undefined) timer.dueMs = timer.wallMs - this.#setMs
    this.#timers.sort((a, b) => (isLater(a, b) ? 1 : -1))
  }

  elapsed(): number {
    return this.#nowMs - this.#startMs
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback })
  }

  at(wallMs: number, callback: () => void): Cancel {
    return this.#add({ dueMs: Math.max(this.#nowMs, wallMs - this.#setMs), wallMs, order: this.#order++, callback })
  }

  #add(timer: Timer): Cancel {
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
    const dueMs = this.#timers[0]?.dueMs
    return dueMs === undefined ? undefined : dueMs + this.#setMs
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
      const dueMs = this.#timers[0]?.dueMs
      if (dueMs === undefined || dueMs > untilMs) break
      this.step()
      await this.quiet()
    }
    this.#nowMs = untilMs
  }

  /** Resolves when nothing is held and the event loop turned `turns` times without a new timer. @throws `signal.reason` */
  async quiet(turns = 6, signal?: AbortSignal): Promise<void> {
    let still = 0
    let seen = this.#order
    while (still < turns) {
      await new Promise<void>(resolve => setImmediate(resolve))
      // What is held may never be let go, by a fault of whoever holds it.
      signal?.throwIfAborted()
      if (this.isHeld || seen !== this.#order) still = 0
      else still++
      seen = this.#order
    }
  }

  /** Virtual time at full speed until `done()` holds. @throws `signal.reason` when aborted; Error when `limitMs` of virtual time passed or no timer is left. */
  async runUntil(done: () => boolean, options: { limitMs: number; signal?: AbortSignal }): Promise<void> {
    const untilMs = this.#nowMs + options.limitMs
    for (;;) {
      await this.quiet(undefined, options.signal)
      options.signal?.throwIfAborted()
      if (done()) return
      const dueMs = this.#timers[0]?.dueMs
      if (dueMs === undefined) throw new Error('virtual clock: nothing is left to wait for and the condition does not hold')
      if (dueMs > untilMs) throw new Error(`virtual clock: the condition does not hold after ${options.limitMs} ms`)
      this.step()
    }
  }
}

function isLater(timer: Timer | undefined, than: Timer): boolean {
  return timer !== undefined && (timer.dueMs > than.dueMs || (timer.dueMs === than.dueMs && timer.order > than.order))
}
