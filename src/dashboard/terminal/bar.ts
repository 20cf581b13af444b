// How full a node is, as a row of signs: `#` used, `=` requested beyond that, `|` a goal, `.` the rest.

interface BarFigures {
  /** In the resource's unit; 0 or less: nothing is reported. */
  readonly allocatable: number
  readonly requested: number | null
  readonly used: number | null
  /** Percent of the goals' bounds. */
  readonly goals: readonly number[]
}

/** What stands in a bar of a node that says nothing of itself. */
const nothingReported = ['no allocatable reported', 'nothing reported', 'no data']

/** A bar of exactly `width` signs. Above 100 percent it keeps its length and ends in `>`. */
export function bar({ allocatable, requested, used, goals }: BarFigures, width: number): string {
  if (allocatable <= 0) return (nothingReported.find(text => text.length <= width) ?? '').padEnd(width)
  const signs = Array.from({ length: width }, (_, index): string => {
    if (index < filled(used, allocatable, width)) return '#'
    return index < filled(requested, allocatable, width) ? '=' : '.'
  })
  for (const goal of goals) {
    const at = Math.min(width - 1, Math.floor((goal * width) / 100))
    if (at >= 0) signs[at] = '|'
  }
  if ((requested ?? 0) > allocatable || (used ?? 0) > allocatable) signs[width - 1] = '>'
  return signs.join('')
}

function filled(amount: number | null, allocatable: number, width: number): number {
  return amount === null || amount <= 0 ? 0 : Math.floor((amount * width) / allocatable)
}
