// Functions of sprig on numbers, lists, maps, patterns and kinds of values.

import { type Pattern, parsePattern } from '#kube/values/regex.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { sliced } from './built-ins.ts'
import { numberConstant } from './constants.ts'
import { any, boolean, fn, type GoFunction, integer, list, ofAll, text, variadic } from './functions.ts'
import { printed } from './printing.ts'
import { deepEquals, GoMap, type GoValue, isList, isTrue, kindOf } from './values.ts'

/** Elements of a list that a function makes. */
const longestList = 10_000

/** A whole number as spf13/cast makes one: what is none is 0. */
function whole(value: GoValue): bigint {
  switch (typeof value) {
    case 'bigint':
      return value
    case 'number':
      return Number.isFinite(value) ? BigInt.asIntN(64, BigInt(Math.trunc(value))) : 0n
    case 'boolean':
      return value ? 1n : 0n
    case 'string':
      return wholeOfText(value)
    default:
      return 0n
  }
}

/** Go's bases and underscores count, and `.0` at the end does not. */
function wholeOfText(value: string): bigint {
  try {
    const number = numberConstant(value.replace(/\.0+$/, ''))
    return typeof number === 'bigint' ? number : 0n
  } catch (error) {
    if (error instanceof RuleFailure) return 0n
    throw error
  }
}

function float(value: GoValue): number {
  switch (typeof value) {
    case 'bigint':
      return Number(value)
    case 'number':
      return value
    case 'boolean':
      return value ? 1 : 0
    case 'string':
      return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) ? Number(value) : 0
    default:
      return 0
  }
}

const wrap = (number: bigint) => BigInt.asIntN(64, number)

function divisor(value: GoValue): bigint {
  const number = whole(value)
  if (number === 0n) throw new RuleFailure('runtime error: integer divide by zero')
  return number
}

function until(start: bigint, stop: bigint, step: bigint): readonly bigint[] {
  if (step === 0n || stop < start !== step < 0n) return []
  const numbers: bigint[] = []
  for (let number = start; step > 0n ? number < stop : number > stop; number += step) {
    numbers.push(number)
    if (numbers.length > longestList) throw new RuleFailure(`it makes a list of more than ${longestList} elements`)
  }
  return numbers
}

function rounded(value: number, places: bigint): number {
  const power = 10 ** Number(places)
  const digits = power * value
  return (digits % 1 >= 0.5 ? Math.ceil(digits) : Math.floor(digits)) / power
}

/** Each name once plainly, and once as `mustName`. */
function withMust(entries: readonly (readonly [string, GoFunction])[]): readonly (readonly [string, GoFunction])[] {
  return entries.flatMap(([name, body]) => [
    [name, body] as const,
    [`must${name[0]?.toUpperCase()}${name.slice(1)}`, body] as const,
  ])
}

const numbers: readonly (readonly [string, GoFunction])[] = [
  ['atoi', fn(text)(value => (/^[+-]?\d+$/.test(value) ? BigInt.asIntN(64, BigInt(value.replace('+', ''))) : 0n))],
  ['int', fn(any)(({ value }) => whole(value))],
  ['int64', fn(any)(({ value }) => whole(value))],
  ['float64', fn(any)(({ value }) => float(value))],
  ['add1', fn(any)(({ value }) => wrap(whole(value) + 1n))],
  ['add', ofAll(values => wrap(values.reduce<bigint>((sum, value) => sum + whole(value), 0n)))],
  ['sub', fn(any, any)((left, right) => wrap(whole(left.value) - whole(right.value)))],
  ['div', fn(any, any)((left, right) => wrap(whole(left.value) / divisor(right.value)))],
  ['mod', fn(any, any)((left, right) => whole(left.value) % divisor(right.value))],
  [
    'mul',
    variadic([any], any)(([{ value }], more) => more.reduce((product, next) => wrap(product * whole(next.value)), whole(value))),
  ],
  ...(['max', 'biggest'] as const).map(
    name =>
      [
        name,
        variadic(
          [any],
          any,
        )(([{ value }], more) =>
          more.map(next => whole(next.value)).reduce((top, next) => (next > top ? next : top), whole(value)),
        ),
      ] as const,
  ),
  [
    'min',
    variadic(
      [any],
      any,
    )(([{ value }], more) => more.map(next => whole(next.value)).reduce((low, next) => (next < low ? next : low), whole(value))),
  ],
  ['maxf', variadic([any], any)(([{ value }], more) => Math.max(float(value), ...more.map(next => float(next.value))))],
  ['minf', variadic([any], any)(([{ value }], more) => Math.min(float(value), ...more.map(next => float(next.value))))],
  ['ceil', fn(any)(({ value }) => Math.ceil(float(value)))],
  ['floor', fn(any)(({ value }) => Math.floor(float(value)))],
  ['round', fn(any, integer)(({ value }, places) => rounded(float(value), places))],
  ['until', fn(integer)(stop => until(0n, stop, stop < 0n ? -1n : 1n))],
  ['untilStep', fn(integer, integer, integer)(until)],
  ['toDecimal', fn(any)(({ value }) => (/^[+-]?[0-7]+$/.test(printed(value)) ? BigInt(Number.parseInt(printed(value), 8)) : 0n))],
]

