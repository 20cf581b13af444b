// From the cases in which something holds to a condition that says so.
import { all, any, type Condition, not } from './tree.ts'

/** One thing that a right may depend on; `with` changes a configuration so that it holds, and it does not hold without. */
export interface Axis {
  readonly condition: Condition
  readonly with: Readonly<Record<string, unknown>>
}

/** Every choice of so many axes, as bits. */
export function choices(axes: number): readonly number[] {
  return Array.from({ length: 2 ** axes }, (_, bits) => bits)
}

/**
 * The condition that holds in exactly these of the `cases` that can be: `undefined` for all of them. One literal, all of some, or any of some where that
 * says it; else each case by itself.
 */
export function conditionOf(held: ReadonlySet<number>, axes: readonly Axis[], cases: readonly number[]): Condition | undefined {
  if (held.size === cases.length) return undefined
  const literals = axes.flatMap(({ condition }, at) => [
    { condition, of: (bits: number) => (bits & (1 << at)) !== 0 },
    { condition: not(condition), of: (bits: number) => (bits & (1 << at)) === 0 },
  ])
  const says = (of: (bits: number) => boolean) => cases.every(bits => of(bits) === held.has(bits))
  const necessary = literals.filter(literal => [...held].every(literal.of))
  if (says(bits => necessary.every(literal => literal.of(bits)))) {
    // Where some choices cannot be, fewer may say it.
    const enough = necessary.reduce((left, literal) => {
      const fewer = left.filter(other => other !== literal)
      return says(bits => fewer.every(one => one.of(bits))) ? fewer : left
    }, necessary)
    return all(...enough.map(({ condition }) => condition))
  }
  const sufficient = literals.filter(literal => cases.filter(literal.of).every(bits => held.has(bits)))
  if (says(bits => sufficient.some(literal => literal.of(bits)))) return any(...sufficient.map(({ condition }) => condition))
  const minterm = (bits: number) =>
    all(...axes.map(({ condition }, at) => ((bits & (1 << at)) === 0 ? not(condition) : condition)))
  return any(...[...held].sort((a, b) => a - b).map(minterm))
}
