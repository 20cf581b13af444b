// Who fetches what nobody has, kept by the node that is nearest to a digest, for as long as others ask. Pure: time comes as an argument.
import type { Digest } from '../../reference.ts'
import type { FollowFault } from './relay-words.ts'

/** A digest that nobody asked about for so long is forgotten. */
export const keptMs = 60_000
/** Nodes that one digest is remembered of; further ones are sent to one of these. */
export const mostMembers = 256
/** Nodes of all digests together; those of the digest that was asked about longest ago are forgotten first. */
export const mostSeats = 16_384
/** Nodes that are sent to the same one, while others have a place: it could serve one more, but whoever serves loads something itself. */
const sentToOne = 2
/** Digests that one node may ask about at a time. */
export const mostOfOne = 512
/** One that was to fetch and brought no byte, so often within `barredMs`, is no longer told to. */
export const mostStrikes = 3
export const barredMs = 600_000
/** Nodes whose failures are remembered. */
export const mostStruck = 1_024

type TableAnswer =
  | { readonly kind: 'lead' }
  | { readonly kind: 'follow'; readonly peer: string }
  /** It is not told anything: it does as if nobody else were there. */
  | { readonly kind: 'nothing' }

interface Member {
  readonly id: string
  /** Each follows one of a lower number: so nobody comes to wait for one that waits for him. */
  number: number
  isGone: boolean
  /** Since when it is to fetch. */
  leadsSinceMs: number | undefined
  follows: string | undefined
  /** How many are between it and the registry. */
  depth: number
}

interface Seats {
  readonly members: Map<string, Member>
  askedMs: number
  lowest: number
}

interface Strikes {
  count: number
  readonly sinceMs: number
}

/**
 * Guarantees: of those that are there at most one is to fetch a digest; whoever asks is told at once; what is kept has a bound, whoever asks
 * for whatever.
 */
export class SeatTable {
  readonly #progressMs: number
  /** The digest asked about longest ago first. */
  readonly #seats = new Map<Digest, Seats>()
  readonly #digestsOf = new Map<string, number>()
  readonly #strikes = new Map<string, Strikes>()
  #members = 0

  /** `progressMs`: how long one that is to fetch may go without a first byte. */
  constructor({ progressMs }: { readonly progressMs: number }) {
    this.#progressMs = progressMs
  }

