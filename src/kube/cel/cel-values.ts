// Values of CEL that are no JSON: quantities and semantic versions of Kubernetes' libraries, and maps in which every key has a value.
// Rules of apiserver's cel/library and of semver.org 2.0.0.

import { canonicalText, compareQuantities, parseQuantity, type Quantity } from '../values/quantity.ts'
import { CelError } from './cel-syntax.ts'

/** A value with methods and without fields. */
export abstract class CelValue {
  /** What a method gives; `undefined` where the value has no such method. @throws CelError */
  abstract call(name: string, args: readonly unknown[]): unknown
  abstract isSameAs(other: unknown): boolean
  /** How it leaves an expression. */
  abstract readonly text: string
  /** What CEL calls its type. */
  abstract readonly typeName: string
}

/** What `type()` gives, and what a name of a type means. */
export class CelType extends CelValue {
  readonly typeName = 'type'
  readonly text: string

  constructor(text: string) {
    super()
    this.text = text
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelType && other.text === this.text
  }

  call(): unknown {
    return undefined
  }
}

/** What CEL calls the type of a value; a whole number is an int. */
export function typeNameOf(value: unknown): string {
  if (value instanceof CelValue) return value.typeName
  if (value instanceof Optional) return 'optional_type'
  if (value === null) return 'null_type'
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'int' : 'double'
    case 'bigint':
      return 'int'
    case 'boolean':
      return 'bool'
    default:
      return typeof value === 'string' ? 'string' : 'map'
  }
}

const largestInteger = 2n ** 63n - 1n

export class CelQuantity extends CelValue {
  readonly typeName = 'kubernetes.Quantity'
  readonly #quantity: Quantity
  /** Whether upstream holds it as an integer; a text such as `1000m` is none there, though its value is. */
  readonly #isHeldWhole: boolean

  constructor(quantity: Quantity, isHeldWhole = true) {
    super()
    this.#quantity = quantity
    this.#isHeldWhole = isHeldWhole
  }

  /** @throws CelError where `text` is no quantity. */
  static of(text: string): CelQuantity {
    const parsed = parseQuantity(text)
    if (!parsed.ok) throw new CelError(parsed.problem.message ?? parsed.problem.expected)
    return new CelQuantity(parsed.value, isHeldWhole(text))
  }

  get text(): string {
    return this.#quantity.text ?? canonicalText(this.#quantity)
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelQuantity && compareQuantities(this.#quantity, other.#quantity) === 0
  }

  call(name: string, [other]: readonly unknown[]): unknown {
    switch (name) {
      case 'isGreaterThan':
        return this.#compared(name, other) > 0
      case 'isLessThan':
        return this.#compared(name, other) < 0
      case 'compareTo':
        return this.#compared(name, other)
      case 'sign':
        return this.#quantity.nanos < 0n ? -1 : this.#quantity.nanos > 0n ? 1 : 0
      case 'isInteger':
        return this.#integer() !== undefined
      case 'asInteger': {
        const whole = this.#integer()
        if (whole === undefined) throw new CelError('cannot convert value to integer')
        return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole
      }
      case 'asApproximateFloat':
        return Number(this.#quantity.nanos) / 1e9
      case 'add':
      case 'sub': {
        const { nanos, format } = this.#quantity
        const by = operandOf(name, other)
        return new CelQuantity({ nanos: name === 'add' ? nanos + by : nanos - by, format })
      }
      default:
        return undefined
    }
  }

  static nanosOf(value: CelQuantity): bigint {
    return value.#quantity.nanos
  }

  #integer(): bigint | undefined {
    const { nanos } = this.#quantity
    if (!this.#isHeldWhole || nanos % 1_000_000_000n !== 0n) return undefined
    const whole = nanos / 1_000_000_000n
    return whole > largestInteger || whole < -largestInteger - 1n ? undefined : whole
  }

  #compared(name: string, other: unknown): number {
    if (!(other instanceof CelQuantity)) throw new CelError(`no such overload: ${name}`)
    return compareQuantities(this.#quantity, other.#quantity)
  }
}

/** Nanos of what is added or taken away: a quantity or an integer. */
function operandOf(name: string, value: unknown): bigint {
  if (value instanceof CelQuantity) return CelQuantity.nanosOf(value)
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return BigInt(value) * 1_000_000_000n
  throw new CelError(`no such overload: ${name}`)
}

const decimalExponents: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }

/** Whether a quantity's text is read as an integer: with few enough digits, and none after the point once its suffix is counted in. */
function isHeldWhole(text: string): boolean {
  const [, number = '', fraction = '', suffix = ''] = /^[+-]?0*(\d*)(?:\.(\d*))?(.*)$/.exec(text) ?? []
  const power = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }[suffix]
  if (power !== undefined) return fraction === '' && 15 - number.length - Math.trunc((power * 3) / 10) - 1 >= 0
  if (number.length + fraction.length > 18) return false
  return (decimalExponents[suffix] ?? Number(suffix.slice(1))) >= fraction.length
}

export class CelVersion extends CelValue {
  readonly typeName = 'kubernetes.Semver'
  readonly text: string
  readonly #numbers: readonly bigint[]
  readonly #prerelease: readonly string[]

  private constructor(text: string, numbers: readonly bigint[], prerelease: readonly string[]) {
    super()
    this.text = text
    this.#numbers = numbers
    this.#prerelease = prerelease
  }

  /** @throws CelError where `text` is no semantic version. `isLenient` takes `v1.2` and `01.2.3` too. */
  static of(text: string, isLenient = false): CelVersion {
    const { numbers, prerelease } = readVersion(isLenient ? normalised(text) : text)
    return new CelVersion(text, numbers, prerelease)
  }