function listSlice(values: readonly GoValue[], bounds: readonly { readonly value: GoValue }[]): GoValue {
  if (values.length === 0) return null
  const [start, end] = bounds
  return sliced(values, [
    start === undefined ? 0n : whole(start.value),
    end === undefined ? BigInt(values.length) : whole(end.value),
  ])
}

function chunks(size: bigint, values: readonly GoValue[]): GoValue {
  if (size <= 0n) throw new RuleFailure(`chunks of ${size} elements cannot be made`)
  const made: GoValue[] = []
  for (let at = 0; at < values.length; at += Number(size)) made.push(values.slice(at, at + Number(size)))
  return made
}

function has(values: readonly GoValue[], value: GoValue): boolean {
  return values.some(other => deepEquals(value, other))
}

function joined(lists: readonly (readonly GoValue[])[]): readonly GoValue[] {
  const made = lists.flat(1)
  if (made.length > longestList) throw new RuleFailure(`it makes a list of more than ${longestList} elements`)
  return made
}

const lists: readonly (readonly [string, GoFunction])[] = [
  ['list', ofAll(values => values)],
  ['tuple', ofAll(values => values)],
  ['concat', variadic([], list)((_, all) => joined(all))],
  ...withMust([
    ['append', fn(list, any)((values, { value }) => joined([values, [value]]))],
    ['push', fn(list, any)((values, { value }) => joined([values, [value]]))],
    ['prepend', fn(list, any)((values, { value }) => joined([[value], values]))],
    ['first', fn(list)(values => values[0] ?? null)],
    ['last', fn(list)(values => values.at(-1) ?? null)],
    ['rest', fn(list)(values => values.slice(1))],
    ['initial', fn(list)(values => values.slice(0, -1))],
    ['reverse', fn(list)(values => values.toReversed())],
    ['uniq', fn(list)(values => values.filter((value, index) => !has(values.slice(0, index), value)))],
    [
      'without',
      variadic(
        [list],
        any,
      )(([values], omitted) =>
        values.filter(
          value =>
            !has(
              omitted.map(one => one.value),
              value,
            ),
        ),
      ),
    ],
    [
      'has',
      fn(any, any)(({ value }, among) => among.value !== null && has(list.read(among.value) ?? noList(among.value), value)),
    ],
    ['chunk', fn(integer, list)(chunks)],
    ['compact', fn(list)(values => values.filter(isTrue))],
  ]),
  ['mustSlice', variadic([list], any)(([values], bounds) => listSlice(values, bounds))],
  ['slice', variadic([any], any)(([{ value }], bounds) => listSlice(list.read(value) ?? noList(value), bounds))],
]

function noList(value: GoValue): never {
  throw new RuleFailure(`list should be type of slice or array but ${kindOf(value)}`)
}

