// One expression of a rule, held to one value. The table of operators is node-feature-discovery's (0.19).

import { type Pattern, parsePattern } from '#kube/values/regex.ts'
import { compareVersions, type LenientVersion, parseLenientVersion } from './lenient-version.ts'
import { RuleFailure } from './rule-failure.ts'

/** An expression of a rule; `op` and `type` are as somebody wrote them, and judged here. */
export interface Expression {
  readonly op: string
  readonly value?: readonly string[]
  /** Empty or `version`. */
  readonly type?: string
}

/** The operators that a rule of the API may use. */
export const operators = [
  'In',
  'NotIn',
  'InRegexp',
  'Exists',
  'DoesNotExist',
  'Gt',
  'Ge',
  'Lt',
  'Le',
  'GtLt',
  'GeLe',
  'IsTrue',
  'IsFalse',
] as const

type Operator = (typeof operators)[number]

const takesAnything = ''

/**
 * Whether `expression` holds for an element.
 *
 * @param present Whether the element is there.
 * @param value Its value; flags have none, so that only `Exists` and `DoesNotExist` can hold for them.
 * @throws RuleFailure where the expression cannot be evaluated.
 */
export function holds(expression: Expression, present: boolean, value?: string): boolean {
  const values = expression.value ?? []
  switch (expression.op) {
    case takesAnything:
      count(expression, values.length === 0, 'no values')
      return true
    case 'Exists':
      count(expression, values.length === 0, 'no values')
      return present
    case 'DoesNotExist':
      count(expression, values.length === 0, 'no values')
      return !present
  }
  const judge = isOperator(expression.op) ? judges[expression.op] : undefined
  if (judge === undefined) throw new RuleFailure(`operator ${JSON.stringify(expression.op)} is none of ${operators.join(', ')}`)
  return present && value !== undefined && judge(expression, values, value)
}

type Judge = (expression: Expression, values: readonly string[], value: string) => boolean

const judges: Readonly<Record<Exclude<Operator, 'Exists' | 'DoesNotExist'>, Judge>> = {
  In: (expression, values, value) => {
    count(expression, values.length > 0, 'at least one value')
    return values.includes(value)
  },
  NotIn: (expression, values, value) => {
    count(expression, values.length > 0, 'at least one value')
    return !values.includes(value)
  },
  InRegexp: (expression, values, value) => {
    count(expression, values.length > 0, 'at least one value')
    return values.map(patternOf).some(pattern => pattern.isFoundIn(value))
  },
  Gt: ordered(difference => difference > 0),
  Ge: ordered(difference => difference >= 0),
  Lt: ordered(difference => difference < 0),
  Le: ordered(difference => difference <= 0),
  GtLt: between((below, above) => below > 0 && above < 0),
  GeLe: between((below, above) => below >= 0 && above <= 0),
  IsTrue: (expression, values, value) => {
    count(expression, values.length === 0, 'no values')
    return value === 'true'
  },
  IsFalse: (expression, values, value) => {
    count(expression, values.length === 0, 'no values')
    return value === 'false'
  },
}

function isOperator(op: string): op is keyof typeof judges {
  return Object.hasOwn(judges, op)
}

function ordered(accepts: (difference: number) => boolean): Judge {
  return (expression, values, value) => {
    count(expression, values.length === 1, 'exactly one value')
    const [right = ''] = values
    return accepts(isVersion(expression) ? versionDifference(value, right) : numberDifference(value, right))
  }
}

function between(accepts: (below: number, above: number) => boolean): Judge {
  return (expression, values, value) => {
    count(expression, values.length === 2, 'exactly two values')
    const [low = '', high = ''] = values
    if (isVersion(expression)) return accepts(versionDifference(value, low), versionDifference(value, high))
    const differences = [numberDifference(value, low), numberDifference(value, high)] as const
    if (numberDifference(low, high) >= 0)
      throw new RuleFailure(`${expression.op} wants its first value below its second, and has ${JSON.stringify(values)}`)
    return accepts(...differences)
  }
}

function isVersion(expression: Expression): boolean {
  const type = expression.type ?? ''
  if (type !== '' && type !== 'version')
    throw new RuleFailure(`type of ${expression.op} is ${JSON.stringify(type)}; it may be "version" or empty`)
  return type === 'version'
}

function versionDifference(left: string, right: string): number {
  return compareVersions(asVersion(left), asVersion(right))
}

function asVersion(text: string): LenientVersion {
  const version = parseLenientVersion(text)
  if (version === undefined) throw new RuleFailure(`${JSON.stringify(text)} is not a version such as "6.12" or "v1.2.3"`)
  return version
}

function numberDifference(left: string, right: string): number {
  const difference = asNumber(left) - asNumber(right)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

const largest = 2n ** 63n - 1n

function asNumber(text: string): bigint {
  const number = /^[+-]?\d+$/.test(text) && !text.endsWith('\n') ? BigInt(text.replace(/^\+/, '')) : undefined
  if (number === undefined || number > largest || number < -largest - 1n)
    throw new RuleFailure(`${JSON.stringify(text)} is not a whole number of 64 bits`)
  return number
}

function count(expression: Expression, right: boolean, wanted: string): void {
  if (right) return
  throw new RuleFailure(
    `operator ${JSON.stringify(expression.op)} wants ${wanted}, and has ${JSON.stringify(expression.value ?? [])}`,
  )
}

/** Patterns of rules are few and come again for each node; what is beyond this many is compiled anew. */
const mostPatternsKept = 1_000

const patterns = new Map<string, Pattern>()

function patternOf(source: string): Pattern {
  const kept = patterns.get(source)
  if (kept !== undefined) return kept
  const parsed = parsePattern(source, 'InRegexp')
  if (!parsed.ok) throw new RuleFailure(`${JSON.stringify(source)} is not ${parsed.problem.expected}`)
  if (patterns.size >= mostPatternsKept) patterns.clear()
  patterns.set(source, parsed.value)
  return parsed.value
}
