// How the values of several nodes become one figure.

/** `sum`: added up, `use` likewise. `range`: the largest less the smallest. `deviation`: the mean distance from the mean. */
export type Measure = 'sum' | 'use' | 'range' | 'deviation'

/** The figure; 0 of no values. */
export function measured(measure: Measure, values: readonly number[]): number {
  if (values.length === 0) return 0
  if (measure === 'range') return Math.max(...values) - Math.min(...values)
  const sum = values.reduce((total, value) => total + value, 0)
  if (measure === 'sum' || measure === 'use') return sum
  const mean = sum / values.length
  return values.reduce((total, value) => total + Math.abs(value - mean), 0) / values.length
}
