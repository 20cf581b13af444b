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

interface Track {
  readonly values: { readonly [Span in UtilisationSpan]: Uint16Array }
  /** When it was noted last. */
  lastMs: number
}

/**
 * Flow: `note` for each node, oldest first; `series` at any time.
 * Guarantees: a step says what was noted last within it. Steps without a note repeat the step before where no more than `heldSteps` of them
 * lie between two notes, else they are unknown. Notes that are older than what is kept, or than the node's last, change nothing.
 */
export class UtilisationHistory implements UtilisationReader {
  /** The one that was noted longest ago first. */
  readonly #tracks = new Map<string, Track>()
  readonly #heldSteps: number
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
    const track = known ?? newTrack(atMs)
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
        return step <= last ? shareAt(track.values[span], step, offset) : this.#heldAt(track, span, { step, last, offset })
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
    for (const [node, { lastMs }] of this.#tracks) {
      if (lastMs >= beforeMs) return
      this.#tracks.delete(node)
    }
  }

  /** A step after the node's last note. */
  #heldAt(
    { values }: Track,
    span: UtilisationSpan,
    { step, last, offset }: { readonly step: number; readonly last: number; readonly offset: number },
  ): number | null {
    return step - last <= this.#heldSteps ? shareAt(values[span], last, offset) : null
  }

  #write({ values, lastMs }: Track, span: UtilisationSpan, atMs: number, shares: Shares): void {
    const { stepMs, steps } = utilisationSpans[span]
    const own = values[span]
    const [last, now] = [stepOf(lastMs, stepMs), stepOf(atMs, stepMs)]
    const isHeld = now - last - 1 <= this.#heldSteps
    const lastAt = (last % steps) * shareNames.length
    const held = own.slice(lastAt, lastAt + shareNames.length)
    for (let step = Math.max(last + 1, now - steps + 1); step < now; step++) {
      const at = (step % steps) * shareNames.length
      for (let offset = 0; offset < shareNames.length; offset++) own[at + offset] = isHeld ? (held[offset] ?? unknown) : unknown
    }
    const at = (now % steps) * shareNames.length
    for (const [offset, name] of shareNames.entries()) own[at + offset] = stored(shares[name])
  }

  /** Makes room by a node that is gone; false where all of them are there. */
  #forgetOldest(nowMs: number): boolean {
    const [oldest] = this.#tracks
    if (oldest === undefined || nowMs - oldest[1].lastMs < goneAfterMs) return false
    return this.#tracks.delete(oldest[0])
  }
}

function newTrack(atMs: number): Track {
  const empty = (span: UtilisationSpan) => new Uint16Array(utilisationSpans[span].steps * shareNames.length).fill(unknown)
  return { values: { hour: empty('hour'), days: empty('days') }, lastMs: atMs }
}

const stepOf = (ms: number, stepMs: number): number => Math.floor(ms / stepMs)

function stored(share: number | null): number {
  return share === null || !(share >= 0) ? unknown : Math.min(largestShare, Math.trunc(share))
}

/** `values` holds a whole number of steps. */
function shareAt(values: Uint16Array, step: number, offset: number): number | null {
  const steps = values.length / shareNames.length
  const value = values[(step % steps) * shareNames.length + offset]
  return value === undefined || value === unknown ? null : value
}
