// Amounts of resources as Kubernetes writes them: `100m`, `1.5Gi`, `1e3`. Exact arithmetic; the rules are those of apimachinery's
// resource.Quantity (0.36). The fast number forms at the end are for the many reads of a cluster's pods and nodes.

import type { Parsed } from '../problem.ts'

type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

export interface Quantity {
  /** The value in units of 10^-9: the smallest step there is. */
  readonly nanos: bigint
  /** How it is printed; a sum has the format of its left side. */
  readonly format: QuantityFormat
  /** The text it came as, where that is printed back byte for byte; absent: the canonical text is made. */
  readonly text?: string
}

const patternMessage = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const suffixMessage = "unable to parse quantity's suffix"
const numberMessage = 'unable to parse numeric part of quantity'
const longestText = 256
const largestExponent = 999

const nanosPerUnit = 1_000_000_000n
const largestInt64 = 2n ** 63n - 1n

const decimalExponents: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binaryExponents: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const

interface Suffix {
  readonly format: QuantityFormat
  /** Exponent of ten, or of two for BinarySI. */
  readonly exponent: number
}

/**
 * The quantity that `text` says. A number is taken as its shortest decimal text (that is how JSON carries it).
 * The problem's `message` is Kubernetes' own.
 */
export function parseQuantity(text: string | number, where = 'quantity'): Parsed<Quantity> {
  const given = typeof text === 'number' ? String(text) : text
  const quantity = readQuantity(given)
  if (typeof quantity !== 'string') return { ok: true, value: quantity }
  return {
    ok: false,
    problem: {
      code: 'quantity-syntax',
      where,
      found: given,
      expected: 'a quantity such as "500m" or "1.5Gi"',
      message: quantity,
    },
  }
}

/** The quantity of a text that is known to be one. @throws RangeError with Kubernetes' message where it is not. */
export function quantity(text: string | number): Quantity {
  const read = readQuantity(typeof text === 'number' ? String(text) : text)
  if (typeof read === 'string') throw new RangeError(`quantity ${JSON.stringify(text)}: ${read}`)
  return read
}

/** A whole number as a quantity, in DecimalSI or the format asked for. */
export function wholeQuantity(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nanos: BigInt(value) * nanosPerUnit, format }
}

/** Thousandths as a quantity: `milliQuantity(1500)` prints `1500m`. */
export function milliQuantity(value: number | bigint): Quantity {
  return { nanos: BigInt(value) * 1_000_000n, format: 'DecimalSI' }
}

/** The text Kubernetes prints: the text it came as where that was canonical, else canonical. */
export function formatQuantity(quantity: Quantity): string {
  return quantity.text ?? canonicalText(quantity)
}

