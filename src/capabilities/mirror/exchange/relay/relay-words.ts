// What nodes say to each other of a download that several want: the header `X-Ballast-Seat` beside a request for the blob.

/** Why the one that was followed is followed no longer. */
export type FollowFault =
  /** It cannot be reached, or does not load it. */
  | 'gone'
  /** It had no byte in all the time that it was waited for. */
  | 'slow'
  /** All its places are taken, and those of whom it named. */
  | 'full'

export type SeatWord =
  /** Who fetches? `failed`: whom the asker was told to follow, in vain. */
  | { readonly kind: 'ask'; readonly failed?: { readonly peer: string; readonly why: FollowFault } | undefined }
  /** An answer may wait so long for a first byte. */
  | { readonly kind: 'wait'; readonly ms: number }

/** Nobody waits longer for an answer of a peer. */
const longestWait = 60_000

export function formatSeat(word: SeatWord): string {
  if (word.kind === 'wait') return `wait=${Math.min(longestWait, Math.max(0, Math.round(word.ms)))}`
  return word.failed === undefined ? 'ask' : `ask;${word.failed.why}=${word.failed.peer}`
}

/** `undefined` where it is none: then it is a request like any other. */
export function parseSeat(text: string | undefined): SeatWord | undefined {
  if (text === undefined) return undefined
  if (text === 'ask') return { kind: 'ask' }
  const [, why, peer] = /^ask;(gone|slow|full)=([A-Za-z0-9]{1,128})$/.exec(text) ?? []
  if (peer !== undefined && (why === 'gone' || why === 'slow' || why === 'full')) return { kind: 'ask', failed: { peer, why } }
  const ms = Number(/^wait=(\d{1,5})$/.exec(text)?.[1])
  return Number.isInteger(ms) && ms <= longestWait ? { kind: 'wait', ms } : undefined
}
