// Go's fmt.Sprintf over the values of templates: verbs, flags, width and precision, and what it says of mistakes.

import { RuleFailure } from '../matching/rule-failure.ts'
import { printed, printedFloat, quoted, withWideExponent } from './printing.ts'
import { GoMap, type GoValue, isList, kindOf } from './values.ts'

/** Characters; wider fields make no label. */
const widestField = 4_096

interface Directive {
  readonly flags: ReadonlySet<string>
  readonly width?: number
  readonly precision?: number
  readonly verb: string
}

const directive = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.|$)/gsu

/**
 * @throws RuleFailure where a width is out of bounds.
 */
export function sprintf(format: string, values: readonly GoValue[]): string {
  let used = 0
  const star = (text: string | undefined, fallback?: number): number | undefined => {
    if (text === undefined) return fallback
    const size = text === '*' ? Number(values[used++] ?? 0n) : Number(text)
    if (!(Math.abs(size) <= widestField)) throw new RuleFailure(`printf: a width of ${text} is more than ${widestField}`)
    return size
  }
  const written = format.replace(directive, (whole, flags: string, width, precision, verb: string) => {
    const hasPrecision = whole.includes('.')
    const size = star(width)
    const left = size !== undefined && size < 0 ? '-' : ''
    const wanted: Directive = {
      flags: new Set(`${flags}${left}`),
      ...(size === undefined ? {} : { width: Math.abs(size) }),
      ...(hasPrecision ? { precision: star(precision, 0) ?? 0 } : {}),
      verb,
    }
    if (verb === '') return '%!(NOVERB)'
    if (verb === '%') return '%'
    if (used >= values.length) return `%!${verb}(MISSING)`
    return formatted(wanted, values[used++] ?? null)
  })
  if (used >= values.length) return written
  return `${written}%!(EXTRA ${values
    .slice(used)
    .map(value => (value === null ? '<nil>' : `${goType(value)}=${printed(value)}`))
    .join(', ')})`
}

function formatted(wanted: Directive, value: GoValue): string {
  const { verb } = wanted
  if (verb === 'T') return padded(wanted, value === null ? '<nil>' : goType(value))
  if (value === null) return verb === 'v' ? padded(wanted, '<nil>') : `%!${verb}(<nil>)`
  if (isList(value)) return `[${value.map(element => formatted(wanted, element)).join(' ')}]`
  if (value instanceof GoMap)
    return `map[${value
      .names()
      .map(name => `${formatted(wanted, name)}:${formatted(wanted, value.entries.get(name) ?? null)}`)
      .join(' ')}]`
  const text = ofScalar(wanted, value)
  return text === undefined ? `%!${verb}(${goType(value)}=${printed(value)})` : padded(wanted, text)
}

function ofScalar(wanted: Directive, value: string | boolean | bigint | number): string | undefined {
  switch (typeof value) {
    case 'string':
      return ofString(wanted, value)
    case 'boolean':
      return wanted.verb === 'v' || wanted.verb === 't' ? String(value) : undefined
    case 'bigint':
      return ofInteger(wanted, value)
    default:
      return ofFloat(wanted, value)
  }
}

function ofString({ verb, precision, flags }: Directive, value: string): string | undefined {
  const cut = precision === undefined ? value : [...value].slice(0, precision).join('')
  switch (verb) {
    case 'v':
      return flags.has('#') ? quoted(cut) : cut
    case 's':
      return cut
    case 'q':
      return flags.has('#') && !cut.includes('`') ? `\`${cut}\`` : quoted(cut)
    case 'x':
      return Buffer.from(value).toString('hex')
    case 'X':
      return Buffer.from(value).toString('hex').toUpperCase()
    default:
      return undefined
  }
}

const bases: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }
const prefixes: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' }

function ofInteger(wanted: Directive, value: bigint): string | undefined {
  const { verb, flags, precision } = wanted
  if (verb === 'c') return character(value)
  if (verb === 'q') return `'${character(value)}'`
  if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
  const base = bases[verb]
  if (base === undefined) return undefined
  let digits = (value < 0n ? -value : value).toString(base)
  if (verb === 'X') digits = digits.toUpperCase()
  if (precision !== undefined) digits = value === 0n && precision === 0 ? '' : digits.padStart(precision, '0')
  const prefix = verb === 'O' ? '0o' : flags.has('#') ? (prefixes[verb] ?? '') : ''
  return signed(wanted, value < 0n, `${prefix}${digits}`)
}

function character(value: bigint): string {
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value < 0xe000n)
  return valid ? String.fromCodePoint(Number(value)) : '\ufffd'
}

function ofFloat(wanted: Directive, value: number): string | undefined {
  const { verb, precision } = wanted
  if (!'vgGeEfF'.includes(verb)) return undefined
  if (!Number.isFinite(value)) return signed(wanted, value < 0, printedFloat(value).replace(/^[+-]/, ''))
  const size = Math.abs(value)
  return signed(wanted, value < 0 || Object.is(value, -0), floatDigits(verb, size, precision))
}

function floatDigits(verb: string, size: number, precision: number | undefined): string {
  switch (verb) {
    case 'f':
    case 'F':
      return toFixed(size, precision ?? 6)
    case 'e':
      return withWideExponent(size.toExponential(Math.min(precision ?? 6, 100)))
    case 'E':
      return withWideExponent(size.toExponential(Math.min(precision ?? 6, 100))).toUpperCase()
    default: {
      const text = precision === undefined ? printedFloat(size) : significant(size, precision)
      return verb === 'G' ? text.toUpperCase() : text
    }
  }
}

/** JavaScript fixes numbers below 1e21 only. */
function toFixed(size: number, digits: number): string {
  if (size >= 1e21) return `${BigInt(size)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`
  return size.toFixed(Math.min(digits, 100))
}

/** `%g` with a precision: that many digits, no zeros at the end, an exponent where it is below -4 or not below the precision. */
function significant(size: number, precision: number): string {
  const digits = Math.min(Math.max(precision, 1), 100)
  const [mantissa = '', exponent = '0'] = size.toExponential(digits - 1).split('e')
  const power = Number(exponent)
  if (power < -4 || power >= digits)
    return withWideExponent(`${withoutZeros(mantissa)}e${power < 0 ? '-' : '+'}${Math.abs(power)}`)
  return withoutZeros(size.toFixed(Math.min(Math.max(digits - 1 - power, 0), 100)))
}

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

function signed({ flags }: Directive, negative: boolean, digits: string): string {
  return `${negative ? '-' : flags.has('+') ? '+' : flags.has(' ') ? ' ' : ''}${digits}`
}

function padded({ flags, width, verb, precision }: Directive, text: string): string {
  const missing = (width ?? 0) - [...text].length
  if (missing <= 0) return text
  if (flags.has('-')) return text + ' '.repeat(missing)
  const zeros = flags.has('0') && !('dboOxX'.includes(verb) && precision !== undefined) && verb !== 't'
  if (!zeros) return ' '.repeat(missing) + text
  const sign = /^[+\- ]/.exec(text)?.[0] ?? ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

function goType(value: GoValue): string {
  if (value instanceof GoMap) return value.zero === '' ? 'map[string]string' : 'map[string]interface {}'
  return isList(value) ? '[]interface {}' : kindOf(value)
}
