// Whose request the main loop takes next, and when. The loop that holds the Lease gives a fixed share of its time to what comes from outside;
// among those that wait, the peer that has cost least is next.
import type { Clock } from '../../clock.ts'
import { FairShares } from './fair-shares.ts'

/** One request that is to be taken by the main loop. */
export interface Waiting {
  readonly peer: string
  /** A probe: it goes before all that are not. */
  readonly isUrgent: boolean
  /** The main loop is asked. What it costs is told to {@link Turns.taken}. */
  readonly send: () => void
  /** It gave way to others, and is answered so. */
  readonly giveWay: () => void
}

/** For each millisecond that requests took of the main loop it has three for itself. */
const restFactor = 3
/** Shorter rests are saved up: timers are not that exact. */
const leastRestMs = 2
/** What a request costs at least: passing it on. */
const leastCostMs = 0.05

export class Turns {
  readonly #clock: Clock
  readonly #places: FairShares<Waiting>
  readonly #underWay: FairShares<Waiting>
  readonly #queues = { urgent: new Map<string, Waiting[]>(), usual: new Map<string, Waiting[]>() }
  /** What each peer has cost, counted from what the least costly one had when it came. */
  readonly #spent = new Map<string, number>()
  #floor = 0
  #owedMs = 0
  #isAsked = false
  #asked: string | undefined
  #isResting = false

  constructor(limits: { readonly waiting: number; readonly underWay: number }, clock: Clock) {
    this.#clock = clock
    this.#places = new FairShares(limits.waiting)
    this.#underWay = new FairShares(limits.underWay)
  }

  /** False: there is no place, and `peer` has the most of them. */
  push(waiting: Waiting): boolean {
    if (!this.#places.fits(1)) {
      const displaced = this.#places.displaced(waiting.peer, 1, ({ isUrgent, peer }) =>
        isUrgent || peer === waiting.peer ? undefined : 1,
      )
      if (displaced === undefined) return false
      this.drop(displaced)
      displaced.giveWay()
    }
    this.#places.take(waiting, waiting.peer, 1)
    const queues = this.#queuesOf(waiting)
    const queue = queues.get(waiting.peer) ?? []
    queues.set(waiting.peer, queue)
    queue.push(waiting)
    if (!this.#spent.has(waiting.peer)) this.#spent.set(waiting.peer, this.#floor)
    this.#next()
    return true
  }

  /** Nobody waits for it any more, or it is answered. */
  drop(waiting: Waiting): void {
    this.#places.release(waiting)
    this.#underWay.release(waiting)
    const queues = this.#queuesOf(waiting)
    const queue = queues.get(waiting.peer)
    const at = queue?.indexOf(waiting) ?? -1
    if (queue !== undefined && at >= 0) queue.splice(at, 1)
    if (queue?.length === 0) queues.delete(waiting.peer)
    this.#next()
  }

  /** The main loop took what was sent last, which cost it so much. */
  taken(costMs: number): void {
    if (this.#asked !== undefined) {
      const spent = (this.#spent.get(this.#asked) ?? this.#floor) + Math.max(leastCostMs, costMs)
      this.#spent.set(this.#asked, spent)
    }
    this.#isAsked = false
    this.#owedMs += costMs * restFactor
    this.#forgetQuiet()
    if (this.#owedMs < leastRestMs) {
      this.#next()
      return
    }
    this.#isResting = true
    this.#clock.schedule(this.#owedMs, () => {
      this.#isResting = false
      this.#next()
    })
    this.#owedMs = 0
  }

  /** The main loop is another one, which knows nothing of what was sent. */
  reset(): void {
    this.#isAsked = false
  }

  #queuesOf({ isUrgent }: Waiting): Map<string, Waiting[]> {
    return isUrgent ? this.#queues.urgent : this.#queues.usual
  }

  #next(): void {
    if (this.#isAsked || this.#isResting) return
    const chosen = this.#cheapest(this.#queues.urgent) ?? this.#cheapest(this.#queues.usual)
    if (chosen === undefined) return
    if (!chosen.isUrgent && !this.#underWay.fits(1)) {
      // Answers that take long belong to whoever asked for most of them.
      const displaced = this.#underWay.displaced(chosen.peer, 1, ({ isUrgent, peer }) =>
        isUrgent || peer === chosen.peer ? undefined : 1,
      )
      if (displaced === undefined) return
      this.#underWay.release(displaced)
      displaced.giveWay()
    }
    const queues = this.#queuesOf(chosen)
    const queue = queues.get(chosen.peer)
    queue?.shift()
    if (queue?.length === 0) queues.delete(chosen.peer)
    this.#places.release(chosen)
    this.#underWay.take(chosen, chosen.peer, 1)
    this.#floor = Math.max(this.#floor, this.#spent.get(chosen.peer) ?? 0)
    this.#isAsked = true
    this.#asked = chosen.peer
    chosen.send()
  }

  #cheapest(queues: ReadonlyMap<string, readonly Waiting[]>): Waiting | undefined {
    let best: { readonly waiting: Waiting; readonly spent: number } | undefined
    for (const [peer, [waiting]] of queues) {
      const spent = this.#spent.get(peer) ?? this.#floor
      if (waiting !== undefined && (best === undefined || spent < best.spent)) best = { waiting, spent }
    }
    return best?.waiting
  }

  /** A peer that is not worse off than a newcomer need not be remembered; at most so many are. */
  #forgetQuiet(): void {
    if (this.#spent.size <= mostPeers) return
    for (const peer of this.#spent.keys())
      if (!this.#queues.urgent.has(peer) && !this.#queues.usual.has(peer)) this.#spent.delete(peer)
  }
}

const mostPeers = 1_024
