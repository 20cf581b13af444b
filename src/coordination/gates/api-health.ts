// How the API server answers: durations and failures of the last minute, in memory that does not grow with them.
import { type Clock, wallOf } from '#kube/clock.ts'
import type { ApiReading } from './signals.ts'

/** Upper bounds in milliseconds; what takes longer than the last counts as that. */
const bounds = [1, 2, 5, 10, 25, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 5_000, 10_000, 30_000, 60_000] as const
const slots = 12
const slotMs = 5_000

interface Slot {
  /** Number of its span of time, counted from the clock's start. */
  span: number
  readonly counts: Uint32Array
  errors: number
}

/** With fewer requests, a slow one says little about the server. */
const fewestRequests = 20
const fewestErrors = 3
const slowMs = 1_000
const errorShare = 0.01

/** Whether a reading is what the gate `api-slow` minds: p99 above a second, or more than one answer in a hundred a failure of the server. */
export function isApiSlow({ p99Ms, errorShare: share, requests, errors }: Omit<ApiReading, 'sinceMs'>): boolean {
  return (requests >= fewestRequests && p99Ms > slowMs) || (errors >= fewestErrors && share > errorShare)
}

export class ApiHealth {
  readonly #clock: Clock
  readonly #slots: readonly Slot[] = Array.from({ length: slots }, () => ({
    span: -1,
    counts: new Uint32Array(bounds.length),
    errors: 0,
  }))
  #slowSinceMs: number | undefined

  /** `clock`: the one that durations are measured by. */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One request: how long its answer took, in milliseconds, and its status; `undefined` where none came. */
  record(durationMs: number, status: number | undefined): void {
    const slot = this.#slotOfNow()
    const at = bounds.findIndex(bound => durationMs <= bound)
    const index = at < 0 ? bounds.length - 1 : at
    slot.counts[index] = (slot.counts[index] ?? 0) + 1
    if (status === undefined || status >= 500) slot.errors++
  }

  /** The last minute. */
  reading(): ApiReading {
    const span = this.#span()
    const counts = new Array<number>(bounds.length).fill(0)
    let errors = 0
    for (const slot of this.#slots) {
      if (slot.span <= span - slots) continue
      errors += slot.errors
      for (const [index, count] of slot.counts.entries()) counts[index] = (counts[index] ?? 0) + count
    }
    const requests = counts.reduce((sum, count) => sum + count, 0)
    const figures = {
      p99Ms: percentile99(counts, requests),
      errorShare: requests === 0 ? 0 : errors / requests,
      requests,
      errors,
    }
    this.#slowSinceMs = isApiSlow(figures) ? (this.#slowSinceMs ?? this.#clock.elapsed()) : undefined
    return { ...figures, sinceMs: Math.floor(wallOf(this.#clock, this.#slowSinceMs ?? this.#clock.elapsed())) }
  }

  #span(): number {
    return Math.floor(this.#clock.elapsed() / slotMs)
  }

  #slotOfNow(): Slot {
    const span = this.#span()
    const slot = this.#slots[span % slots]
    if (slot === undefined) throw new RangeError(`there is no slot for span ${span}`)
    if (slot.span !== span) {
      slot.span = span
      slot.counts.fill(0)
      slot.errors = 0
    }
    return slot
  }
}

function percentile99(counts: readonly number[], requests: number): number {
  if (requests === 0) return 0
  const rank = Math.ceil(requests * 0.99)
  let seen = 0
  for (const [index, count] of counts.entries()) {
    seen += count
    if (seen >= rank) return bounds[index] ?? 0
  }
  return bounds.at(-1) ?? 0
}
