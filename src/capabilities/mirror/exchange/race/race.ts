// A race for one piece of content, as a machine: what happened and when goes in, what to do comes out. It knows no wire and no clock.
import type { RaceTimes } from './fetch-times.ts'

/** Fetches of one race in all. */
export const mostFetches = 4

export type RaceEvent<Candidate> =
  | { readonly kind: 'candidate'; readonly candidate: Candidate }
  /** No candidate comes any more. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'won'; readonly ticket: number }
  | { readonly kind: 'failed'; readonly ticket: number }
  | { readonly kind: 'time' }

export type RaceAction<Candidate> =
  | { readonly kind: 'fetch'; readonly ticket: number; readonly candidate: Candidate }
  | { readonly kind: 'cancel'; readonly ticket: number }
  /** Always the last action. */
  | { readonly kind: 'win'; readonly ticket: number }
  | { readonly kind: 'give-up'; readonly because: 'no-peer' | 'failed' | 'timeout' }

export interface RaceOptions<Candidate> {
  readonly times: RaceTimes
  /** How long it waits for a candidate while no fetch is in flight, in milliseconds. */
  readonly idleMs: number
  /** Milliseconds more for both limits, as this machine is late now; left out: none. */
  readonly lateness?: () => { readonly idleMs: number; readonly giveUpMs: number }
  /** Asked only when nobody else is left, in this order: peers that broke before. */
  readonly lastResort: readonly Candidate[]
  /** The one of those that wait which is asked next; they are never none. */
  readonly choose: (waiting: readonly Candidate[]) => Candidate
}

/**
 * One race. The first fetch begins with the first candidate, a further one after each of `times.hedgesMs` and after each failure, four in all.
 * It ends with exactly one `win` or `give-up`; the fetches in flight then are cancelled before it.
 */
export class Race<Candidate> {
  readonly #options: RaceOptions<Candidate>
  readonly #waiting: Candidate[] = []
  readonly #lastResort: Candidate[]
  readonly #inFlight = new Set<number>()
  #started = 0
  #failures = 0
  #isExhausted = false
  #isOver = false
  #idleSinceMs: number
  #firstFetchMs: number | undefined

  /** @param nowMs of a clock that never goes back, as all times here */
  constructor(options: RaceOptions<Candidate>, nowMs: number) {
    this.#options = options
    this.#lastResort = [...options.lastResort]
    this.#idleSinceMs = nowMs
  }

  /** Fetches that were begun. */
  get started(): number {
    return this.#started
  }

  next(event: RaceEvent<Candidate>, nowMs: number): readonly RaceAction<Candidate>[] {
    if (this.#isOver) return []
    switch (event.kind) {
      case 'candidate':
        this.#waiting.push(event.candidate)
        break
      case 'exhausted':
        this.#isExhausted = true
        break
      case 'won':
        if (this.#inFlight.delete(event.ticket)) return this.#end({ kind: 'win', ticket: event.ticket })
        break
      case 'failed':
        if (this.#inFlight.delete(event.ticket)) {
          this.#failures++
          if (this.#inFlight.size === 0) this.#idleSinceMs = nowMs
        }
        break
      case 'time':
        break
    }
    return this.#judge(nowMs)
  }

  /** When something is due by time alone; `undefined`: nothing. */
  wakeMs(): number | undefined {
    if (this.#isOver) return undefined
    const due: number[] = []
    const { idleMs, giveUpMs } = this.#limits()
    if (this.#inFlight.size === 0) due.push(this.#idleSinceMs + idleMs)
    if (this.#firstFetchMs !== undefined) {
      due.push(this.#firstFetchMs + giveUpMs)
      const hedgeMs = this.#options.times.hedgesMs[this.#started - 1 - this.#failures]
      if (hedgeMs !== undefined && this.#started < mostFetches && this.#waiting.length > 0) due.push(this.#firstFetchMs + hedgeMs)
    }
    return due.length === 0 ? undefined : Math.min(...due)
  }

  #judge(nowMs: number): readonly RaceAction<Candidate>[] {
    const { idleMs, giveUpMs } = this.#limits()
    if (this.#firstFetchMs !== undefined && nowMs - this.#firstFetchMs >= giveUpMs)
      return this.#end({ kind: 'give-up', because: this.#inFlight.size > 0 ? 'timeout' : this.#why() })
    const actions = this.#fetches(nowMs)
    if (this.#inFlight.size > 0) return actions
    const isIdleTooLong = nowMs - this.#idleSinceMs >= idleMs
    if (!this.#isExhausted && !isIdleTooLong && this.#started < mostFetches) return actions
    if (this.#lastResort.length > 0 && this.#started < mostFetches) {
      this.#waiting.push(...this.#lastResort.splice(0))
      return [...actions, ...this.#fetches(nowMs)]
    }
    return [...actions, ...this.#end({ kind: 'give-up', because: this.#why() })]
  }

  #fetches(nowMs: number): RaceAction<Candidate>[] {
    const actions: RaceAction<Candidate>[] = []
    while (this.#waiting.length > 0 && this.#started < Math.min(mostFetches, this.#allowed(nowMs))) {
      const candidate = this.#options.choose(this.#waiting)
      this.#waiting.splice(this.#waiting.indexOf(candidate), 1)
      this.#firstFetchMs ??= nowMs
      const ticket = this.#started++
      this.#inFlight.add(ticket)
      actions.push({ kind: 'fetch', ticket, candidate })
    }
    return actions
  }

  /** How many fetches may have begun by now. */
  #allowed(nowMs: number): number {
    const firstMs = this.#firstFetchMs
    const hedges = firstMs === undefined ? 0 : this.#options.times.hedgesMs.filter(ms => nowMs - firstMs >= ms).length
    return 1 + this.#failures + hedges
  }

  #limits(): { readonly idleMs: number; readonly giveUpMs: number } {
    const { idleMs, times, lateness } = this.#options
    const late = lateness?.() ?? { idleMs: 0, giveUpMs: 0 }
    return { idleMs: idleMs + late.idleMs, giveUpMs: times.giveUpMs + late.giveUpMs }
  }

  #why(): 'no-peer' | 'failed' {
    return this.#started === 0 ? 'no-peer' : 'failed'
  }

  #end(last: RaceAction<Candidate>): readonly RaceAction<Candidate>[] {
    this.#isOver = true
    const cancelled = [...this.#inFlight].map(ticket => ({ kind: 'cancel' as const, ticket }))
    this.#inFlight.clear()
    return [...cancelled, last]
  }
}
