// How Go prints values: `%v` and its relatives.

import { GoMap, type GoValue, isList } from './values.ts'

/** A value as `%v` prints it; nil within others is `<nil>`. */
export function printed(value: GoValue): string {
  if (value === null) return '<nil>'
  if (value instanceof GoMap)
    return `map[${value
      .names()
      .map(name => `${name}:${printed(value.entries.get(name) ?? null)}`)
      .join(' ')}]`
  if (isList(value)) return `[${value.map(printed).join(' ')}]`
  return typeof value === 'number' ? printedFloat(value) : String(value)
}

/** A float as `%v` prints it: the shortest digits, an exponent below 1e-4 and from a million on. */
export function printedFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return withWideExponent(value.toExponential())
  return String(value)
}

/** An exponent of at least two digits, as C and Go write it. */
export function withWideExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** A string in double quotes with Go's escapes (`%q`). */
export function quoted(text: string): string {
  let written = '"'
  for (const character of text) written += escaped(character)
  return `${written}"`
}

const named: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

const unprintable = /^[\p{C}\p{Zl}\p{Zp}]$|^(?! )\p{Zs}$/u

function escaped(character: string): string {
  const short = named[character]
  if (short !== undefined) return short
  if (!unprintable.test(character)) return character
  const point = character.codePointAt(0) ?? 0
  if (point < 0x80) return `\\x${point.toString(16).padStart(2, '0')}`
  return point <= 0xffff ? `\\u${point.toString(16).padStart(4, '0')}` : `\\U${point.toString(16).padStart(8, '0')}`
}
