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
}

const largestInteger = 2n ** 63n - 1n

export class CelQuantity extends CelValue {
  readonly #quantity: Quantity

  constructor(quantity: Quantity) {
    super()
    this.#quantity = quantity
  }

  /** @throws CelError where `text` is no quantity. */
  static of(text: string): CelQuantity {
    const parsed = parseQuantity(text)
    if (!parsed.ok) throw new CelError(`${text} is not a quantity`)
    return new CelQuantity(parsed.value)
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
    if (nanos % 1_000_000_000n !== 0n) return undefined
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

const versionPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

export class CelVersion extends CelValue {
  readonly text: string
  readonly #numbers: readonly bigint[]
  readonly #prerelease: readonly string[]

  private constructor(text: string, numbers: readonly bigint[], prerelease: readonly string[]) {
    super()
    this.text = text
    this.#numbers = numbers
    this.#prerelease = prerelease
  }

  /** `undefined` where `text` is no semantic version. `isLenient` takes `v1.2` and `01.2.3` too. */
  static read(text: string, isLenient = false): CelVersion | undefined {
    const matched = versionPattern.exec(isLenient ? normalised(text) : text)
    if (matched === null) return undefined
    const [, major = '0', minor = '0', patch = '0', prerelease] = matched
    return new CelVersion(text, [BigInt(major), BigInt(minor), BigInt(patch)], prerelease?.split('.') ?? [])
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

function normalised(text: string): string {
  const [, numbers = '', rest = ''] = /^v?([0-9.]*)(.*)$/s.exec(text) ?? []
  const parts = numbers.split('.').map(part => part.replace(/^0+(?=\d)/, ''))
  while (parts.length < 3) parts.push('0')
  return parts.join('.') + rest
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
