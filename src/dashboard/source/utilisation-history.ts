// What nodes requested and used, step by step, for as long as it is kept: in memory alone, and bounded. Shares are kept, not amounts:
// two bytes each, in tenths of a percent.
import type { UtilisationSpan } from '../contract.ts'

/** How finely and for how long each span is kept. */
export const utilisationSpans: { readonly [Span in UtilisationSpan]: { readonly stepMs: number; readonly steps: number } } = {
  hour: { stepMs: 30_000, steps: 120 },
  days: { stepMs: 600_000, steps: 288 },
}

/** Nodes that are remembered, those that are gone too: 3 KiB each. More are not. */
export const mostNodes = 6_000
/** A node of which nothing was noted for so long has no steps among the finer ones, and makes room for another. */
const goneAfterMs = utilisationSpans.hour.stepMs * utilisationSpans.hour.steps

/** Shares of what a node can give, in thousandths; null: not known. */
export interface Shares {
  readonly cpuRequested: number | null
  readonly cpuUsed: number | null
  readonly memoryRequested: number | null
  readonly memoryUsed: number | null
}

export type ShareName = keyof Shares
const shareNames = ['cpuRequested', 'cpuUsed', 'memoryRequested', 'memoryUsed'] as const satisfies readonly ShareName[]

/** A node's shares, one for each step from `fromMs` on. */
export interface Series extends Readonly<Record<ShareName, readonly (number | null)[]>> {
  /** When the first step began, in milliseconds since 1970. */
  readonly fromMs: number
  readonly stepMs: number
}

/** What is read of a history. */
export interface UtilisationReader {
  /** When it began; undefined: nothing was noted yet. */
  readonly sinceMs: number | undefined
  /** The steps of `span` up to the one that `untilMs` lies in. Of a node that was never seen nothing is known. */
  series(node: string, span: UtilisationSpan, untilMs: number): Series
}

const unknown = 65_535
const largestShare = unknown - 1
const spans = Object.keys(utilisationSpans) as readonly UtilisationSpan[]

/** Where a node's shares lie: those of one span after those of the other. */
interface Track {
  readonly values: Uint16Array
  readonly start: number
  /** When it was noted last. */
  lastMs: number
}

/** Within what a node has. */
const spanStarts: { readonly [Span in UtilisationSpan]: number } = {
  hour: 0,
  days: utilisationSpans.hour.steps * shareNames.length,
}
const trackLength = spanStarts.days + utilisationSpans.days.steps * shareNames.length
/** Nodes whose shares lie in one piece of memory: thousands of small ones would have the garbage collector run again and again. */
const nodesOfPiece = 64

/**
 * Flow: `note` for each node, oldest first; `series` at any time.
 * Guarantees: a step says what was noted last within it. Steps without a note repeat the step before where no more than `heldSteps` of them
 * lie between two notes, else they are unknown. Notes that are older than what is kept, or than the node's last, change nothing.
 */
export class UtilisationHistory implements UtilisationReader {
  /** The one that was noted longest ago first. */
  readonly #tracks = new Map<string, Track>()
  readonly #heldSteps: number
  /** Places that nobody has, or has any more. */
  readonly #free: Pick<Track, 'values' | 'start'>[] = []
  #sinceMs: number | undefined

  /** `heldSteps`: infinity where whatever changes is noted, so that a silence means that nothing did. */
  constructor(heldSteps: number) {
    this.#heldSteps = heldSteps
  }

  get sinceMs(): number | undefined {
    return this.#sinceMs
  }

  /** How many nodes are remembered. */
  get nodes(): number {
    return this.#tracks.size
  }

