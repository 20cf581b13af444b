// The functions that Go's text/template has of itself.

import { RuleFailure } from '../matching/rule-failure.ts'
import { any, fn, type GoFunction, integer, ofAll, variadic } from './functions.ts'
import { sprintf } from './printf.ts'
import { printed } from './printing.ts'
import { byBytes, GoMap, type GoValue, isList, isTrue, kindOf } from './values.ts'

/** Stops at the first value that decides; `decides` says which. */
function shortCircuit(decides: (value: GoValue) => boolean): GoFunction {
  const lazy = (values: readonly (() => GoValue)[]): GoValue => {
    if (values.length === 0) throw new RuleFailure('wrong number of args: want at least 1 got 0')
    let last: GoValue = null
    for (const value of values) {
      last = value()
      if (decides(last)) break
    }
    return last
  }
  return { lazy, call: values => lazy(values.map(value => () => value)) }
}

function length(value: GoValue): bigint {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value))
  if (value instanceof GoMap) return BigInt(value.entries.size)
  if (isList(value)) return BigInt(value.length)
  throw new RuleFailure(value === null ? 'len of nil pointer' : `len of type ${kindOf(value)}`)
}

function at(value: GoValue, key: GoValue): GoValue {
  if (value instanceof GoMap) {
    if (typeof key !== 'string') throw new RuleFailure(`value has type ${kindOf(key)}; should be string`)
    return value.entries.get(key) ?? value.zero
  }
  if (typeof value === 'string') return BigInt(Buffer.from(value)[place(key, Buffer.byteLength(value))] ?? 0)
  if (isList(value)) return value[place(key, value.length)] ?? null
  throw new RuleFailure(value === null ? 'index of untyped nil' : `can't index item of type ${kindOf(value)}`)
}

function place(key: GoValue, length: number): number {
  if (typeof key !== 'bigint')
    throw new RuleFailure(`cannot index slice/array with ${key === null ? 'nil' : `type ${kindOf(key)}`}`)
  if (key < 0n || key >= BigInt(length)) throw new RuleFailure(`index out of range: ${key}`)
  return Number(key)
}

/** A part of a list, or of a string by its bytes. */
export function sliced(value: GoValue, bounds: readonly bigint[]): GoValue {
  if (typeof value !== 'string' && !isList(value))
    throw new RuleFailure(value === null ? 'slice of untyped nil' : `can't slice item of type ${kindOf(value)}`)
  if (bounds.length > (typeof value === 'string' ? 2 : 3)) throw new RuleFailure(`too many slice indexes: ${bounds.length}`)
  const whole = typeof value === 'string' ? Buffer.from(value) : value
  const [start = 0n, end = BigInt(whole.length), most = end] = bounds
  if (start < 0n || end > BigInt(whole.length) || most > BigInt(whole.length) || start > end || end > most)
    throw new RuleFailure(`index out of range: ${bounds.join(', ')}`)
  const part = whole.slice(Number(start), Number(end))
  return Buffer.isBuffer(part) ? part.toString('utf8') : (part as readonly GoValue[])
}

/** Spaces stand between operands where neither is a string. */
function sprint(values: readonly GoValue[]): string {
  return values
    .map((value, index) => {
      const before = values[index - 1]
      const spaced = index > 0 && typeof value !== 'string' && typeof before !== 'string'
      return `${spaced ? ' ' : ''}${printed(value)}`
    })
    .join('')
}

function equal(left: GoValue, right: GoValue): boolean {
  if (left === null || right === null) return left === right
  comparable(left)
  comparable(right)
  if (kindOf(left) !== kindOf(right)) throw new RuleFailure('incompatible types for comparison')
  return left === right
}

function comparable(value: GoValue): void {
  if (isList(value) || value instanceof GoMap) throw new RuleFailure(`non-comparable type ${kindOf(value)}: ${printed(value)}`)
}

function isLess(left: GoValue, right: GoValue): boolean {
  if (kindOf(left) !== kindOf(right)) throw new RuleFailure('incompatible types for comparison')
  if (typeof left === 'string' && typeof right === 'string') return byBytes(left, right) < 0
  if (typeof left === 'bigint' && typeof right === 'bigint') return left < right
  if (typeof left === 'number' && typeof right === 'number') return left < right
  throw new RuleFailure('invalid type for comparison')
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}

const jsEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

const jsSpecial = /[\\'"<>&=]|[\p{C}\p{Zl}\p{Zp}]/gu

function escapedForJs(character: string): string {
  const point = character.codePointAt(0) ?? 0
  return jsEscapes[character] ?? `\\u${point.toString(16).toUpperCase().padStart(4, '0')}`
}

const unescapedInQueries = /[A-Za-z0-9\-_.~]/

function queryEscaped(text: string): string {
  return [...Buffer.from(text)]
    .map(byte => {
      const character = String.fromCharCode(byte)
      if (unescapedInQueries.test(character)) return character
      return character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

export const builtIns: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ['and', shortCircuit(value => !isTrue(value))],
  ['or', shortCircuit(isTrue)],
  ['not', fn(any)(({ value }) => !isTrue(value))],
  ['len', fn(any)(({ value }) => length(value))],
  ['index', variadic([any], any)(([{ value }], keys) => keys.reduce<GoValue>((found, key) => at(found, key.value), value))],
  ['slice', variadic([any], integer)(([{ value }], bounds) => sliced(value, bounds))],
  ['print', ofAll(sprint)],
  ['println', ofAll(values => `${values.map(printed).join(' ')}\n`)],
  [
    'printf',
    ofAll(([format, ...values]) => {
      if (typeof format !== 'string') throw new RuleFailure('wrong type for value; expected string')
      return sprintf(format, values)
    }),
  ],
  ['html', ofAll(values => sprint(values).replace(/[\0"'&<>]/g, character => htmlEscapes[character] ?? character))],
  ['js', ofAll(values => sprint(values).replace(jsSpecial, escapedForJs))],
  ['urlquery', ofAll(values => queryEscaped(sprint(values)))],
  [
    'eq',
    variadic(
      [any],
      any,
    )(([{ value }], others) => {
      if (others.length === 0) throw new RuleFailure('missing argument for comparison')
      return others.some(other => equal(value, other.value))
    }),
  ],
  ['ne', fn(any, any)((left, right) => !equal(left.value, right.value))],
  ['lt', fn(any, any)((left, right) => isLess(left.value, right.value))],
  ['le', fn(any, any)((left, right) => isLess(left.value, right.value) || equal(left.value, right.value))],
  ['gt', fn(any, any)((left, right) => !(isLess(left.value, right.value) || equal(left.value, right.value)))],
  ['ge', fn(any, any)((left, right) => !isLess(left.value, right.value))],
])
