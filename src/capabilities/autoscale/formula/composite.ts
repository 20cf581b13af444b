// The formula of scalingModifiers: values of triggers by their names go in, one number comes out.
import { compile, type Program } from './compile.ts'
import { parseFormula } from './syntax.ts'
import { FormulaProblem } from './tokens.ts'
import type { Value, ValueType } from './values.ts'

/** A formula whose names are known. */
export interface CompositeFormula {
  /**
   * The number that comes out, cut to thousandths as upstream does; undefined where a formula with `??` found no value at all.
   * A trigger whose value is null has failed for longer than its fallback allows.
   * @throws FormulaProblem where it comes to no number
   */
  evaluate(values: ReadonlyMap<string, number | null>): number | undefined
}

/** Upstream's trial value of every trigger. */
const trialValue = -1
const thousand = 1_000

/** Reads and tries a formula over triggers called `names`. @throws FormulaProblem, as upstream's admission would refuse it */
export function compositeFormula(text: string, names: readonly string[]): CompositeFormula {
  const tree = parseFormula(text)
  // Only with `??` may it come to nothing: otherwise it is a number, or it is refused.
  const mayBeNil = text.includes('??')
  const { type, program } = compile(tree, new Map<string, ValueType>(names.map(name => [name, 'float'])))
  const refused: readonly ValueType[] = ['bool', 'array', 'map', ...(mayBeNil ? [] : (['nil'] as const))]
  if (refused.includes(type)) throw new FormulaProblem(`invalid argument for float (type ${type})`, 0)
  const evaluate = (values: ReadonlyMap<string, number | null>) => numberOf(program, values, mayBeNil)
  evaluate(new Map(names.map(name => [name, trialValue])))
  return { evaluate }
}

function numberOf(program: Program, values: ReadonlyMap<string, number | null>, mayBeNil: boolean): number | undefined {
  const value = program(values)
  if (value === null && mayBeNil) return undefined
  const number = floatOf(value)
  if (number === undefined || !Number.isFinite(number))
    throw new FormulaProblem(`the formula came to ${String(value)}, not to a number`, 0)
  return Math.trunc(number * thousand) / thousand
}

function floatOf(value: Value): number | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value)) ? Number(value) : undefined
}