  /** Digests and nodes that are remembered. */
  get size(): { readonly digests: number; readonly members: number; readonly struck: number } {
    return { digests: this.#seats.size, members: this.#members, struck: this.#strikes.size }
  }

  /** Who is to fetch it now; `undefined`: nobody. */
  leader(digest: Digest): string | undefined {
    return this.#seats.get(digest)?.members.values().find(isLeading)?.id
  }

  /** `failed`: whom `asker` was told to follow, and why it no longer does; of others it is not believed. */
  ask(digest: Digest, asker: string, nowMs: number, failed?: { readonly peer: string; readonly why: FollowFault }): TableAnswer {
    this.#forgetOld(nowMs)
    if (this.#isBarred(asker, nowMs)) return { kind: 'nothing' }
    const known = this.#seats.get(digest)
    const isMember = known?.members.has(asker) === true
    if (!isMember && (this.#digestsOf.get(asker) ?? 0) >= mostOfOne) return { kind: 'nothing' }
    const seats = known ?? { members: new Map(), askedMs: nowMs, lowest: 0 }
    seats.askedMs = nowMs
    this.#seats.delete(digest)
    this.#seats.set(digest, seats)
    if (!isMember && seats.members.size >= mostMembers) return outsider(seats)
    const member = seats.members.get(asker) ?? this.#join(seats, asker)
    member.isGone = false
    const avoid = failed !== undefined && failed.peer === member.follows ? this.#accused(seats, failed, nowMs) : undefined
    const answer = this.#seat(seats, member, avoid, nowMs)
    this.#trim()
    return answer
  }

  #join(seats: Seats, id: string): Member {
    const member: Member = {
      id,
      number: seats.members.size + 1,
      isGone: false,
      leadsSinceMs: undefined,
      follows: undefined,
      depth: 0,
    }
    seats.members.set(id, member)
    this.#members++
    this.#digestsOf.set(id, (this.#digestsOf.get(id) ?? 0) + 1)
    return member
  }

  /** Yields whom to leave out for the one that says so. */
  #accused(seats: Seats, { peer, why }: { readonly peer: string; readonly why: FollowFault }, nowMs: number): string | undefined {
    const accused = seats.members.get(peer)
    if (accused === undefined) return undefined
    const { leadsSinceMs } = accused
    if (why === 'slow' && leadsSinceMs !== undefined) {
      // It may have been told to only just now.
      if (nowMs - leadsSinceMs < this.#progressMs) return undefined
      this.#strike(peer, nowMs)
    }
    if (why === 'gone' || (why === 'slow' && leadsSinceMs !== undefined)) {
      accused.isGone = true
      accused.leadsSinceMs = undefined
    }
    return peer
  }

  #seat(seats: Seats, member: Member, avoid: string | undefined, nowMs: number): TableAnswer {
    const leading = seats.members.values().find(isLeading)
    if (leading === undefined || leading === member) {
      member.leadsSinceMs ??= nowMs
      member.follows = undefined
      member.depth = 0
      if (leading === undefined) member.number = --seats.lowest
      return { kind: 'lead' }
    }
    const parent = this.#parentOf(seats, member, avoid) ?? leading
    member.follows = parent.id
    member.depth = parent.depth + 1
    return { kind: 'follow', peer: parent.id }
  }

  /** Picks one of the members that came before: one with a place, near to the fetching one. `avoid` is picked only where nobody else is there. */
  #parentOf({ members }: Seats, member: Member, avoid: string | undefined): Member | undefined {
    const followers = new Map<string, number>()
    for (const { id, follows, isGone } of members.values())
      if (follows !== undefined && !isGone && id !== member.id) followers.set(follows, (followers.get(follows) ?? 0) + 1)
    const before = members.values().filter(({ id, isGone, number }) => !isGone && number < member.number && id !== avoid)
    const count = ({ id }: Member) => followers.get(id) ?? 0
    return [...before].toSorted((one, other) => {
      const [here, there] = [count(one), count(other)]
      if (here >= sentToOne !== there >= sentToOne) return here - there
      return one.depth - other.depth || here - there || one.number - other.number
    })[0]
  }

  #strike(peer: string, nowMs: number): void {
    const strikes = this.#strikes.get(peer)
    const isOver = strikes !== undefined && nowMs - strikes.sinceMs >= barredMs
    this.#strikes.delete(peer)
    this.#strikes.set(
      peer,
      strikes === undefined || isOver ? { count: 1, sinceMs: nowMs } : { ...strikes, count: strikes.count + 1 },
    )
    for (const oldest of this.#strikes.keys()) {
      if (this.#strikes.size <= mostStruck) break
      this.#strikes.delete(oldest)
    }
  }

  #isBarred(peer: string, nowMs: number): boolean {
    const strikes = this.#strikes.get(peer)
    return strikes !== undefined && strikes.count >= mostStrikes && nowMs - strikes.sinceMs < barredMs
  }

  #forgetOld(nowMs: number): void {
    for (const [digest, { askedMs }] of this.#seats) {
      if (nowMs - askedMs < keptMs) break
      this.#forget(digest)
    }
  }

  #trim(): void {
    for (const digest of this.#seats.keys()) {
      if (this.#members <= mostSeats) break
      this.#forget(digest)
    }
  }

  #forget(digest: Digest): void {
    const members = this.#seats.get(digest)?.members ?? new Map<string, Member>()
    this.#seats.delete(digest)
    this.#members -= members.size
    for (const id of members.keys()) {
      const left = (this.#digestsOf.get(id) ?? 1) - 1
      if (left > 0) this.#digestsOf.set(id, left)
      else this.#digestsOf.delete(id)
    }
  }
}

const isLeading = ({ leadsSinceMs, isGone }: Member): boolean => leadsSinceMs !== undefined && !isGone

/** One that is not remembered itself: it follows the one that came last. */
function outsider({ members }: Seats): TableAnswer {
  const last = [...members.values()].findLast(({ isGone }) => !isGone)
  return last === undefined ? { kind: 'nothing' } : { kind: 'follow', peer: last.id }
}
