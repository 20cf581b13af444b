// What nginx was told to carry and has not carried to its end: each order has a number, which nginx says again when it is done.
import type { Clock } from '#kube/clock.ts'
import type { Peer } from '../contract.ts'

/** Orders at a time; beyond that the oldest is taken for lost. */
const mostOrders = 4_096

/** How an order ended. */
export interface Carried {
  /** Bytes of the body that the client took. */
  readonly sent: number
  readonly status: number
  readonly seconds: number
  /** The answer is whole. */
  readonly isComplete: boolean
  /** Nobody can say how it ended: its process ended, with all that it carried. */
  readonly isUnknown?: true
}

/** A body that nginx carries. */
export interface Order {
  readonly number: number
  /** Process of nginx that carries it; 0: unknown. */
  readonly worker: number
  readonly startedMs: number
  /** Bytes that it is to bring; undefined: as many as the peer has. */
  readonly length: number | undefined
  /** Who brings it; undefined: this node's own file. */
  readonly peer: Peer | undefined
  /** Resolves when nginx has said how it ended, or when nobody can say that any more. */
  readonly ended: Promise<Carried>
}

const failed: Carried = { sent: 0, status: 0, seconds: 0, isComplete: false }
/** Nobody can say any more how it ended. */
export const lost: Carried = { ...failed, isUnknown: true }

export class BodyOrders {
  readonly #clock: Clock
  readonly #open = new Map<number, Order & { readonly end: (carried: Carried) => void }>()
  /** Whom orders named that ended a moment ago: nginx may ask for another in the place of one. */
  readonly #named = new Map<number, readonly string[]>()
  #last = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Orders that are being carried. */
  get open(): Iterable<Order> {
    return this.#open.values()
  }

  /** Whether it is being carried. */
  has(number: number): boolean {
    return this.#open.has(number)
  }

  /** Whether nothing is being carried. */
  get isIdle(): boolean {
    return this.#open.size === 0
  }

  /** `instead`: the order that failed, whose peers are not to be asked again. */
  give(order: Pick<Order, 'worker' | 'length' | 'peer'>, instead?: number): Order {
    this.#last = (this.#last % 0x7fff_ffff) + 1
    const number = this.#last
    const { promise: ended, resolve: end } = Promise.withResolvers<Carried>()
    const given = { ...order, number, startedMs: this.#clock.elapsed(), ended, end }
    this.#open.set(number, given)
    const before = instead === undefined ? [] : this.failed(instead)
    this.#named.set(number, order.peer === undefined ? before : [...before, order.peer.id])
    if (instead !== undefined) this.end(instead, failed)
    for (const [oldest] of this.#open) {
      if (this.#open.size <= mostOrders) break
      this.end(oldest, lost)
    }
    for (const oldest of this.#named.keys()) {
      if (this.#named.size <= mostOrders) break
      this.#named.delete(oldest)
    }
    return given
  }

  /** Peers of an order and of those in whose place it was given. */
  failed(number: number): readonly string[] {
    return this.#named.get(number) ?? []
  }

  end(number: number, carried: Carried): void {
    const order = this.#open.get(number)
    if (order === undefined) return
    this.#open.delete(number)
    order.end(carried)
  }

  /** nginx is gone, and what it carried with it. */
  endAll(): void {
    for (const number of [...this.#open.keys()]) this.end(number, lost)
  }
}
