// Marks of the permits' strip: a row for each capability, a mark for each decision, a bar from granted to released. Marks that would lie
// upon each other are drawn as one with a count. Pixels.
import type { Decision, Permit } from '../../contract.ts'
import { foldedTime, type Piece, placeOfTime, type Span } from './folded-time.ts'

export interface StripMark {
  readonly decision: Decision
  readonly x: number
  /** 0 on the line; 1 below it, where another decision lies there already. */
  readonly lane: 0 | 1
  /** In order of time; never empty. */
  readonly permits: readonly Permit[]
}

interface StripBar {
  readonly x: number
  readonly width: number
  /** Not released yet. */
  readonly open: boolean
  readonly permit: string
}

export interface StripRow {
  readonly capability: string
  readonly marks: readonly StripMark[]
  readonly bars: readonly StripBar[]
}

interface StripLayout {
  readonly pieces: readonly Piece[]
  readonly rows: readonly StripRow[]
}

/** Marks nearer to each other than this are one. */
const apart = 13

/**
 * The strip of those permits over `range`; what is in flight lasts until the range's end. Rows come in order of name, marks from left to
 * right. Permits outside of the range are left out.
 */
export function stripLayout(permits: readonly Permit[], range: Span, width: number): StripLayout {
  const timed = permits
    .map(permit => ({ permit, ...spanOf(permit, range.endMs) }))
    .filter(({ startMs }) => startMs >= range.startMs && startMs <= range.endMs)
    .sort((a, b) => a.startMs - b.startMs)
  const pieces = foldedTime(range, timed, width)
  const rows = [...Map.groupBy(timed, ({ permit }) => permit.capability)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([capability, own]) => ({
      capability,
      marks: marksOf(own.map(({ permit, startMs }) => ({ permit, x: placeOfTime(pieces, startMs) }))),
      bars: own
        .filter(({ permit, startMs, endMs }) => permit.decision === 'granted' && endMs > startMs)
        .map(({ permit, startMs, endMs }) => {
          const x = placeOfTime(pieces, startMs)
          return { x, width: placeOfTime(pieces, endMs) - x, open: permit.releasedAt === null, permit: permit.id }
        }),
    }))
  return { pieces, rows }
}

/** From when it was asked to when it was released; one that waits or holds lasts until the end. */
function spanOf(permit: Permit, endMs: number): Span {
  const startMs = Date.parse(permit.at)
  if (permit.releasedAt !== null) return { startMs, endMs: Math.max(startMs, Date.parse(permit.releasedAt)) }
  const lasts = permit.decision === 'queued' || (permit.decision === 'granted' && permit.token !== null)
  return { startMs, endMs: lasts ? Math.max(startMs, endMs) : startMs }
}

function marksOf(placed: readonly { readonly permit: Permit; readonly x: number }[]): readonly StripMark[] {
  const marks: StripMark[] = []
  for (const { permit, x } of placed) {
    const near = marks.findLastIndex(mark => mark.decision === permit.decision && x - mark.x < apart)
    const mark = marks[near]
    if (mark !== undefined) marks[near] = { ...mark, permits: [...mark.permits, permit] }
    else marks.push({ decision: permit.decision, x, lane: isTaken(marks, x) ? 1 : 0, permits: [permit] })
  }
  return marks
}

function isTaken(marks: readonly StripMark[], x: number): boolean {
  return marks.some(mark => mark.lane === 0 && x - mark.x < apart)
}
