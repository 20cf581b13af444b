// Which rows of a long table are in the document: those that are seen and a few on either side. Rows are equally high; lengths are pixels.

/** With the header and the two spacers no table has more than 80 rows in the document. */
const rowsDrawn = 76
const rowsAround = 12

interface RowWindow {
  /** Index of the first row that is drawn. */
  readonly first: number
  /** Index after the last one. */
  readonly end: number
  /** Height of what is left out above and below. */
  readonly above: number
  readonly below: number
}

export interface Viewport {
  /** How far the region is scrolled. */
  readonly top: number
  readonly height: number
}

/** The rows to draw of `count`. Whatever the viewport says, `first` and `end` lie within the table and at least one row is drawn. */
export function rowWindow(count: number, rowHeight: number, { top, height }: Viewport): RowWindow {
  if (count <= 0) return { first: 0, end: 0, above: 0, below: 0 }
  const seen = Math.min(rowsDrawn, Math.ceil(Math.max(0, height) / rowHeight) + 1)
  const around = Math.min(rowsAround, Math.floor((rowsDrawn - seen) / 2))
  const atTop = clamped(Math.floor(Math.max(0, top) / rowHeight), 0, Math.max(0, count - seen))
  const first = Math.max(0, atTop - around)
  const end = Math.min(count, atTop + seen + around)
  return { first, end, above: first * rowHeight, below: (count - end) * rowHeight }
}

/** Where to scroll so that the row is seen under a header of that height; the same place where it is seen already. */
export function topThatShows(index: number, rowHeight: number, header: number, { top, height }: Viewport): number {
  const start = index * rowHeight
  const end = start + rowHeight
  if (start < top) return start
  return end + header > top + height ? end + header - height : top
}

/** The row that a key moves to, or undefined where the key means nothing here. `at` is −1 while no row is marked. */
export function rowAfterKey(key: string, at: number, count: number, rowsOfPage: number): number | undefined {
  if (count === 0) return undefined
  const last = count - 1
  switch (key) {
    case 'j':
    case 'ArrowDown':
      return clamped(at + 1, 0, last)
    case 'k':
    case 'ArrowUp':
      return clamped(at - 1, 0, last)
    case 'PageDown':
      return clamped(at + Math.max(1, rowsOfPage), 0, last)
    case 'PageUp':
      return clamped(at - Math.max(1, rowsOfPage), 0, last)
    case 'Home':
      return 0
    case 'End':
      return last
    default:
      return undefined
  }
}

function clamped(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
