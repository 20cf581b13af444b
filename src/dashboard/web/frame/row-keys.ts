// Going from row to row by keys, in whatever is marked as rows: `data-row` on the row, whose first link or itself takes the focus.

/** Moves the focus to the next row (1) or the one before (-1); from elsewhere to the first or the last. */
export function stepRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')].filter(row => row.offsetParent !== null)
  const current = rows.findIndex(row => row.contains(document.activeElement))
  const next = rows[current < 0 ? (step > 0 ? 0 : rows.length - 1) : current + step]
  const target = next?.querySelector<HTMLElement>('a[href], button') ?? next
  target?.focus()
  target?.scrollIntoView({ block: 'nearest' })
}
