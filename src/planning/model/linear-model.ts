// A linear program with integers, as numbers: columns, rows and the sums to be made small. What it is about is not known here.

export interface Column {
  readonly name: string
  readonly lower: number
  readonly upper: number
  readonly isInteger: boolean
}

export interface Row {
  readonly name: string
  readonly lower: number
  readonly upper: number
  readonly columns: readonly number[]
  readonly coefficients: readonly number[]
}

/** A sum to be made small. */
interface Objective {
  readonly name: string
  readonly columns: readonly number[]
  readonly coefficients: readonly number[]
  /** True where each feasible value is a whole number. */
  readonly isWhole: boolean
}

export interface LinearModel {
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  readonly objectives: ReadonlyMap<string, Objective>
}

/** One summand: a column's index and its factor. */
export type Term = readonly [column: number, coefficient: number]

export class LinearModelBuilder implements LinearModel {
  readonly columns: Column[] = []
  readonly rows: Row[] = []
  readonly objectives = new Map<string, Objective>()

  /** The index of a new column. */
  column(name: string, options: { readonly lower?: number; readonly upper?: number; readonly isInteger?: boolean } = {}): number {
    this.columns.push({
      name,
      lower: options.lower ?? 0,
      upper: options.upper ?? Infinity,
      isInteger: options.isInteger ?? false,
    })
    return this.columns.length - 1
  }

  /** A row over the sum of `terms`; terms of one column are added up, a row without any left is dropped. */
  row(name: string, terms: readonly Term[], bounds: { readonly atLeast?: number; readonly atMost?: number }): void {
    const sum = summed(terms)
    if (sum.size === 0) return
    this.rows.push({
      name,
      lower: bounds.atLeast ?? -Infinity,
      upper: bounds.atMost ?? Infinity,
      columns: [...sum.keys()],
      coefficients: [...sum.values()],
    })
  }

  objective(name: string, terms: readonly Term[], isWhole: boolean): void {
    const sum = summed(terms)
    if (sum.size > 0) this.objectives.set(name, { name, columns: [...sum.keys()], coefficients: [...sum.values()], isWhole })
  }
}

function summed(terms: readonly Term[]): Map<number, number> {
  const sum = new Map<number, number>()
  for (const [column, coefficient] of terms) sum.set(column, (sum.get(column) ?? 0) + coefficient)
  for (const [column, coefficient] of sum) if (coefficient === 0) sum.delete(column)
  return new Map([...sum].sort(([a], [b]) => a - b))
}