function dictionary(values: readonly GoValue[]): GoMap {
  const made = new GoMap([])
  for (let at = 0; at < values.length; at += 2) made.entries.set(printed(values[at] ?? null), values[at + 1] ?? '')
  return made
}

/** A dictionary of sprig has values of any kind; the maps that features are have strings, and its functions refuse them. */
const dict = {
  called: 'map[string]interface {}',
  read: (value: GoValue) => (value instanceof GoMap && value.zero === null ? value : undefined),
}

function dug(values: readonly GoValue[]): GoValue {
  if (values.length < 3) throw new RuleFailure('dig needs at least three arguments')
  let found: GoValue = values.at(-1) ?? null
  for (const name of values.slice(0, -2)) {
    if (!(found instanceof GoMap) || typeof name !== 'string') throw new RuleFailure('dig goes through maps by names only')
    const next: GoValue | undefined = found.entries.get(name)
    if (next === undefined) return values.at(-2) ?? null
    found = next
  }
  return found
}

const maps: readonly (readonly [string, GoFunction])[] = [
  ['dict', ofAll(dictionary)],
  ['get', fn(dict, text)((from, name) => from.entries.get(name) ?? '')],
  [
    'set',
    fn(
      dict,
      text,
      any,
    )((into, name, { value }) => {
      if (reaches(value, into)) throw new RuleFailure('a map cannot be put into itself')
      into.entries.set(name, value)
      return into
    }),
  ],
  [
    'unset',
    fn(
      dict,
      text,
    )((from, name) => {
      from.entries.delete(name)
      return from
    }),
  ],
  ['hasKey', fn(dict, text)((from, name) => from.entries.has(name))],
  ['keys', variadic([], dict)((_, all) => all.flatMap(one => one.names()))],
  ['values', fn(dict)(from => from.names().map(name => from.entries.get(name) ?? null))],
  [
    'pluck',
    variadic([text], dict)(([name], all) => all.filter(one => one.entries.has(name)).map(one => one.entries.get(name) ?? null)),
  ],
  ['pick', variadic([dict], text)(([from], names) => new GoMap([...from.entries].filter(([name]) => names.includes(name))))],
  ['omit', variadic([dict], text)(([from], names) => new GoMap([...from.entries].filter(([name]) => !names.includes(name))))],
  ['dig', ofAll(dug)],
]

/** A map in itself would be printed for ever. */
function reaches(value: GoValue, target: GoMap): boolean {
  if (value === target) return true
  if (value instanceof GoMap) return [...value.entries.values()].some(inner => reaches(inner, target))
  return isList(value) && value.some(inner => reaches(inner, target))
}

const defaults: readonly (readonly [string, GoFunction])[] = [
  ['default', variadic([any], any)(([{ value }], [given]) => (given !== undefined && isTrue(given.value) ? given.value : value))],
  ['empty', fn(any)(({ value }) => !isTrue(value))],
  ['coalesce', ofAll(values => values.find(isTrue) ?? null)],
  ['all', ofAll(values => values.every(isTrue))],
  ['any', ofAll(values => values.some(isTrue))],
  ['ternary', fn(any, any, boolean)((yes, no, chosen) => (chosen ? yes.value : no.value))],
  ['kindOf', fn(any)(({ value }) => kindOf(value))],
  ['kindIs', fn(text, any)((kind, { value }) => kindOf(value) === kind)],
  ['deepEqual', fn(any, any)((left, right) => deepEquals(left.value, right.value))],
]

function patternOf(source: string): Pattern {
  const parsed = parsePattern(source, 'pattern')
  if (!parsed.ok) throw new RuleFailure(`${JSON.stringify(source)} is not ${parsed.problem.expected}`)
  return parsed.value
}

const patterns: readonly (readonly [string, GoFunction])[] = withMust([
  ['regexMatch', fn(text, text)((source, within) => patternOf(source).isFoundIn(within))],
  ['regexFind', fn(text, text)((source, within) => patternOf(source).groupsIn(within)?.[0] ?? '')],
])

export const sprigValues: readonly (readonly [string, GoFunction])[] = [...numbers, ...lists, ...maps, ...defaults, ...patterns]
