// What several cycles come to.
import type { ShadowCycle } from './compare.ts'
import type { ShadowRow, Verdict } from './shadow-row.ts'

type Counts = Readonly<Record<Verdict, number>>

interface ShadowSummary {
  readonly cycles: number
  readonly pods: Counts
  /** By strategy: ours where ours has one, else theirs; `-` where nobody said. */
  readonly strategies: Readonly<Record<string, Counts>>
}

const none: Counts = { agreed: 0, alike: 0, 'ours-only': 0, 'theirs-only': 0, drift: 0 }

/** The sums over all rows of all cycles. */
export function shadowSummary(cycles: readonly ShadowCycle[]): ShadowSummary {
  const rows = cycles.flatMap(cycle => cycle.rows)
  const byStrategy = [...Map.groupBy(rows, strategyOf)].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    cycles: cycles.length,
    pods: countsOf(rows),
    strategies: Object.fromEntries(byStrategy.map(([strategy, of]) => [strategy, countsOf(of)])),
  }
}

/** Whether the two decided otherwise where the cluster gives no excuse. */
export function isDifferent({ pods }: ShadowSummary): boolean {
  return pods['ours-only'] + pods['theirs-only'] > 0
}

function strategyOf({ ours, theirs }: ShadowRow): string {
  return ours?.strategy ?? theirs?.strategy ?? '-'
}

function countsOf(rows: readonly ShadowRow[]): Counts {
  const counts = { ...none }
  for (const { verdict } of rows) counts[verdict]++
  return counts
}
