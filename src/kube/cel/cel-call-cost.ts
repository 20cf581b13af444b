// What a call costs at most: of the operators and functions of CEL, and of those that Kubernetes adds.
import type { Plain } from './cel-plain.ts'
import {
  added,
  anything,
  capped,
  exactly,
  joined,
  multiplied,
  perCharacter,
  perPatternCharacter,
  type Range,
  scaled,
  unlimited,
} from './cel-ranges.ts'
import { type CelType, isExactly } from './cel-types.ts'

/** A part of a call with what is known of it. */
export interface Costed {
  readonly node: Plain
  readonly type: CelType
  readonly size: Range | undefined
  /** The way to it from a variable; empty: it comes from none. */
  readonly path: readonly string[]
}

export interface KnownCall {
  readonly name: string
  /** The id of the overload. */
  readonly overload: string
  readonly target: Costed | undefined
  readonly args: readonly (Costed & { readonly cost: Range })[]
  readonly sizeOf: (path: readonly string[]) => number | undefined
}

interface CallCost {
  readonly cost: Range
  /** How large what it gives is, where that is a text, a list or a map. */
  readonly size?: Range | undefined
}

/** The cost of a call with that of its arguments; not with that of its receiver. */
export function callCost(call: KnownCall): CallCost {
  const args = added(...call.args.map(({ cost }) => cost))
  const own = libraryCost(call) ?? kubernetesCost(call)
  if (own !== undefined) return { ...own, cost: added(own.cost, args) }
  return coreCost(call, args)
}

const one: CallCost = { cost: exactly(1) }

function sizeOf(part: Costed | undefined): Range {
  return part?.size ?? anything
}

/** The standard library of the language. */
function coreCost({ name, overload, target, args }: KnownCall, argCost: Range): CallCost {
  const [first, second, third] = args
  const plus = (cost: Range, size?: Range): CallCost => ({ cost: added(cost, argCost), size })
  switch (overload) {
    case '.format(string, list(dyn))':
      return plus(scaled(sizeOf(target), perCharacter))
    case 'bytes(string)':
      return plus(scaled(sizeOf(first), perCharacter), { min: sizeOf(first).min, max: capped(sizeOf(first).max * 4) })
    case 'string(bytes)':
      return plus(scaled(sizeOf(first), perCharacter), { min: Math.floor(sizeOf(first).min / 4), max: sizeOf(first).max })
    case 'strings.quote(string)':
      return plus(scaled(sizeOf(first), perCharacter), {
        min: sizeOf(first).min + 2,
        max: capped(sizeOf(first).max * 2 + 2),
      })
    case '.startsWith(string, string)':
    case '.endsWith(string, string)':
      return plus(scaled(sizeOf(first), perCharacter))
    case '@in(A, list(A))':
      return plus(sizeOf(second))
    case '.matches(string, string)':
      return plus(patternCost(sizeOf(target), sizeOf(first)))
    case '.contains(string, string)':
      return plus(multiplied(scaled(sizeOf(target), perCharacter), scaled(sizeOf(first), perCharacter)))
    case '_+_(list(A), list(A))':
      return plus(exactly(1), added(sizeOf(first), sizeOf(second)))
    case '_+_(string, string)':
    case '_+_(bytes, bytes)': {
      const size = added(sizeOf(first), sizeOf(second))
      return plus(scaled(size, perCharacter), size)
    }
  }
  if (name === '_||_' || name === '_&&_') return { cost: { min: first?.cost.min ?? 0, max: argCost.max } }
  if (name === '_?_:_') {
    const branches = joined(second?.cost ?? exactly(0), third?.cost ?? exactly(0))
    return { cost: added(first?.cost ?? exactly(0), branches), size: joined(sizeOf(second), sizeOf(third)) }
  }
  if (isComparison(name, overload)) return plus(comparisonCost(sizeOf(first), sizeOf(second)))
  return plus(exactly(1))
}

