// Functions of CEL's extensions and of Kubernetes' libraries beyond those that selectors use: sets, lists, texts, addresses, durations.
import { type Pattern, parsePattern } from '../values/regex.ts'
import { CelAddress, CelNetwork, isCel } from './cel-addresses.ts'
import { isSame } from './cel-equality.ts'
import { CelNamedFormat } from './cel-named-formats.ts'
import { CelError } from './cel-syntax.ts'
import { CelDuration, CelTime, timeOrder } from './cel-times.ts'
import { CelUrl, urlProblem } from './cel-urls.ts'
import { absent, CelQuantity, Optional } from './cel-values.ts'

const spaces = new Set(['sets', 'lists', 'strings', 'ip', 'format'])

/** Whether a name is only the front of functions' names: `sets.contains`. */
export function isSpace(name: string): boolean {
  return spaces.has(name)
}

/** Items that a range may have. */
const longestRange = 10_000

/** What a function of a space gives. @throws CelError */
export function spaceFunction(name: string, [first, second]: readonly unknown[]): unknown {
  switch (name) {
    case 'sets.contains':
      return listOf(second).every(item => has(listOf(first), item))
    case 'sets.intersects':
      return listOf(first).some(item => has(listOf(second), item))
    case 'sets.equivalent':
      return listOf(first).every(item => has(listOf(second), item)) && listOf(second).every(item => has(listOf(first), item))
    case 'lists.range': {
      const length = Number(first)
      if (length > longestRange) throw new CelError(`a range of more than ${longestRange} items`)
      return Array.from({ length: Math.max(0, length) }, (_, index) => index)
    }
    case 'strings.quote':
      return JSON.stringify(first)
    case 'ip.isCanonical':
      return CelAddress.of(String(first)).text === first
    case 'format.named': {
      const format = CelNamedFormat.named(String(first))
      return format === undefined ? absent : new Optional(format, true)
    }
    default: {
      const format = name.startsWith('format.') ? CelNamedFormat.named(name.slice('format.'.length)) : undefined
      if (format === undefined) throw new CelError(`undeclared reference to '${name}'`)
      return format
    }
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new CelError('no such overload: expected a list')
  return value
}

function has(list: readonly unknown[], wanted: unknown): boolean {
  return list.some(item => isSame(item, wanted))
}

/** What a function without a receiver gives; undefined where there is none of that name. @throws CelError */
export function libraryFunction(name: string, value: unknown): unknown {
  switch (name) {
    case 'duration':
      return value instanceof CelDuration ? value : CelDuration.of(String(value))
    case 'timestamp':
      return value instanceof CelTime ? value : CelTime.of(String(value))
    case 'sign':
      return value instanceof CelQuantity ? value.call('sign', []) : undefined
    case 'ip':
      return CelAddress.of(String(value))
    case 'cidr':
      return CelNetwork.of(String(value))
    case 'url':
      return CelUrl.of(String(value))
    case 'isIP':
      return isCel(() => CelAddress.of(String(value)))
    case 'isCIDR':
      return isCel(() => CelNetwork.of(String(value)))
    case 'isURL':
      return urlProblem(String(value)) === undefined
    default:
      return undefined
  }
}

/** What a method gives; undefined where a value has none of that name. @throws CelError */
export function libraryMethod(name: string, target: unknown, args: readonly unknown[]): unknown {
  if (typeof target === 'string') return textMethod(name, target, args)
  return Array.isArray(target) ? listMethod(name, target, args) : undefined
}

function textMethod(name: string, target: string, [first, second]: readonly unknown[]): unknown {
  const characters = [...target]
  switch (name) {
    case 'charAt':
      if (Number(first) < 0 || Number(first) > characters.length) throw new CelError(`index out of range: ${String(first)}`)
      return characters[Number(first)] ?? ''
    case 'lastIndexOf':
      return target.lastIndexOf(String(first), second === undefined ? undefined : Number(second))
    case 'find':
      return patternOf(String(first)).wholesIn(target, 1)[0] ?? ''
    case 'findAll':
      return patternOf(String(first)).wholesIn(target, second === undefined ? Number.POSITIVE_INFINITY : Number(second))
    default:
      return undefined
  }
}

function patternOf(source: string): Pattern {
  const parsed = parsePattern(source)
  if (!parsed.ok) throw new CelError(`${JSON.stringify(source)} is not ${parsed.problem.expected}`)
  return parsed.value
}

function listMethod(name: string, target: readonly unknown[], [first, second]: readonly unknown[]): unknown {
  switch (name) {
    case 'first':
      return target.length === 0 ? absent : new Optional(target[0], true)
    case 'last':
      return target.length === 0 ? absent : new Optional(target.at(-1), true)
    case 'lastIndexOf':
      return target.findLastIndex(item => isSame(item, first))
    case 'slice': {
      const [start, end] = [Number(first), Number(second)]
      if (start < 0 || end > target.length || start > end)
        throw new CelError(`cannot slice(${start}, ${end}), list is length ${target.length}`)
      return target.slice(start, end)
    }
    case 'reverse':
      return target.toReversed()
    case 'distinct':
      return target.filter((item, index) => target.findIndex(other => isSame(other, item)) === index)
    case 'sort':
      return target.toSorted(order)
    case 'flatten':
      return target.flat(first === undefined ? 1 : Number(first))
    default:
      return undefined
  }
}

function order(left: unknown, right: unknown): number {
  const times = timeOrder(left, right)
  if (times !== undefined) return times
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0
  return Number(left) - Number(right)
}