  note(node: string, atMs: number, shares: Shares): void {
    if (!Number.isFinite(atMs) || atMs < 0) return
    this.#sinceMs = Math.min(this.#sinceMs ?? atMs, atMs)
    const known = this.#tracks.get(node)
    if (known === undefined && this.#tracks.size >= mostNodes && !this.#forgetOldest(atMs)) return
    const track = known ?? this.#newTrack(atMs)
    if (atMs < track.lastMs) return
    for (const span of spans) this.#write(track, span, atMs, shares)
    track.lastMs = atMs
    // The one that was noted longest ago stays the first.
    this.#tracks.delete(node)
    this.#tracks.set(node, track)
  }

  series(node: string, span: UtilisationSpan, untilMs: number): Series {
    const { stepMs, steps } = utilisationSpans[span]
    const end = stepOf(untilMs, stepMs)
    const from = Math.max(0, end - steps + 1)
    const track = this.#tracks.get(node)
    const last = track === undefined ? -1 : stepOf(track.lastMs, stepMs)
    const list = (name: ShareName) => {
      const offset = shareNames.indexOf(name)
      return Array.from({ length: end - from + 1 }, (_, index) => {
        const step = from + index
        if (track === undefined || step <= last - steps) return null
        if (step > last && step - last > this.#heldSteps) return null
        return shareAt(track, placeOf(span, Math.min(step, last)) + offset)
      })
    }
    const series = {
      cpuRequested: list('cpuRequested'),
      cpuUsed: list('cpuUsed'),
      memoryRequested: list('memoryRequested'),
      memoryUsed: list('memoryUsed'),
    }
    return { fromMs: from * stepMs, stepMs, ...series }
  }

  /** Forgets nodes that were not noted since `beforeMs`. */
  prune(beforeMs: number): void {
    for (const [node, track] of this.#tracks) {
      if (track.lastMs >= beforeMs) return
      this.#forget(node, track)
    }
  }

  #write({ values, start, lastMs }: Track, span: UtilisationSpan, atMs: number, shares: Shares): void {
    const { stepMs, steps } = utilisationSpans[span]
    const [last, now] = [stepOf(lastMs, stepMs), stepOf(atMs, stepMs)]
    const isHeld = now - last - 1 <= this.#heldSteps
    const lastAt = start + placeOf(span, last)
    for (let step = Math.max(last + 1, now - steps + 1); step < now; step++) {
      const at = start + placeOf(span, step)
      for (let offset = 0; offset < shareNames.length; offset++)
        values[at + offset] = isHeld ? (values[lastAt + offset] ?? unknown) : unknown
    }
    const at = start + placeOf(span, now)
    for (let offset = 0; offset < shareNames.length; offset++)
      values[at + offset] = stored(shares[shareNames[offset] ?? 'cpuUsed'])
  }

  #newTrack(atMs: number): Track {
    if (this.#free.length === 0) {
      const values = new Uint16Array(nodesOfPiece * trackLength)
      for (let node = nodesOfPiece - 1; node >= 0; node--) this.#free.push({ values, start: node * trackLength })
    }
    const place = this.#free.pop()
    if (place === undefined) throw new Error('a place was made just before')
    place.values.fill(unknown, place.start, place.start + trackLength)
    return { ...place, lastMs: atMs }
  }

  #forget(node: string, { values, start }: Track): void {
    this.#tracks.delete(node)
    this.#free.push({ values, start })
  }

  /** Makes room by a node that is gone; false where all of them are there. */
  #forgetOldest(nowMs: number): boolean {
    const [oldest] = this.#tracks
    if (oldest === undefined || nowMs - oldest[1].lastMs < goneAfterMs) return false
    this.#forget(...oldest)
    return true
  }
}

const stepOf = (ms: number, stepMs: number): number => Math.floor(ms / stepMs)

function stored(share: number | null): number {
  return share === null || !(share >= 0) ? unknown : Math.min(largestShare, Math.trunc(share))
}

/** Where a step lies within what a node has: the newest take the place of the oldest. */
function placeOf(span: UtilisationSpan, step: number): number {
  return spanStarts[span] + (step % utilisationSpans[span].steps) * shareNames.length
}

function shareAt({ values, start }: Track, place: number): number | null {
  const value = values[start + place]
  return value === undefined || value === unknown ? null : value
}