function isComparison(name: string, overload: string): boolean {
  return name === '_==_' || name === '_!=_' || /^_[<>]=?_\((string|bytes), /.test(overload)
}

function comparisonCost(left: Range, right: Range): Range {
  const max = Math.min(left.max, right.max)
  return scaled({ min: max > 0 ? 1 : 0, max }, perCharacter)
}

function patternCost(text: Range, pattern: Range): Range {
  return multiplied(scaled(added(text, exactly(1)), perCharacter), scaled(pattern, perPatternCharacter))
}

/** Sets and lists of cel-go's extensions. */
function libraryCost({ name, overload, target, args }: KnownCall): CallCost | undefined {
  const [first, second] = args
  switch (name) {
    case 'sets.contains':
    case 'sets.intersects':
    case 'sets.equivalent': {
      const factor = name === 'sets.equivalent' ? 2 : 1
      return { cost: added(scaled(multiplied(sizeOf(first), sizeOf(second)), factor), exactly(1)) }
    }
    case 'slice':
      return madeList(1, sliceSize(sizeOf(target), first, second))
    case 'flatten':
      return madeList(first === undefined ? 1 : literalInt(first, unlimited), sizeOf(target))
    case 'lists.range': {
      const end = first === undefined ? undefined : literalIntOf(first)
      return madeList(1, end === undefined ? anything : exactly(Math.max(0, end)))
    }
    case 'reverse':
      return madeList(1, sizeOf(target))
    case 'distinct':
      return madeList(2, multiplied(sizeOf(target), sizeOf(target)))
    case 'sort':
    case '@sortByAssociatedKeys': {
      const size = sizeOf(name === 'sort' ? target : first)
      return madeList(/list\((string|bytes)\)\)$/.test(overload) ? 2 + perCharacter : 2, multiplied(size, size))
    }
    default:
      return undefined
  }
}

function madeList(factor: number, size: Range): CallCost {
  return { cost: added(scaled(size, factor), exactly(1 + 10)), size }
}

function literalIntOf({ node }: Costed): number | undefined {
  return node.kind === 'literal' && node.type === 'int' ? Number(node.value) : undefined
}

function literalInt(part: Costed, otherwise: number): number {
  return Math.max(0, literalIntOf(part) ?? otherwise)
}

function sliceSize(list: Range, first: Costed | undefined, second: Costed | undefined): Range {
  const start = first === undefined ? 0 : literalInt(first, 0)
  const end = second === undefined ? list.max : literalInt(second, list.max)
  return exactly(Math.max(0, end - start))
}

const constantMethods = new Set([
  ...['sign', 'asInteger', 'isInteger', 'asApproximateFloat', 'isGreaterThan', 'isLessThan', 'compareTo', 'add', 'sub'],
  ...['major', 'minor', 'patch', 'masked', 'prefixLength', 'family', 'isUnspecified', 'isLoopback', 'isLinkLocalMulticast'],
  ...['isLinkLocalUnicast', 'isGlobalUnicast', 'getScheme', 'getHostname', 'getHost', 'getPort', 'getEscapedPath', 'getQuery'],
  ...['format.named', 'serviceAccount', 'path', 'group', 'resource', 'subresource', 'namespace', 'name', 'allowed', 'reason'],
  ...['error', 'errored'],
])

const readTexts = new Set(['cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'])

