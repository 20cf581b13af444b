// Values of Go as templates see them.

/**
 * Whole numbers are bigints, floats are numbers, and `null` is nil. Go tells integers of different sizes apart; here all have
 * 64 bits.
 */
export type GoValue = string | boolean | bigint | number | null | readonly GoValue[] | GoMap

/** A map with names as keys. */
export class GoMap {
  readonly entries: Map<string, GoValue>
  /** What `index` gives for a name that is not there: the zero value of its elements. */
  readonly zero: GoValue

  constructor(entries: Iterable<readonly [string, GoValue]>, zero: GoValue = null) {
    this.entries = new Map(entries)
    this.zero = zero
  }

  /** Names in the order of their bytes, as Go prints and ranges over them. */
  names(): readonly string[] {
    return [...this.entries.keys()].sort(byBytes)
  }
}

/** The order of Go's strings. */
export function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** Whether an `if` takes the value for true: all but zero values. */
export function isTrue(value: GoValue): boolean {
  if (value === null || value === '' || value === false || value === 0n || value === 0) return false
  if (value instanceof GoMap) return value.entries.size > 0
  return !Array.isArray(value) || value.length > 0
}

type Kind = 'string' | 'bool' | 'int' | 'float64' | 'invalid' | 'slice' | 'map'

/** The name of a value's kind, as sprig's `kindOf` says it. */
export function kindOf(value: GoValue): Kind {
  if (value === null) return 'invalid'
  if (value instanceof GoMap) return 'map'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float64'
    default:
      return 'slice'
  }
}

/** Whether two values are the same all the way down. */
export function deepEquals(left: GoValue, right: GoValue): boolean {
  if (left instanceof GoMap)
    return (
      right instanceof GoMap &&
      left.entries.size === right.entries.size &&
      [...left.entries].every(([name, value]) => right.entries.has(name) && deepEquals(value, right.entries.get(name) ?? null))
    )
  if (isList(left))
    return isList(right) && left.length === right.length && left.every((value, index) => deepEquals(value, right[index] ?? null))
  return left === right
}

export function isList(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value)
}
