// `"%s".format([…])`: the clauses and words of cel-go's strings library, version 2, which kube-apiserver has. Fixed and scientific
// numbers are written for en_US, as there. A double that is whole is no other value here than the integer: `%d` takes it, and
// `%f` and `%e` take integers.
import { isFields } from './cel-equality.ts'
import { CelError } from './cel-syntax.ts'
import { CelDuration, CelTime } from './cel-times.ts'
import { CelType, typeNameOf } from './cel-values.ts'

const defaultPrecision = 6
/** Digits that the formatter of numbers takes; zeros follow. */
const digitsByHost = 100
/** Digits after the point that may be asked for: upstream has no limit, and a text of gigabytes is no answer. */
const largestPrecision = 10_000

/** @throws CelError */
export function formatted(template: string, args: readonly unknown[]): string {
  let text = ''
  let used = 0
  for (let at = 0; at < template.length; ) {
    const character = template[at] ?? ''
    if (character !== '%') {
      text += character
      at++
      continue
    }
    if (template[at + 1] === '%') {
      text += '%'
      at += 2
      continue
    }
    if (used >= args.length) throw new CelError(`index ${used} out of range`)
    const { clause, precision, length } = readClause(template.slice(at + 1))
    text += clauseText(clause, precision, args[used])
    used++
    at += 1 + length
  }
  return text
}

/** @throws CelError */
function readClause(rest: string): { readonly clause: string; readonly precision?: number; readonly length: number } {
  if (rest === '') throw new CelError('unexpected end of string')
  const digits = /^\.(\d*)/.exec(rest)?.[1]
  const wrong = (problem: string) => new CelError(`could not parse formatting clause: ${problem}`)
  const atClause = digits === undefined ? 0 : digits.length + 1
  if (atClause === rest.length) throw wrong('error while parsing precision: could not find end of precision specifier')
  const failed = 'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing'
  if (digits === '') throw wrong(`${failed} "": invalid syntax`)
  if (digits !== undefined && Number(digits) > largestPrecision) throw wrong(`${failed} "${digits}": value out of range`)
  const clause = rest[atClause] ?? ''
  if (!/[sdfebxXo]/.test(clause)) throw wrong(`unrecognized formatting clause "${clause}"`)
  return { clause, length: atClause + 1, ...(digits === undefined ? {} : { precision: Number(digits) }) }
}

/** @throws CelError */
function clauseText(clause: string, precision: number | undefined, value: unknown): string {
  const refused = (problem: string) => new CelError(`error during formatting: ${problem}, was given ${typeNameOf(value)}`)
  const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  switch (clause) {
    case 's':
      return wordOf(value)
    case 'd':
      if (isWhole) return String(value)
      throw refused('decimal clause can only be used on integers')
    case 'f':
      if (isWhole || typeof value === 'number') return fixed(Number(value), precision ?? defaultPrecision)
      throw refused('fixed-point clause can only be used on doubles')
    case 'e':
      if (isWhole || typeof value === 'number') return scientific(Number(value), precision)
      throw refused('scientific clause can only be used on doubles')
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0'
      if (isWhole) return value.toString(2)
      throw refused('only integers and bools can be formatted as binary')
    case 'o':
      if (isWhole) return value.toString(8)
      throw refused('octal clause can only be used on integers')
    default: {
      const hex = typeof value === 'string' ? Buffer.from(value).toString('hex') : isWhole ? value.toString(16) : undefined
      if (hex !== undefined) return clause === 'X' ? hex.toUpperCase() : hex
      throw refused('only integers, byte buffers, and strings can be formatted as hex')
    }
  }
}

function fixed(value: number, precision: number): string {
  const digits = Math.min(precision, digitsByHost)
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, roundingMode: 'halfEven' as const }
  return value.toLocaleString('en-US', options) + '0'.repeat(precision - digits)
}

/** What is asked for as digits after the point is taken for the least width, as upstream takes it. */
function scientific(value: number, width: number | undefined): string {
  const [mantissa = '', exponent = ''] = value.toExponential(defaultPrecision).split('e')
  const raised = exponent.replace(/\d+/, number => number.padStart(2, '0')).replace('+', '')
  const small = raised.replaceAll(/[\d-]/g, character => '⁰¹²³⁴⁵⁶⁷⁸⁹⁻'['0123456789-'.indexOf(character)] ?? '')
  return `${mantissa}×10${small}`.padStart(width ?? 0)
}

/** What `%s` makes of a value. @throws CelError */
function wordOf(value: unknown): string {
  if (Array.isArray(value) || isFields(value)) return literalOf(value)
  if (value instanceof CelDuration || value instanceof CelTime || value instanceof CelType) return value.text
  if (value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return String(value)
  const kinds = 'strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps'
  throw new CelError(`error during formatting: string clause can only be used on ${kinds}, was given ${typeNameOf(value)}`)
}

/** A value as it stands in a list or a map: as an expression would write it. @throws CelError */
function literalOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && !Number.isInteger(value)) return value.toFixed(defaultPrecision)
  if (value instanceof CelDuration) return `duration(${JSON.stringify(value.text)})`
  if (value instanceof CelTime) return `timestamp(${JSON.stringify(value.text)})`
  if (Array.isArray(value)) return `[${value.map(literalOf).join(', ')}]`
  if (isFields(value)) {
    const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${literalOf(item)}`)
    return `{${entries.toSorted().join(', ')}}`
  }
  if (value === null || ['number', 'bigint', 'boolean'].includes(typeof value) || value instanceof CelType) return wordOf(value)
  throw new CelError(`error during formatting: no formatting function for ${typeNameOf(value)}`)
}