/** The canonical text whatever the text it came as was. Above `E` the mantissa grows (`1000E`). */
export function canonicalText({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0'
  const size = nanos < 0n ? -nanos : nanos
  if (format === 'BinarySI' && size >= 1024n * nanosPerUnit && nanos % nanosPerUnit === 0n)
    return binaryText(nanos / nanosPerUnit)
  return decimalText(nanos, format === 'DecimalExponent')
}

/** `a + b` exactly, in `a`'s format; where `a` is zero in `b`'s. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format }
}

/** `a - b` exactly, in `a`'s format; where `a` is zero in `b`'s. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos - b.nanos, format: a.nanos === 0n ? b.format : a.format }
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0
}

/** The value as a whole number, rounded away from zero. */
export function wholeValue(quantity: Quantity): bigint {
  return divideAwayFromZero(quantity.nanos, nanosPerUnit)
}

/** The value in thousandths, rounded away from zero. */
export function milliValue(quantity: Quantity): bigint {
  return divideAwayFromZero(quantity.nanos, 1_000_000n)
}

function divideAwayFromZero(value: bigint, by: bigint): bigint {
  const quotient = value / by
  if (value % by === 0n) return quotient
  return value < 0n ? quotient - 1n : quotient + 1n
}

/**
 * What upstream's components compute with: Value() (`digits` 0) or MilliValue() (3) of a text, an int64. Of amounts beyond that upstream
 * makes 0 where it holds them as an int64 with a scale (`1e18` cores), and the low 64 bits where as a big decimal. 0 for what is no quantity.
 */
export function int64Value(text: string, digits: 0 | 3): bigint {
  const parts = readParts(text)
  if (typeof parts === 'string') return 0n
  const { sign, fraction, suffix, unscaled, isFast } = parts
  const signed = (value: bigint) => (sign === '-' ? -value : value)
  if (!isFast) {
    const nanos = scaled(unscaled, fraction.length, suffix)
    const isCapped = suffix.format === 'BinarySI' && nanos > largestInt64 * nanosPerUnit
    if (isCapped) return BigInt.asIntN(64, signed(largestInt64) * 10n ** BigInt(digits))
    return BigInt.asIntN(64, signed(divideAwayFromZero(nanos, 10n ** BigInt(9 - digits))))
  }
  const isBinary = suffix.format === 'BinarySI'
  const exponent = (isBinary ? 0 : suffix.exponent - fraction.length) + digits
  const whole = isBinary ? unscaled << BigInt(suffix.exponent) : unscaled
  if (exponent < 0) return signed(divideAwayFromZero(whole, 10n ** BigInt(-exponent)))
  const value = signed(whole * 10n ** BigInt(exponent))
  return BigInt.asIntN(64, value) === value ? value : 0n
}

/** The quantity, or Kubernetes' message. */
function readQuantity(text: string): Quantity | string {
  const parts = readParts(text)
  if (typeof parts === 'string') return parts
  const { sign, numerator, fraction, suffix, unscaled, isFast } = parts
  if (unscaled === 0n) return zeroOf(text, suffix)
  const size = scaled(unscaled, fraction.length, suffix)
  const isOverflow = suffix.format === 'BinarySI' && size > largestInt64 * nanosPerUnit
  const nanos = isOverflow ? largestInt64 * nanosPerUnit : size
  const format = suffix.format === 'BinarySI' && nanos < nanosPerUnit ? 'DecimalSI' : suffix.format
  const signed = sign === '-' ? -nanos : nanos
  if (isFast && isKept(numerator || '0', fraction, suffix, unscaled)) return { nanos: signed, format, text }
  return { nanos: signed, format }
}

interface QuantityParts {
  readonly sign: string
  readonly numerator: string
  readonly fraction: string
  readonly suffix: Suffix
  /** All digits as one number. */
  readonly unscaled: bigint
  readonly isFast: boolean
}

/** What a text is made of, or Kubernetes' message. */
function readParts(text: string): QuantityParts | string {
  if (text === '') return patternMessage
  if (text.length > longestText) return `at most ${longestText} characters`
  // Leading zeros go apart: they count neither as digits nor against keeping the text.
  const parts = /^([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/.exec(text)
  if (parts === null) return patternMessage
  const [, sign = '', numerator = '', fraction = '', suffixText = ''] = parts
  const suffix = readSuffix(suffixText)
  if (suffix === undefined) return suffixMessage
  if (Math.abs(suffix.exponent) > largestExponent) return `an exponent between -${largestExponent} and ${largestExponent}`
  const unscaled = BigInt(`${numerator}${fraction}` || '0')
  const isFast = isFastPath(numerator || '0', fraction, suffix, unscaled)
  if (!isFast && !/[0-9]/.test(text.slice(0, text.length - suffixText.length))) return numberMessage
  return { sign, numerator, fraction, suffix, unscaled, isFast }
}

function zeroOf(text: string, suffix: Suffix): Quantity {
  return text === '0' ? { nanos: 0n, format: 'DecimalSI', text } : { nanos: 0n, format: suffix.format }
}

function readSuffix(text: string): Suffix | undefined {
  const decimal = Object.hasOwn(decimalExponents, text) ? decimalExponents[text] : undefined
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal }
  const binary = Object.hasOwn(binaryExponents, text) ? binaryExponents[text] : undefined
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary }
  if (!/^[eE][-+]?[0-9]+$/.test(text)) return undefined
  const exponent = BigInt(text.slice(1).replace('+', ''))
  return BigInt.asIntN(64, exponent) === exponent ? { format: 'DecimalExponent', exponent: Number(exponent) } : undefined
}

/** The size in nanos, rounded up. */
function scaled(unscaled: bigint, fractionDigits: number, suffix: Suffix): bigint {
  const decimalExponent = (suffix.format === 'BinarySI' ? 0 : suffix.exponent) - fractionDigits + 9
  const multiplied = suffix.format === 'BinarySI' ? unscaled << BigInt(suffix.exponent) : unscaled
  if (decimalExponent >= 0) return multiplied * 10n ** BigInt(decimalExponent)
  return divideAwayFromZero(multiplied, 10n ** BigInt(-decimalExponent))
}

/** Whether upstream holds it as an int64 with a scale; the others it holds as big decimals, whose text it never keeps. */
function isFastPath(numerator: string, fraction: string, suffix: Suffix, unscaled: bigint): boolean {
  if (suffix.format !== 'BinarySI') return numerator.length + fraction.length <= 18 && suffix.exponent - fraction.length >= -9
  if (fraction !== '') return false
  return (
    15 - numerator.length - Math.trunc((suffix.exponent * 3) / 10) - 1 >= 0 && unscaled << BigInt(suffix.exponent) <= largestInt64
  )
}

/** Whether the text is canonical enough that upstream prints it back unchanged. */
function isKept(numerator: string, fraction: string, suffix: Suffix, unscaled: bigint): boolean {
  if (suffix.format === 'BinarySI') return unscaled % 8n !== 0n
  const digits = numerator + fraction
  return (suffix.exponent - fraction.length) % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0')
}

function binaryText(value: bigint): string {
  let mantissa = value
  let step = 0
  while (step < binarySuffixes.length - 1 && mantissa % 1024n === 0n) {
    mantissa /= 1024n
    step++
  }
  return `${mantissa}${binarySuffixes[step] ?? ''}`
}

function decimalText(nanos: bigint, isExponentForm: boolean): string {
  const digits = String(nanos)
  const zeros = digits.length - digits.replace(/0+$/, '').length
  const exponent = Math.floor(zeros / 3) * 3 - 9
  if (isExponentForm) return `${digits.slice(0, digits.length - exponent - 9)}${exponent === 0 ? '' : `e${exponent}`}`
  const shown = Math.min(exponent, 18)
  return `${digits.slice(0, digits.length - shown - 9)}${decimalSuffixes[shown / 3 + 3] ?? ''}`
}

// The fast number forms.

/** Two generations of so many texts each: the older is dropped whole, which costs nothing; texts still in use move to the newer. */
const generationSize = 2_048

class NumberCache {
  #recent = new Map<string, number>()
  #older = new Map<string, number>()

  get(text: string): number | undefined {
    const recent = this.#recent.get(text)
    if (recent !== undefined) return recent
    const older = this.#older.get(text)
    if (older !== undefined) this.set(text, older)
    return older
  }

  set(text: string, value: number): void {
    if (this.#recent.size >= generationSize) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(text, value)
  }
}

const milliCache = new NumberCache()
const wholeCache = new NumberCache()
const unitCache = new NumberCache()

/**
 * Thousandths of `text` (millicores of a CPU quantity), rounded away from zero; of more than 2^53-1 about what upstream makes of it.
 * @throws RangeError where it is no quantity.
 */
export function parseMilli(text: string | number): number {
  if (typeof text === 'number') return asNumber(text, 3)
  const known = milliCache.get(text)
  if (known !== undefined) return known
  const value = simpleNumber(text, 1_000) ?? asNumber(text, 3)
  milliCache.set(text, value)
  return value
}

/** `text` as a whole number (bytes of a memory quantity), rounded away from zero. @throws RangeError as `parseMilli`. */
export function parseWhole(text: string | number): number {
  if (typeof text === 'number') return asNumber(text, 0)
  const known = wholeCache.get(text)
  if (known !== undefined) return known
  const value = simpleNumber(text, 1) ?? asNumber(text, 0)
  wholeCache.set(text, value)
  return value
}

/** `text` in units with their fraction (0.25 of `250m`), as the nearest double; `undefined` where it is no quantity. */
export function parseUnits(text: string | number): number | undefined {
  const given = typeof text === 'number' ? String(text) : text
  const known = unitCache.get(given)
  if (known !== undefined) return known
  const read = readQuantity(given)
  if (typeof read === 'string') return undefined
  const value = Number(read.nanos) / 1e9
  unitCache.set(given, value)
  return value
}

const simpleFactors: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** Digits and one of the common suffixes, in units of 1/`perUnit`; `undefined` where the text has another form or the number is too big. */
function simpleNumber(text: string, perUnit: 1 | 1_000): number | undefined {
  let value = 0
  let at = 0
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  if (at === 0 || at > 15 || text.length - at > 2) return undefined
  const suffix = text.slice(at)
  if (suffix === 'm') return perUnit === 1 ? Math.ceil(value / 1_000) : value
  const factor = Object.hasOwn(simpleFactors, suffix) ? simpleFactors[suffix] : undefined
  if (factor === undefined) return undefined
  const product = value * factor * perUnit
  return Number.isSafeInteger(product) ? product : undefined
}

function asNumber(text: string | number, digits: 0 | 3): number {
  const exact = quantity(text)
  const value = Number(digits === 3 ? milliValue(exact) : wholeValue(exact))
  // No machine has so much: what counts then is that everybody computes with the same, as upstream's components do.
  return Number.isSafeInteger(value) ? value : Number(int64Value(String(text), digits))
}

/** Above these a quantity is a slip of the pen and not a machine: a million cores, 2^53-1 of anything else. */
const mostMillicores = 1_000_000_000

/** A CPU quantity from outside, in millicores: not negative, at most a million cores. */
export function cpuMillicores(value: unknown, where: string): Parsed<number> {
  return amountFromOutside(value, where, {
    amountOf: milliValue,
    perUnit: 1_000,
    most: mostMillicores,
    mostText: 'a million cores',
  })
}

/** Any other quantity from outside as a whole number (bytes, pieces): not negative, at most 2^53-1. */
export function wholeNumber(value: unknown, where: string): Parsed<number> {
  return amountFromOutside(value, where, { amountOf: wholeValue, perUnit: 1, most: Number.MAX_SAFE_INTEGER, mostText: '2^53-1' })
}

interface AmountRule {
  readonly amountOf: (quantity: Quantity) => bigint
  readonly perUnit: 1 | 1_000
  readonly most: number
  readonly mostText: string
}

function amountFromOutside(value: unknown, where: string, rule: AmountRule): Parsed<number> {
  const simple = typeof value === 'string' ? simpleNumber(value, rule.perUnit) : undefined
  if (simple !== undefined && simple <= rule.most) return { ok: true, value: simple }
  if (typeof value !== 'string' && typeof value !== 'number') {
    const found = JSON.stringify(value) ?? String(value)
    return {
      ok: false,
      problem: { code: 'quantity-type', where, found, expected: 'a quantity: a string such as "500m", or a number' },
    }
  }
  const parsed = parseQuantity(value, where)
  if (!parsed.ok) return parsed
  const found = String(value)
  if (parsed.value.nanos < 0n)
    return { ok: false, problem: { code: 'quantity-negative', where, found, expected: 'a quantity of 0 or more' } }
  const amount = rule.amountOf(parsed.value)
  if (amount <= BigInt(rule.most)) return { ok: true, value: Number(amount) }
  return { ok: false, problem: { code: 'quantity-absurd', where, found, expected: `a quantity of at most ${rule.mostText}` } }
}
