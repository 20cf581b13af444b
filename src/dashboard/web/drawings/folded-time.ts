// A line of time on which long stretches without anything are folded, so that they don't squeeze the rest. Milliseconds to pixels and back.

export interface Span {
  readonly startMs: number
  readonly endMs: number
}

export interface Piece extends Span {
  readonly folded: boolean
  readonly x: number
  readonly width: number
}

/** An empty stretch is folded when it is longer than this share of the range. */
const shareToFold = 0.1
/** Wide enough for `⋯ 2h folded ⋯`. */
const foldedWidth = 76
/** So much of an empty stretch stays on either side: a share of what is not empty, but within these shares of the range. */
const keptOfBusy = 0.1
const leastKept = 0.0002
const widestKept = 0.01
/** Folds take at most this share of the drawing. */
const shareOfFolds = 0.5

/** The range in pieces from left to right; their widths sum to `width`. Of folds that would take too much room the shortest stay open. */
export function foldedTime(range: Span, busy: readonly Span[], width: number): readonly Piece[] {
  const length = range.endMs - range.startMs
  if (!(length > 0) || !(width > 0)) return []
  const fit = Math.floor((width * shareOfFolds) / foldedWidth)
  const gaps = emptyStretches(range, busy).filter(({ startMs, endMs }) => endMs - startMs > length * shareToFold)
  const kept = (length - lengthOf(gaps)) * keptOfBusy
  const folds = gaps
    .map(gap => withMargin(gap, range, Math.min(length * widestKept, Math.max(length * leastKept, kept))))
    .sort((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs))
    .slice(0, fit)
    .sort((a, b) => a.startMs - b.startMs)
  const open = length - lengthOf(folds)
  const ofFold = open > 0 ? foldedWidth : width / folds.length
  const perMs = (width - folds.length * ofFold) / Math.max(1, open)
  const pieces: Piece[] = []
  let at = range.startMs
  let x = 0
  const add = (endMs: number, folded: boolean) => {
    if (endMs <= at) return
    const piece = { startMs: at, endMs, folded, x, width: folded ? ofFold : (endMs - at) * perMs }
    pieces.push(piece)
    x += piece.width
    at = endMs
  }
  for (const { startMs, endMs } of folds) {
    add(startMs, false)
    add(endMs, true)
  }
  add(range.endMs, false)
  return pieces
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
}

function withMargin(gap: Span, range: Span, margin: number): Span {
  return {
    startMs: gap.startMs > range.startMs ? gap.startMs + margin : gap.startMs,
    endMs: gap.endMs < range.endMs ? gap.endMs - margin : gap.endMs,
  }
}

function emptyStretches(range: Span, busy: readonly Span[]): readonly Span[] {
  const gaps: Span[] = []
  let free = range.startMs
  for (const { startMs, endMs } of busy.toSorted((a, b) => a.startMs - b.startMs)) {
    const start = Math.min(startMs, range.endMs)
    if (start > free) gaps.push({ startMs: free, endMs: start })
    free = Math.max(free, endMs)
  }
  if (range.endMs > free) gaps.push({ startMs: free, endMs: range.endMs })
  return gaps
}

/** Where a moment lies; what is outside of the range lies at its edge. */
export function placeOfTime(pieces: readonly Piece[], ms: number): number {
  const first = pieces[0]
  if (first === undefined) return 0
  if (ms <= first.startMs) return first.x
  for (const { startMs, endMs, x, width } of pieces) if (ms <= endMs) return x + (width * (ms - startMs)) / (endMs - startMs)
  const last = pieces.at(-1)
  return last === undefined ? 0 : last.x + last.width
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const steps = [second, 5 * second, 10 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute]
const longSteps = [hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour, 7 * 24 * hour, 28 * 24 * hour]

/** Round times at which the axis is labelled, in the pieces that are not folded, at least `apart` pixels from each other. */
export function ticksOf(pieces: readonly Piece[], apart: number): readonly { readonly ms: number; readonly x: number }[] {
  const ticks: { ms: number; x: number }[] = []
  for (const [index, piece] of pieces.entries()) {
    if (piece.folded || piece.width < apart) continue
    // Beside a fold stands how long it is.
    const from = pieces[index - 1]?.folded === true ? piece.x + apart / 2 : piece.x
    const to = pieces[index + 1]?.folded === true ? piece.x + piece.width - apart / 2 : piece.x + piece.width
    const wanted = ((piece.endMs - piece.startMs) * apart) / piece.width
    const step = [...steps, ...longSteps].find(one => one >= wanted) ?? Math.ceil(wanted / (28 * 24 * hour)) * 28 * 24 * hour
    for (let ms = Math.ceil(piece.startMs / step) * step; ms <= piece.endMs; ms += step) {
      const x = placeOfTime([piece], ms)
      if (x >= from && x <= to && x - (ticks.at(-1)?.x ?? Number.NEGATIVE_INFINITY) >= apart) ticks.push({ ms, x })
    }
  }
  return ticks
}
