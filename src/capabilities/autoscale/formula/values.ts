// What a formula works on, and the rules of its operators: whole numbers are bigint, others number, as expr-lang keeps int and float64 apart.
import { FormulaProblem } from './tokens.ts'

export type Value = bigint | number | string | boolean | null | readonly Value[] | ReadonlyMap<string, Value>

/** What is known of a value before it is there. */
export type ValueType = 'int' | 'float' | 'string' | 'bool' | 'nil' | 'array' | 'map' | 'any'

export function typeOf(value: Value): ValueType {
  if (value === null) return 'nil'
  switch (typeof value) {
    case 'bigint':
      return 'int'
    case 'number':
      return 'float'
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    default:
      return Array.isArray(value) ? 'array' : 'map'
  }
}

export function isNumeric(type: ValueType): boolean {
  return type === 'int' || type === 'float' || type === 'any'
}

type Operation = (left: Value, right: Value, at: number) => Value

function mismatch(operator: string, left: Value, right: Value, at: number): FormulaProblem {
  return new FormulaProblem(`invalid operation: ${operator} (mismatched types ${typeOf(left)} and ${typeOf(right)})`, at)
}

const whole = (value: bigint): bigint => BigInt.asIntN(64, value)

function arithmetic(
  operator: string,
  ints: ((left: bigint, right: bigint) => Value) | undefined,
  floats: (left: number, right: number) => number,
): Operation {
  return (left, right, at) => {
    if (typeof left === 'number' && typeof right === 'number') return floats(left, right)
    const areNumbers = isNumber(left) && isNumber(right)
    if (!areNumbers) throw mismatch(operator, left, right, at)
    if (ints !== undefined && typeof left === 'bigint' && typeof right === 'bigint') return ints(left, right)
    return floats(Number(left), Number(right))
  }
}

export function isNumber(value: Value): value is bigint | number {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** As expr-lang compares: numbers by their value whatever their type, lists and maps by what is in them. */
export function areEqual(left: Value, right: Value): boolean {
  if (isNumber(left) && isNumber(right)) return Number(left) === Number(right)
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item: Value, index) => areEqual(item, right[index]))
  if (left instanceof Map && right instanceof Map)
    return left.size === right.size && [...left].every(([key, item]) => right.has(key) && areEqual(item, right.get(key)))
  return left === right
}

function ordered(operator: string, holds: (sign: number) => boolean): Operation {
  return (left, right, at) => {
    const isComparable = (isNumber(left) && isNumber(right)) || (typeof left === 'string' && typeof right === 'string')
    if (!isComparable) throw mismatch(operator, left, right, at)
    // A number that is none is neither less nor more.
    return holds(left < right ? -1 : left > right ? 1 : Number(left) === Number(right) || left === right ? 0 : Number.NaN)
  }
}

function texts(operator: string, holds: (left: string, right: string) => boolean): Operation {
  return (left, right, at) => {
    if (typeof left !== 'string' || typeof right !== 'string') throw mismatch(operator, left, right, at)
    return holds(left, right)
  }
}

const added = arithmetic(
  '+',
  (left, right) => whole(left + right),
  (left, right) => left + right,
)
const power = arithmetic('**', undefined, (left, right) => left ** right)

/** Operators whose both sides are always looked at. */
export const operations: Readonly<Record<string, Operation>> = {
  '+': (left, right, at) => (typeof left === 'string' && typeof right === 'string' ? left + right : added(left, right, at)),
  '-': arithmetic(
    '-',
    (left, right) => whole(left - right),
    (left, right) => left - right,
  ),
  '*': arithmetic(
    '*',
    (left, right) => whole(left * right),
    (left, right) => left * right,
  ),
  '/': arithmetic('/', undefined, (left, right) => left / right),
  '**': power,
  '^': power,
  '%': (left, right, at) => {
    if (typeof left !== 'bigint' || typeof right !== 'bigint') throw mismatch('%', left, right, at)
    if (right === 0n) throw new FormulaProblem('integer divide by zero', at)
    return left % right
  },
  '==': areEqual,
  '!=': (left, right) => !areEqual(left, right),
  '<': ordered('<', sign => sign < 0),
  '<=': ordered('<=', sign => sign <= 0),
  '>': ordered('>', sign => sign > 0),
  '>=': ordered('>=', sign => sign >= 0),
  contains: texts('contains', (left, right) => left.includes(right)),
  startsWith: texts('startsWith', (left, right) => left.startsWith(right)),
  endsWith: texts('endsWith', (left, right) => left.endsWith(right)),
  in: (left, right, at) => {
    if (Array.isArray(right)) return right.some(item => areEqual(item, left))
    if (right instanceof Map) return typeof left === 'string' && right.has(left)
    if (right === null) return false
    throw new FormulaProblem(`operator "in" not defined on ${typeOf(right)}`, at)
  },
}
