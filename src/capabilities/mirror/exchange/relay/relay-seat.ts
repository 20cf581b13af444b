// One node's part in a download that several want at a time, as a machine: ask who fetches, fetch, follow somebody, or give up. Pure.
import type { FollowFault } from './relay-words.ts'

/** Nodes that are asked who fetches, one after the other, where one does not answer. */
const mostKeepers = 3
/**
 * How long one answer is waited for, of the one that keeps the table or of the one that is followed: a share of the time that a request is
 * held, and no more than is needed by a node that has much to do. Where ten nodes that have just started have two processors, answers took up
 * to 3 s; whoever is taken for gone meanwhile costs one more copy from outside.
 */
const answerShare = 0.8
const longestAnswerMs = 8_000
/** Between two questions, twice as long each time, up to the last of these. */
const firstPauseMs = 25
const longestPauseMs = 400
/** Others that one without a place may name. */
const mostNamed = 4

export type SeatAction =
  /** This node's containerd fetches from the registry. */
  | { readonly kind: 'lead' }
  | { readonly kind: 'ask'; readonly keeper: string; readonly withinMs: number; readonly failed: Failed | undefined }
  | { readonly kind: 'follow'; readonly peer: string; readonly withinMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'give-up' }

interface Failed {
  readonly peer: string
  readonly why: FollowFault
}

export type KeeperAnswer =
  | { readonly kind: 'lead' }
  | { readonly kind: 'follow'; readonly peers: readonly string[] }
  /** It does not know, cannot be reached, or says nothing for too long. */
  | { readonly kind: 'nothing' }

export type FollowAnswer =
  | { readonly kind: 'gone' | 'slow' }
  /** Its places are taken by these. */
  | { readonly kind: 'full'; readonly peers: readonly string[] }

/** All that may keep the table, the first one first: by distance, then by id. */
export function orderOf(ids: Iterable<string>, distance: (id: string) => bigint): readonly string[] {
  const placed = [...new Set(ids)].map(id => ({ id, at: distance(id) }))
  placed.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : one.id < other.id ? -1 : 1))
  return placed.map(({ id }) => id)
}

/** How long one that is to fetch may go without an answer to those that follow it, where a request is held for `holdMs`. */
export const progressMsOf = (holdMs: number): number => Math.min(longestAnswerMs, holdMs * answerShare)

interface SeatOptions {
  readonly self: string
  /** As {@link orderOf} gives them, with `self` among them. */
  readonly order: readonly string[]
  readonly nowMs: number
  /** How long a request is held, in all. */
  readonly holdMs: number
  /** Whom this node followed before, and who broke off. */
  readonly failed?: Failed | undefined
}

/**
 * Call `next` for what to do; after an `ask` tell `told`, after a `follow` that did not bring a stream `followed`. Guarantees: it ends with
 * `lead` or `give-up`, after `holdMs` at the latest; it never follows itself.
 */
export class RelaySeat {
  readonly #self: string
  readonly #keepers: string[]
  readonly #answerMs: number
  readonly #deadlineMs: number
  #parents: string[] = []
  #tried = new Set<string>()
  #failed: Failed | undefined
  #isLeading = false
  #questions = 0
  #pauseMs = 0

  constructor({ self, order, nowMs, holdMs, failed }: SeatOptions) {
    this.#failed = failed
    this.#self = self
    this.#keepers = order.slice(0, mostKeepers)
    this.#answerMs = progressMsOf(holdMs)
    this.#deadlineMs = nowMs + holdMs
  }

  next(nowMs: number): SeatAction {
    if (this.#isLeading) return { kind: 'lead' }
    const leftMs = this.#deadlineMs - nowMs
    if (leftMs <= 0) return { kind: 'give-up' }
    const peer = this.#parents[0]
    if (peer !== undefined) return { kind: 'follow', peer, withinMs: Math.min(leftMs, this.#answerMs) }
    const keeper = this.#keepers[0]
    if (keeper === undefined) return { kind: 'lead' }
    if (this.#pauseMs > 0) {
      const ms = Math.min(leftMs, this.#pauseMs)
      this.#pauseMs = 0
      return { kind: 'wait', ms }
    }
    return { kind: 'ask', keeper, withinMs: Math.min(leftMs, this.#answerMs), failed: this.#failed }
  }

  told(answer: KeeperAnswer): void {
    // The first repetition is for free: whoever failed may have done so at once.
    if (++this.#questions > 1) this.#pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#questions - 2))
    this.#tried = new Set()
    const peers = answer.kind === 'follow' ? answer.peers.filter(id => id !== this.#self) : []
    if (answer.kind === 'lead') this.#isLeading = true
    else if (peers.length > 0) this.#parents = peers.slice(0, mostNamed)
    else {
      this.#keepers.shift()
      this.#failed = undefined
      this.#pauseMs = 0
    }
  }

  followed(peer: string, answer: FollowAnswer): void {
    this.#tried.add(peer)
    const named = answer.kind === 'full' ? answer.peers.filter(id => id !== this.#self).slice(0, mostNamed) : []
    const isNamed = this.#tried.size > 1
    // What those do that it was not told of is nothing to the one that keeps the table.
    if (!isNamed) this.#failed = { peer, why: answer.kind }
    const left = [...(isNamed ? [] : named), ...this.#parents.slice(1)]
    this.#parents = [...new Set(left)].filter(id => !this.#tried.has(id)).slice(0, mostNamed)
  }
}

/** Who is served of a download: at most three at a time; a follower that asks again keeps its place. */
export const mostFollowers = 3

/** Whether `asker` gets a place beside `seated`. */
export function hasPlace(seated: ReadonlySet<string>, asker: string): boolean {
  return seated.has(asker) || seated.size < mostFollowers
}
