// Figures beside their budgets, as a table.
export interface BudgetRow {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly budget?: { readonly atMost: number } | { readonly atLeast: number }
  /** The same of what it is measured against. */
  readonly other?: { readonly name: string; readonly value: number }
}

/** One line a row: the figure, its budget and whether it holds, and the ratio to the other. */
export function budgetTable(rows: readonly BudgetRow[]): string {
  const cells = rows.map(({ what, value, unit, budget, other }) => [
    what,
    `${shown(value)} ${unit}`,
    budget === undefined ? '' : 'atMost' in budget ? `<= ${shown(budget.atMost)}` : `>= ${shown(budget.atLeast)}`,
    budget === undefined ? '' : isHeld(value, budget) ? 'held' : 'MISSED',
    other === undefined ? '' : `${other.name} ${shown(other.value)} ${unit} (${(value / other.value).toFixed(2)}x)`,
  ])
  const widths = [0, 1, 2, 3].map(column => Math.max(...cells.map(row => (row[column] ?? '').length)))
  return cells
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function isHeld(value: number, budget: NonNullable<BudgetRow['budget']>): boolean {
  return 'atMost' in budget ? value <= budget.atMost : value >= budget.atLeast
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
