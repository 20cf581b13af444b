// Functions of expr-lang that formulas of metrics use: numbers, lists, and texts as far as they become numbers.
import { FormulaProblem } from './tokens.ts'
import { areEqual, isNumber, operations, typeOf, type Value, type ValueType } from './values.ts'

/** What one evaluation may still do. */
export interface Work {
  left: number
}

interface Call {
  readonly args: readonly Value[]
  readonly at: number
  readonly work: Work
}

interface FormulaFunction {
  readonly least: number
  readonly most: number
  readonly result: ValueType
  /** The types that each argument may have; none: any. */
  readonly takes?: readonly ValueType[]
  readonly call: (call: Call) => Value
}

/** Elements that one evaluation makes or looks at. */
export const mostWork = 100_000

/** @throws FormulaProblem where `count` more is too much */
export function spend(work: Work, count: number, at: number): void {
  work.left -= count
  if (work.left < 0) throw new FormulaProblem(`more than ${mostWork} steps`, at)
}

export function listOf(value: Value | undefined, name: string, at: number): readonly Value[] {
  if (value !== undefined && Array.isArray(value)) return value
  throw new FormulaProblem(`invalid argument for ${name} (type ${typeOf(value ?? null)})`, at)
}

function numberOf(value: Value | undefined, name: string, at: number): bigint | number {
  if (value !== undefined && isNumber(value)) return value
  throw new FormulaProblem(`invalid argument for ${name} (type ${typeOf(value ?? null)})`, at)
}

/** All numbers among arguments, lists opened however deep. */
function numbersOf({ args, at, work }: Call, name: string): readonly (bigint | number)[] {
  return args.flatMap(value => {
    if (!Array.isArray(value)) return [numberOf(value, name, at)]
    spend(work, value.length, at)
    return numbersOf({ args: value, at, work }, name)
  })
}

function extreme(name: string, isBetter: (one: number, other: number) => boolean): FormulaFunction {
  return {
    least: 1,
    most: Number.POSITIVE_INFINITY,
    result: 'any',
    call: call => {
      const [first, ...rest] = numbersOf(call, name)
      if (first === undefined) throw new FormulaProblem(`not enough arguments to call ${name}`, call.at)
      return rest.reduce((best, next) => (isBetter(Number(next), Number(best)) ? next : best), first)
    },
  }
}

function rounded(name: string, round: (value: number) => number): FormulaFunction {
  const call = ({ args, at }: Call) => round(Number(numberOf(args[0], name, at)))
  return { least: 1, most: 1, result: 'float', takes: ['int', 'float'], call }
}

const mean = (numbers: readonly (bigint | number)[]): number =>
  numbers.length === 0 ? 0 : numbers.reduce<number>((total, next) => total + Number(next), 0) / numbers.length

function median(numbers: readonly (bigint | number)[]): number {
  const sorted = numbers.map(Number).sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 0 ? mean(sorted.slice(Math.max(0, middle - 1), middle + 1)) : (sorted[middle] ?? 0)
}

/** Half away from zero, as Go rounds. */
const goRound = (value: number): number => Math.sign(value) * Math.round(Math.abs(value))

function toFloat({ args: [value], at }: Call): Value {
  if (value !== undefined && isNumber(value)) return Number(value)
  if (typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value)) return Number(value)
  throw new FormulaProblem(
    `invalid operation: float(${typeof value === 'string' ? JSON.stringify(value) : typeOf(value ?? null)})`,
    at,
  )
}

function toInt({ args: [value], at }: Call): Value {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isFinite(value)) return BigInt.asIntN(64, BigInt(Math.trunc(value)))
  if (typeof value === 'string' && /^[+-]?\d{1,18}$/.test(value)) return BigInt(value)
  throw new FormulaProblem(
    `invalid operation: int(${typeof value === 'string' ? JSON.stringify(value) : typeOf(value ?? null)})`,
    at,
  )
}

function plain(
  name: string,
  most: number,
  result: ValueType,
  call: (list: readonly Value[], rest: Call) => Value,
): FormulaFunction {
  return {
    least: 1,
    most,
    result,
    takes: ['array'],
    call: whole => {
      const list = listOf(whole.args[0], name, whole.at)
      spend(whole.work, list.length, whole.at)
      return call(list, whole)
    },
  }
}

