// Requests of each route in this process: how many there are, how many there were, and when a byte moved last.
import type { Clock } from '#kube/clock.ts'

/** One route's numbers. */
export interface RouteCount {
  /** Requests and upgraded connections at this moment. */
  readonly concurrency: number
  /** Requests since this process began. */
  readonly total: number
  /** Milliseconds since a request came or a byte moved; Infinity: never. */
  readonly quietMs: number
}

/** A request or connection that is counted while it is there. */
export interface Presence {
  /** A byte moved, in either direction. */
  moved(): void
  /** It is gone; a second call does nothing. */
  leave(): void
}

/** A data plane, which carries requests beside us. */
export interface Carrier {
  /** What it carries of a route now, and how many came to it since it told that last; routes without numbers are left out. */
  carried(key: string, count: { readonly concurrency: number; readonly arrived: number }): void
  /** What it is counted to carry of a route. */
  carriedOf(key: string): number
}

/** A route's number went from nothing to something, or back. */
type OnTurn = (key: string, isActive: boolean) => void

class Route {
  concurrency = 0
  total = 0
  /** Those of `concurrency` that each carrier has: it tells how many there are now and then. */
  readonly carried = new Map<Carrier, number>()
  movedMs = Number.NEGATIVE_INFINITY
}

export class RequestCounts {
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #routes = new Map<string, Route>()
  readonly #onTurn = new Set<OnTurn>()
  #all = 0

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock
  }

  /** Exactly these routes have numbers from now on; what is counted of another one is forgotten when it left. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of keys) if (!this.#routes.has(key)) this.#routes.set(key, new Route())
    for (const [key, route] of this.#routes) {
      if (keys.has(key)) continue
      for (const carrier of [...route.carried.keys()]) this.#carried(carrier, key, { concurrency: 0, arrived: 0 })
      if (route.concurrency === 0) this.#routes.delete(key)
    }
  }

  /** Counts a request of a route. */
  arrive(key: string): Presence {
    const route = this.#routes.get(key) ?? new Route()
    if (route.total++ === 0) this.#routes.set(key, route)
    return new CountedPresence(this.#clock, route, change => this.#count(key, route, change))
  }

  /** One more data plane: while one takes the other's place both carry, and their numbers are added. */
  carrier(): Carrier {
    const carrier: Carrier = {
      carried: (key, count) => this.#carried(carrier, key, count),
      carriedOf: key => this.#routes.get(key)?.carried.get(carrier) ?? 0,
    }
    return carrier
  }

  /** Calls `onTurn` as soon as a route gets its first request, and when its last one left. */
  watch(onTurn: OnTurn): Disposable {
    this.#onTurn.add(onTurn)
    return { [Symbol.dispose]: () => void this.#onTurn.delete(onTurn) }
  }

  of(key: string): RouteCount {
    const route = this.#routes.get(key)
    if (route === undefined) return { concurrency: 0, total: 0, quietMs: Number.POSITIVE_INFINITY }
    return { concurrency: route.concurrency, total: route.total, quietMs: this.#clock.elapsed() - route.movedMs }
  }

  keys(): Iterable<string> {
    return this.#routes.keys()
  }

  /** Requests at this moment, of all routes. */
  get all(): number {
    return this.#all
  }

  #carried(carrier: Carrier, key: string, { concurrency, arrived }: Parameters<Carrier['carried']>[1]): void {
    const route = this.#routes.get(key)
    if (route === undefined) return
    route.total += arrived
    route.movedMs = this.#clock.elapsed()
    const change = concurrency - (route.carried.get(carrier) ?? 0)
    if (concurrency === 0) route.carried.delete(carrier)
    else route.carried.set(carrier, concurrency)
    if (change !== 0) this.#count(key, route, change)
  }

  #count(key: string, route: Route, change: number): void {
    this.#all += change
    const before = route.concurrency
    route.concurrency += change
    if (before === 0 || route.concurrency === 0) this.#turned(key, route.concurrency > 0)
  }

  #turned(key: string, isActive: boolean): void {
    for (const onTurn of this.#onTurn) onTurn(key, isActive)
  }
}

/** One of these is made for every request. */
class CountedPresence implements Presence {
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #route: Route
  readonly #count: (change: 1 | -1) => void
  #isHere = true

  constructor(clock: Pick<Clock, 'elapsed'>, route: Route, count: (change: 1 | -1) => void) {
    this.#clock = clock
    this.#route = route
    this.#count = count
    this.moved()
    count(1)
  }

  moved(): void {
    if (this.#isHere) this.#route.movedMs = this.#clock.elapsed()
  }

  leave(): void {
    if (!this.#isHere) return
    this.#isHere = false
    this.#count(-1)
  }
}
