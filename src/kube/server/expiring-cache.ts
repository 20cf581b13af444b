// Answers that are good for a while: bounded in number, the longest unused leave first.
import type { Clock } from '../clock.ts'

export class ExpiringCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>()
  readonly #clock: Clock
  readonly #most: number

  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.untilMs <= this.#clock.elapsed()) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: Value, lifeMs: number): void {
    this.#entries.delete(key)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#most) break
      this.#entries.delete(oldest)
    }
    this.#entries.set(key, { value, untilMs: this.#clock.elapsed() + lifeMs })
  }

  get size(): number {
    return this.#entries.size
  }
}

/** Asks once for all who want the same at the same time. */
export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>()

  run(key: string, ask: () => Promise<Value>): Promise<Value> {
    const known = this.#flights.get(key)
    if (known !== undefined) return known
    const flight = ask().finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }
}