  /** `undefined` where `text` is no semantic version. */
  static read(text: string, isLenient = false): CelVersion | undefined {
    try {
      return CelVersion.of(text, isLenient)
    } catch (error) {
      if (error instanceof CelError) return undefined
      throw error
    }
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelVersion && this.#order(other) === 0
  }

  call(name: string, [other]: readonly unknown[]): unknown {
    switch (name) {
      case 'major':
        return Number(this.#numbers[0])
      case 'minor':
        return Number(this.#numbers[1])
      case 'patch':
        return Number(this.#numbers[2])
      case 'isGreaterThan':
        return this.#compared(name, other) > 0
      case 'isLessThan':
        return this.#compared(name, other) < 0
      case 'compareTo':
        return this.#compared(name, other)
      default:
        return undefined
    }
  }

  #compared(name: string, other: unknown): number {
    if (!(other instanceof CelVersion)) throw new CelError(`no such overload: ${name}`)
    return this.#order(other)
  }

  #order(other: CelVersion): number {
    for (const [at, number] of this.#numbers.entries()) {
      const beside = other.#numbers[at] ?? 0n
      if (number !== beside) return number < beside ? -1 : 1
    }
    return prereleaseOrder(this.#prerelease, other.#prerelease)
  }
}

/** A version without a pre-release is the later one; numbers come before words. */
function prereleaseOrder(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return Math.sign(right.length - left.length)
  for (const [at, word] of left.entries()) {
    const beside = right[at]
    if (beside === undefined) return 1
    if (word === beside) continue
    const isNumber = /^\d+$/.test(word)
    if (isNumber !== /^\d+$/.test(beside)) return isNumber ? -1 : 1
    if (isNumber) return BigInt(word) < BigInt(beside) ? -1 : 1
    return word < beside ? -1 : 1
  }
  return left.length < right.length ? -1 : 0
}

/** A text after Go's `SplitN(text, ".", 3)`. */
function threeParts(text: string): string[] {
  const [first = '', second, ...others] = text.split('.')
  return [first, ...(second === undefined ? [] : [second]), ...(others.length === 0 ? [] : [others.join('.')])]
}

/** The parts of a semantic version; the words are those of the library that upstream reads them with. @throws CelError */
function readVersion(text: string): { readonly numbers: readonly bigint[]; readonly prerelease: readonly string[] } {
  if (text === '') throw new CelError('Version string empty')
  const [major = '', minor = '', rest] = threeParts(text)
  if (rest === undefined) throw new CelError('No Major.Minor.Patch elements found')
  const [front = '', ...builds] = rest.split('+')
  const [patch = '', ...prereleases] = front.split('-')
  const numbers = [readNumber('Major', major), readNumber('Minor', minor), readNumber('Patch', patch)]
  const prerelease = prereleases.length === 0 ? [] : prereleases.join('-').split('.')
  for (const word of prerelease) {
    if (word === '') throw new CelError('Prerelease is empty')
    if (/^0\d+$/.test(word))
      throw new CelError(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(word)}`)
    if (!/^[0-9A-Za-z-]+$/.test(word)) throw new CelError(`Invalid character(s) found in prerelease ${JSON.stringify(word)}`)
  }
  for (const word of builds.length === 0 ? [] : builds.join('+').split('.')) {
    if (word === '') throw new CelError('Build meta data is empty')
    if (!/^[0-9A-Za-z-]+$/.test(word)) throw new CelError(`Invalid character(s) found in build meta data ${JSON.stringify(word)}`)
  }
  return { numbers, prerelease }
}

const largestUnsigned = 2n ** 64n - 1n

/** @throws CelError */
function readNumber(part: string, text: string): bigint {
  const shown = JSON.stringify(text)
  if (/\D/.test(text)) throw new CelError(`Invalid character(s) found in ${part.toLowerCase()} number ${shown}`)
  if (/^0\d/.test(text)) throw new CelError(`${part} number must not contain leading zeroes ${shown}`)
  if (text === '') throw new CelError('strconv.ParseUint: parsing "": invalid syntax')
  const number = BigInt(text)
  if (number > largestUnsigned) throw new CelError(`strconv.ParseUint: parsing ${shown}: value out of range`)
  return number
}

/** A version without what may be left out and without zeros in front. @throws CelError */
function normalised(text: string): string {
  const parts = threeParts(text.replace(/^v/, '')).map(part => {
    if (part.length < 2) return part
    const stripped = part.replace(/^0+/, '')
    return /^\d/.test(stripped) ? stripped : `0${stripped}`
  })
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? ''))
    throw new CelError('short version cannot contain PreRelease/Build meta data')
  while (parts.length < 3) parts.push('0')
  return parts.join('.')
}

/** A map that has a value for keys it does not hold, as `device.attributes` has: its `in` and its loops know of what it holds alone. */
export class MapWithDefault {
  readonly entries: Readonly<Record<string, unknown>>
  readonly missing: unknown

  constructor(entries: Readonly<Record<string, unknown>>, missing: unknown) {
    this.entries = entries
    this.missing = missing
  }

  get(key: string): unknown {
    return Object.hasOwn(this.entries, key) ? this.entries[key] : this.missing
  }
}

/** What `?.` and `[?` give. */
export class Optional {
  readonly content: unknown
  readonly isPresent: boolean
  constructor(content: unknown, isPresent: boolean) {
    this.content = content
    this.isPresent = isPresent
  }
}

export const absent = new Optional(undefined, false)
