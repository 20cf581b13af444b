// One node's part in a download that several want at a time, as a machine: lead, ask somebody, wait, or give up. Pure.

/** A follower asks again after so long, twice as long each time, up to the last of these. */
const firstWaitMs = 25
const longestWaitMs = 400
/** Others that a node asks before it leads: one of them may have begun already. */
const mostAskedAhead = 2
/** How long it waits for each of those. */
const askAheadMs = 100
/** How long a follower waits for the head of an answer. */
const askMs = 500

export type SeatAction =
  /** Nobody is nearer and nobody has begun: this node's containerd fetches from the registry. */
  | { readonly kind: 'lead' }
  | { readonly kind: 'ask'; readonly peer: string; readonly withinMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'give-up' }

export type SeatAnswer =
  | { readonly kind: 'nothing' | 'unreachable' }
  | { readonly kind: 'ask'; readonly peers: readonly string[] }

/** All that want it, the one that leads first: by distance, then by id. */
export function orderOf(ids: Iterable<string>, distance: (id: string) => bigint): readonly string[] {
  const placed = [...new Set(ids)].map(id => ({ id, at: distance(id) }))
  placed.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : one.id < other.id ? -1 : 1))
  return placed.map(({ id }) => id)
}

interface SeatOptions {
  readonly self: string
  /** As {@link orderOf} gives them, with `self` among them. */
  readonly order: readonly string[]
  /** Nothing is waited for beyond it. */
  readonly deadlineMs: number
}

/**
 * Call `next` for what to do; after an `ask` that did not bring a stream tell `answered` first. Guarantees: it ends with `lead` or `give-up`
 * at the deadline at the latest; it asks only whom the order or a named list knows, never itself. That nobody waits for one that waits
 * for him lies with those who are asked: they serve only bytes that they have.
 */
export class RelaySeat {
  readonly #self: string
  readonly #known: ReadonlySet<string>
  readonly #deadlineMs: number
  #order: readonly string[]
  #ahead: string[]
  /** Of this round, next first. */
  #round: string[] = []
  #named: readonly string[] = []
  #askedInRound = new Set<string>()
  #waitMs = firstWaitMs
  #isFirstRound = true

  constructor({ self, order, deadlineMs }: SeatOptions) {
    this.#self = self
    this.#order = order
    this.#known = new Set(order.filter(id => id !== self))
    this.#deadlineMs = deadlineMs
    this.#ahead = order.filter(id => id !== self).slice(0, mostAskedAhead)
  }

  next(nowMs: number): SeatAction {
    const leftMs = this.#deadlineMs - nowMs
    if (this.#order[0] === this.#self) return this.#nextAhead(leftMs)
    if (leftMs <= 0) return { kind: 'give-up' }
    const peer = this.#round.shift()
    if (peer !== undefined) return this.#ask(peer, Math.min(askMs, leftMs))
    return this.#newRound(leftMs)
  }

  answered(peer: string, answer: SeatAnswer): void {
    if (answer.kind === 'unreachable') {
      // Another leads from now on: it is asked at once.
      if (peer === this.#order[0]) this.#isFirstRound = true
      this.#order = this.#order.filter(id => id !== peer)
      this.#named = this.#named.filter(id => id !== peer)
    }
    if (answer.kind !== 'ask') return
    this.#named = answer.peers.filter(id => this.#known.has(id))
    const fresh = this.#named.filter(id => !this.#askedInRound.has(id))
    if (this.#order[0] === this.#self) this.#ahead = [...fresh.slice(0, 1), ...this.#ahead]
    else this.#round = [...fresh, ...this.#round]
  }

  #nextAhead(leftMs: number): SeatAction {
    this.#ahead = this.#ahead.filter(id => this.#order.includes(id) && !this.#askedInRound.has(id))
    const peer = this.#ahead.shift()
    if (peer === undefined || leftMs <= 0) return { kind: 'lead' }
    return this.#ask(peer, Math.min(askAheadMs, leftMs))
  }

  #ask(peer: string, withinMs: number): SeatAction {
    this.#askedInRound.add(peer)
    return { kind: 'ask', peer, withinMs }
  }

  /** Those that were named last, then the one that leads; after a pause, but the first time. */
  #newRound(leftMs: number): SeatAction {
    const leader = this.#order[0]
    this.#round = [...this.#named, ...(leader === undefined || this.#named.includes(leader) ? [] : [leader])]
    this.#askedInRound = new Set()
    if (this.#round.length === 0) return { kind: 'give-up' }
    if (this.#isFirstRound) {
      this.#isFirstRound = false
      return this.#ask(this.#round.shift() ?? '', Math.min(askMs, leftMs))
    }
    const ms = Math.min(this.#waitMs, leftMs)
    this.#waitMs = Math.min(2 * this.#waitMs, longestWaitMs)
    return { kind: 'wait', ms }
  }
}

/** Who is served of a download: at most three at a time; a follower that asks again keeps its place. */
export const mostFollowers = 3

/** Whether `asker` gets a place beside `seated`. */
export function hasPlace(seated: ReadonlySet<string>, asker: string): boolean {
  return seated.has(asker) || seated.size < mostFollowers
}