function sorted(list: readonly Value[], { args, at }: Call): Value {
  const isDescending = args[1] === 'desc'
  const less = operations['<']
  if (less === undefined) return list
  const order = [...list].sort((one, other) => (less(one, other, at) === true ? -1 : less(other, one, at) === true ? 1 : 0))
  return isDescending ? order.reverse() : order
}

function uniq(list: readonly Value[], { at, work }: Call): Value {
  const seen: Value[] = []
  for (const item of list) {
    spend(work, seen.length, at)
    if (!seen.some(one => areEqual(one, item))) seen.push(item)
  }
  return seen
}

const texts = (name: string, result: ValueType, call: (text: string, rest: Call) => Value): FormulaFunction => ({
  least: 1,
  most: 1,
  result,
  takes: ['string'],
  call: whole => {
    const [text] = whole.args
    if (typeof text !== 'string')
      throw new FormulaProblem(`invalid argument for ${name} (type ${typeOf(text ?? null)})`, whole.at)
    return call(text, whole)
  },
})

/** Functions by their names; those that ask something of each element are the compiler's. */
export const functions: ReadonlyMap<string, FormulaFunction> = new Map<string, FormulaFunction>([
  ['max', extreme('max', (one, other) => one > other)],
  ['min', extreme('min', (one, other) => one < other)],
  ['mean', { least: 1, most: Number.POSITIVE_INFINITY, result: 'float', call: call => mean(numbersOf(call, 'mean')) }],
  ['median', { least: 1, most: Number.POSITIVE_INFINITY, result: 'float', call: call => median(numbersOf(call, 'median')) }],
  [
    'abs',
    {
      least: 1,
      most: 1,
      result: 'any',
      takes: ['int', 'float'],
      call: ({ args, at }) => {
        const value = numberOf(args[0], 'abs', at)
        return typeof value === 'bigint' ? BigInt.asIntN(64, value < 0n ? -value : value) : Math.abs(value)
      },
    },
  ],
  ['ceil', rounded('ceil', Math.ceil)],
  ['floor', rounded('floor', Math.floor)],
  ['round', rounded('round', goRound)],
  ['float', { least: 1, most: 1, result: 'float', takes: ['int', 'float', 'string'], call: toFloat }],
  ['int', { least: 1, most: 1, result: 'int', takes: ['int', 'float', 'string'], call: toInt }],
  [
    'len',
    {
      least: 1,
      most: 1,
      result: 'int',
      takes: ['string', 'array', 'map'],
      call: ({ args: [value], at }) => {
        if (typeof value === 'string') return BigInt([...value].length)
        if (value instanceof Map) return BigInt(value.size)
        return BigInt(listOf(value, 'len', at).length)
      },
    },
  ],
  ['type', { least: 1, most: 1, result: 'string', call: ({ args: [value] }) => typeOf(value ?? null) }],
  ['first', plain('first', 1, 'any', list => list[0] ?? null)],
  ['last', plain('last', 1, 'any', list => list.at(-1) ?? null)],
  [
    'take',
    plain('take', 2, 'array', (list, { args, at }) => {
      const count = args[1]
      if (typeof count !== 'bigint') throw new FormulaProblem(`cannot take ${typeOf(count ?? null)} elements`, at)
      return list.slice(0, Number(count < 0n ? 0n : count))
    }),
  ],
  ['reverse', plain('reverse', 1, 'array', list => [...list].reverse())],
  ['uniq', plain('uniq', 1, 'array', uniq)],
  ['sort', plain('sort', 2, 'array', sorted)],
  [
    'flatten',
    plain('flatten', 1, 'array', (list, { at, work }) => {
      const opened = (items: readonly Value[]): readonly Value[] => {
        spend(work, items.length, at)
        return items.flatMap(item => (Array.isArray(item) ? opened(item) : [item]))
      }
      return opened(list)
    }),
  ],
  [
    'concat',
    {
      least: 1,
      most: Number.POSITIVE_INFINITY,
      result: 'array',
      call: ({ args, at, work }) =>
        args.flatMap(value => {
          const list = listOf(value, 'concat', at)
          spend(work, list.length, at)
          return list
        }),
    },
  ],
  ['upper', texts('upper', 'string', text => text.toUpperCase())],
  ['lower', texts('lower', 'string', text => text.toLowerCase())],
  ['trim', texts('trim', 'string', text => text.trim())],
])
