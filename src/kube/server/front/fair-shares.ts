// Something bounded that peers share: places for connections, bytes of bodies, places in a queue. Nobody is given a fixed part. Where all is
// taken, who holds most gives way to who holds less: so a newcomer always gets in, and a flood displaces itself.

interface Share<Holder> {
  amount: number
  readonly holders: Set<Holder>
}

/** Who holds how much. Pure bookkeeping: whoever takes decides who is told to give back. */
export class FairShares<Holder> {
  readonly #capacity: number
  readonly #amounts = new Map<Holder, { readonly peer: string; amount: number }>()
  readonly #shares = new Map<string, Share<Holder>>()
  #used = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get used(): number {
    return this.#used
  }

  get size(): number {
    return this.#amounts.size
  }

  /** What `peer` holds. */
  heldBy(peer: string): number {
    return this.#shares.get(peer)?.amount ?? 0
  }

  /** What `holder` holds. */
  amountOf(holder: Holder): number {
    return this.#amounts.get(holder)?.amount ?? 0
  }

  fits(amount: number): boolean {
    return this.#used + amount <= this.#capacity
  }

  /** Takes `amount` more for `holder`, whether it fits or not: ask before. */
  take(holder: Holder, peer: string, amount: number): void {
    const known = this.#amounts.get(holder)
    if (known === undefined) this.#amounts.set(holder, { peer, amount })
    else known.amount += amount
    const share = this.#shares.get(peer) ?? { amount: 0, holders: new Set() }
    this.#shares.set(peer, share)
    share.amount += amount
    share.holders.add(holder)
    this.#used += amount
  }

  /** Gives back all that `holder` has. A holder that has nothing gives nothing back. */
  release(holder: Holder): void {
    const known = this.#amounts.get(holder)
    if (known === undefined) return
    this.#amounts.delete(holder)
    this.#used -= known.amount
    const share = this.#shares.get(known.peer)
    if (share === undefined) return
    share.amount -= known.amount
    share.holders.delete(holder)
    if (share.holders.size === 0) this.#shares.delete(known.peer)
  }

  /**
   * Who is to give way to `peer`, which wants `amount`: a holder of the peers that hold most, if those hold at least what `peer` would hold
   * then, else one of `peer`'s own. The holder of the highest `rank` goes; one without a rank stays. Undefined where nobody may go.
   */
  displaced(peer: string, amount: number, rank: (holder: Holder) => number | undefined): Holder | undefined {
    const own = this.heldBy(peer)
    let most = 0
    for (const share of this.#shares.values()) most = Math.max(most, share.amount)
    let chosen: { readonly holder: Holder; readonly rank: number } | undefined
    for (const [name, share] of this.#shares) {
      const isAsked = most >= own + amount ? share.amount === most : name === peer
      if (!isAsked) continue
      for (const holder of share.holders) {
        const ranked = rank(holder)
        if (ranked !== undefined && (chosen === undefined || ranked > chosen.rank)) chosen = { holder, rank: ranked }
      }
    }
    return chosen?.holder
  }
}
