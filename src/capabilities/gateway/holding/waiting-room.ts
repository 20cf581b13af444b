// Requests that wait for their target: bounded, first in first out, let go as fast as the target can take them.

/** What the process allows to wait. */
export interface HoldBounds {
  /** Requests of one route that names no number of its own. */
  readonly perRoute: number
  /** Requests of all routes. */
  readonly all: number
  /** Bytes of one route, and of all: what each is judged to take. */
  readonly bytesPerRoute: number
  readonly bytes: number
}

/** Event-autoscaling 5.8, but for the bytes of all: 512 MiB are all the memory that a pod of the gateway has. */
export const standardBounds: HoldBounds = {
  perRoute: 1_000,
  all: 10_000,
  bytesPerRoute: 64 * 1024 * 1024,
  bytes: 128 * 1024 * 1024,
}

/** Why a request may go on, or not. */
export type Release = 'go' | 'overdue' | 'left' | 'ended'

interface Waiter {
  readonly bytes: number
  readonly onRelease: (why: Release) => void
}

interface Queue {
  readonly waiters: Set<Waiter>
  bytes: number
}

/** How many of a route may be let go at this moment; 0: it is not ready. */
type RoomFor = (key: string) => number

/** A place in a queue. */
export interface Place {
  /** The client went away, or the deadline came: the place is given up. */
  leave(why: 'overdue' | 'left'): void
}

export class WaitingRoom {
  #bounds: HoldBounds
  readonly #roomFor: RoomFor
  readonly #queues = new Map<string, Queue>()
  #all = 0
  #bytes = 0

  constructor(bounds: HoldBounds, roomFor: RoomFor) {
    this.#bounds = bounds
    this.#roomFor = roomFor
  }

  /** Those that wait already stay. */
  useBounds(bounds: HoldBounds): void {
    this.#bounds = bounds
  }

  /** Requests of a route that wait. */
  waiting(key: string): number {
    return this.#queues.get(key)?.waiters.size ?? 0
  }

  /** Requests that wait, of all routes. */
  get all(): number {
    return this.#all
  }

  /** Whether one more may wait; `most` is what the route allows. */
  admits(key: string, bytes: number, most: number | undefined): boolean {
    const { perRoute, all, bytesPerRoute, bytes: allBytes } = this.#bounds
    const queue = this.#queues.get(key)
    return (
      (queue?.waiters.size ?? 0) < (most ?? perRoute) &&
      this.#all < Math.max(all, most ?? 0) &&
      (queue?.bytes ?? 0) + bytes <= bytesPerRoute &&
      this.#bytes + bytes <= allBytes
    )
  }

  /** Waits behind all others of the route. `onRelease` is called once, never at once. The caller asked `admits` before. */
  enter(key: string, bytes: number, onRelease: (why: Release) => void): Place {
    const waiter: Waiter = { bytes, onRelease }
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      queue = { waiters: new Set(), bytes: 0 }
      this.#queues.set(key, queue)
    }
    queue.waiters.add(waiter)
    queue.bytes += bytes
    this.#all++
    this.#bytes += bytes
    return {
      leave: why => {
        if (this.#take(key, waiter)) onRelease(why)
      },
    }
  }

  /** Lets go of a route's first ones as long as there is room; they are counted as taken by whoever asks `roomFor` next. */
  advance(key: string): void {
    const queue = this.#queues.get(key)
    if (queue === undefined) return
    for (const waiter of queue.waiters) {
      if (this.#roomFor(key) <= 0) return
      if (this.#take(key, waiter)) waiter.onRelease('go')
    }
  }

  /** All that wait are told to end: the process does. */
  end(): void {
    for (const [key, { waiters }] of [...this.#queues])
      for (const waiter of [...waiters]) if (this.#take(key, waiter)) waiter.onRelease('ended')
  }

  /** The route is no more. */
  endRoute(key: string): void {
    for (const waiter of [...(this.#queues.get(key)?.waiters ?? [])]) if (this.#take(key, waiter)) waiter.onRelease('ended')
  }

  #take(key: string, waiter: Waiter): boolean {
    const queue = this.#queues.get(key)
    if (queue === undefined || !queue.waiters.delete(waiter)) return false
    queue.bytes -= waiter.bytes
    this.#all--
    this.#bytes -= waiter.bytes
    if (queue.waiters.size === 0) this.#queues.delete(key)
    return true
  }
}