/** What Kubernetes' estimator says of its own functions, and of those whose cost it counts otherwise. */
function kubernetesCost(call: KnownCall): CallCost | undefined {
  const { name, overload, target, args } = call
  const [first, second] = args
  if (constantMethods.has(name)) return one
  if (readTexts.has(name)) return { cost: scaled(sizeOf(first), perCharacter) }
  switch (name) {
    case 'check':
      return { cost: exactly(350_000) }
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return { cost: traversalCost(call) }
    case 'url':
      return { cost: scaled(sizeOf(first), perCharacter), size: sizeOf(first) }
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return { cost: scaled(sizeOf(target), perCharacter), size: sizeOf(target) }
    case 'replace':
      return {
        cost: scaled(sizeOf(target), 2 * perCharacter),
        size: replacedSize(sizeOf(target), sizeOf(first), sizeOf(second)),
      }
    case 'split': {
      const most = second === undefined ? undefined : literalIntOf(second)
      return {
        cost: scaled(sizeOf(target), 2 * perCharacter),
        size: { min: 0, max: most === undefined ? sizeOf(target).max : most < 0 ? unlimited : most },
      }
    }
    case 'join':
      return joinCost(call)
    case 'find':
    case 'findAll':
      return { cost: patternCost(sizeOf(target), sizeOf(first)), size: { min: 0, max: sizeOf(target).max } }
    case 'ip':
      return overload.startsWith('.') ? one : { cost: scaled(sizeOf(first), perCharacter) }
    case 'ip.isCanonical':
      return { cost: scaled(sizeOf(first), 2 * perCharacter) }
    case 'containsIP':
    case 'containsCIDR':
      return containsCost(name, overload, sizeOf(first))
    case 'validate':
      return { cost: scaled(scaled(sizeOf(first), perCharacter), namePatternCharacters * perPatternCharacter) }
    case '_==_':
      return first !== undefined && second !== undefined ? equalityCost(first, second) : undefined
    default:
      return undefined
  }
}

const namePatternCharacters = 128

function itemOf(call: KnownCall): { readonly type: CelType; readonly size: Range } | undefined {
  const [item] = call.target?.type.params ?? []
  if (item === undefined || call.target === undefined) return undefined
  const most = call.target.path.length === 0 ? undefined : call.sizeOf([...call.target.path, '@items'])
  return { type: item, size: most === undefined ? anything : { min: 0, max: most } }
}

function traversalCost(call: KnownCall): Range {
  const item = itemOf(call)
  if (item === undefined) return scaled(sizeOf(call.target), perCharacter)
  const isText = item.type.kind === 'string' || item.type.kind === 'bytes'
  return multiplied(sizeOf(call.target), isText ? added(exactly(1), scaled(item.size, perCharacter)) : exactly(1))
}

function joinCost(call: KnownCall): CallCost {
  const count = sizeOf(call.target)
  const [separator] = call.args
  let size = multiplied(count, itemOf(call)?.size ?? exactly(0))
  if (separator !== undefined) {
    const gaps = { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) }
    size = added(size, multiplied(sizeOf(separator), gaps))
  }
  return { cost: scaled(size, perCharacter), size }
}

/** How long a text may be in which every `from` became a `to`. */
function replacedSize(text: Range, from: Range, to: Range): Range {
  const end = (length: number, part: number, isShorter: boolean): readonly [count: number, kept: number] => {
    if (part === 0) return [length < unlimited ? length + 1 : length, length]
    return isShorter ? [0, length] : [Math.ceil(length / part), 0]
  }
  const [mostCount, mostKept] = end(text.max, from.min, to.max <= from.min)
  const [leastCount, leastKept] = end(text.min, from.max, from.max <= to.min)
  return added(multiplied({ min: leastCount, max: mostCount }, to), { min: leastKept, max: mostKept })
}

/** Addresses have 4 or 16 bytes. */
const addressSize: Range = { min: 4, max: 16 }

function containsCost(name: string, overload: string, other: Range): CallCost {
  let cost = scaled(added(addressSize, addressSize), perCharacter)
  if (name === 'containsCIDR') cost = added(cost, scaled(addressSize, perCharacter), exactly(1))
  return { cost: overload.endsWith(', string)') ? added(cost, scaled(other, perCharacter)) : cost }
}

function equalityCost(left: Costed, right: Costed): CallCost | undefined {
  if (!isExactly(left.type, right.type)) return undefined
  switch (left.type.name) {
    case 'net.IP':
    case 'net.CIDR':
    case 'kubernetes.Quantity':
    case 'kubernetes.Semver':
      return one
    case 'kubernetes.NamedFormat':
      return { cost: scaled({ min: 1, max: 64 }, perCharacter) }
    case 'kubernetes.URL':
      return { cost: scaled({ min: 1, max: right.size?.max ?? 1 }, perCharacter) }
    default:
      return undefined
  }
}
