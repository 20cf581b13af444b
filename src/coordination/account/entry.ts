// One line of an account: what somebody did, wanted or was refused, as data and as a sentence.

/**
 * The arbiter's words on a wish; `Dropped` is what was to go along until the server refused its change, `Observed` what was done without
 * asking.
 */
export type AccountDecision = 'Granted' | 'Queued' | 'Denied' | 'NoOp' | 'Coalesced' | 'Dropped' | 'Observed'

/** `told`: nothing was to be done, it is only said. */
export type Outcome = 'done' | 'under-way' | 'waits' | 'not-done' | 'told'

export interface Entry {
  readonly atMs: number
  /** Its own time was not written down; `atMs` is the latest it can have. */
  readonly isLatest?: boolean
  /** A capability of ours, or whoever else, as users know them. */
  readonly who: string
  /** `evict Pod shop/cart-a`. */
  readonly what: string
  /** `undefined`: nobody was asked, a plan or policy says it. */
  readonly decision: AccountDecision | undefined
  readonly outcome: Outcome
  /** How it went, or why not. */
  readonly sentence: string
  /** Why it was wanted. */
  readonly because: readonly string[]
  readonly rule?: string
  /** CamelCase, as on events and conditions. */
  readonly reason?: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly wayOut?: string
  /** `namespace/name` of the DisruptionPermit. */
  readonly permit?: string
  readonly seconds?: number
}

/** Oldest first; what happened at one moment stays in its order. */
export function inOrderOfTime(entries: readonly Entry[]): readonly Entry[] {
  return entries.toSorted((a, b) => a.atMs - b.atMs)
}
