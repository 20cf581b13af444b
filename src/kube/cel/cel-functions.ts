// Functions and methods of CEL: those of the language, and of Kubernetes' libraries those that rules and selectors use most.
import { jsonText } from '../values/json-tree.ts'
import { parseQuantity } from '../values/quantity.ts'
import { type Pattern, parsePattern } from '../values/regex.ts'
import { isFields, isSame } from './cel-equality.ts'
import { libraryFunction, libraryMethod } from './cel-library.ts'
import { CelError } from './cel-syntax.ts'
import { formatted } from './cel-text-format.ts'
import { CelQuantity, CelType, CelValue, CelVersion, MapWithDefault, Optional, typeNameOf } from './cel-values.ts'

/** The map that loops and `in` go through. */
export function heldBy(value: unknown): unknown {
  return value instanceof MapWithDefault ? value.entries : value
}

export function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** An integer past 2^53 is a bigint, and an int like any other. */
export function typeName(value: unknown): string {
  return typeof value === 'bigint' ? 'number' : typeof value
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return [...value].length
  if (Array.isArray(value)) return value.length
  if (isFields(value)) return Object.keys(value).length
  throw new CelError('no such overload: size')
}

/** What a function without a receiver gives. @throws CelError */
export function globalFunction(name: string, [value, other]: readonly unknown[]): unknown {
  switch (name) {
    case 'size':
      return sizeOf(value)
    case 'string':
      if (value instanceof CelValue) return value.text
      return typeof value === 'object' ? jsonText(value) : String(value)
    case 'int':
    case 'uint':
      if (typeof value === 'bigint') return value
      if (Number.isNaN(Number(value))) throw new CelError(`cannot convert ${jsonText(value)} to int`)
      return Math.trunc(Number(value))
    case 'double':
      return Number(value)
    case 'bool':
      return value === true || value === 'true'
    case 'dyn':
      return value
    case 'type':
      return new CelType(typeNameOf(value))
    case 'matches':
      return method('matches', value, [other])
    case 'quantity':
      return CelQuantity.of(String(value))
    case 'isQuantity':
      return parseQuantity(String(value)).ok
    case 'semver':
      return CelVersion.of(String(value), other === true)
    case 'isSemver':
      return CelVersion.read(String(value), other === true) !== undefined
    default: {
      const found = libraryFunction(name, value)
      if (found === undefined) throw new CelError(`undeclared reference to '${name}'`)
      return found
    }
  }
}

/** What a method of a value gives. @throws CelError */
export function method(name: string, target: unknown, args: readonly unknown[]): unknown {
  if (target instanceof Optional) return optionalMethod(name, target, args)
  const [first, second] = args
  if (name === 'size') return sizeOf(heldBy(target))
  if (target instanceof CelValue) {
    const found = target.call(name, args)
    if (found !== undefined) return found
  }
  if (typeof target === 'string') {
    const found = textMethod(name, target, args)
    if (found !== undefined) return found
  }
  if (Array.isArray(target)) {
    const found = listMethod(name, target, args)
    if (found !== undefined) return found
  }
  const found = libraryMethod(name, target, args)
  if (found !== undefined) return found
  throw new CelError(
    `undeclared reference to '${name}' with ${jsonText([first, second].filter(argument => argument !== undefined))}`,
  )
}

function optionalMethod(name: string, target: Optional, [first]: readonly unknown[]): unknown {
  switch (name) {
    case 'hasValue':
      return target.isPresent
    case 'value':
      if (!target.isPresent) throw new CelError('optional.none() dereference')
      return target.content
    case 'orValue':
      return target.isPresent ? target.content : first
    case 'or':
      return target.isPresent ? target : first
    default:
      throw new CelError(`undeclared reference to '${name}'`)
  }
}

function textMethod(name: string, target: string, args: readonly unknown[]): unknown {
  const [first, second] = args
  switch (name) {
    case 'startsWith':
      return target.startsWith(String(first))
    case 'endsWith':
      return target.endsWith(String(first))
    case 'contains':
      return target.includes(String(first))
    case 'matches':
      return isFound(String(first), target)
    case 'lowerAscii':
      return target.toLowerCase()
    case 'upperAscii':
      return target.toUpperCase()
    case 'trim':
      return target.trim()
    case 'split':
      return target.split(String(first))
    case 'replace':
      return target.replaceAll(String(first), () => String(second))
    case 'indexOf':
      return target.indexOf(String(first))
    case 'format':
      return formatted(target, Array.isArray(first) ? first : [])
    case 'substring':
      return target.slice(Number(first), second === undefined ? undefined : Number(second))
    default:
      return undefined
  }
}

const patterns = new Map<string, Pattern>()
const mostPatterns = 10_000

function isFound(source: string, text: string): boolean {
  let pattern = patterns.get(source)
  if (pattern === undefined) {
    const parsed = parsePattern(source)
    if (!parsed.ok) throw new CelError(`${jsonText(source)} is not ${parsed.problem.expected}`)
    pattern = parsed.value
    if (patterns.size >= mostPatterns) patterns.clear()
    patterns.set(source, pattern)
  }
  return pattern.isFoundIn(text)
}

function listMethod(name: string, target: readonly unknown[], args: readonly unknown[]): unknown {
  const numbers = target.filter(item => typeof item === 'number')
  switch (name) {
    case 'join':
      return target.map(String).join(args[0] === undefined ? '' : String(args[0]))
    case 'sum':
      return numbers.reduce((sum, item) => sum + item, 0)
    case 'min':
      return Math.min(...numbers)
    case 'max':
      return Math.max(...numbers)
    case 'isSorted':
      return target.every((item, index) => index === 0 || compareItems(target[index - 1], item) <= 0)
    case 'indexOf':
      return target.findIndex(item => isSame(item, args[0]))
    default:
      return undefined
  }
}

function compareItems(left: unknown, right: unknown): number {
  if (isNumeric(left) && isNumeric(right)) return left < right ? -1 : left > right ? 1 : 0
  return String(left) < String(right) ? -1 : String(left) > String(right) ? 1 : 0
}
