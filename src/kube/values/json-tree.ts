// JSON trees that nobody has looked at yet: what an object is, when two are equal, and their text.

/** A tree that is being made; it becomes a `KubeObject` when it is stored. */
export type Draft = { [key: string]: unknown }

/** A number whose text matters: an integer written with a fraction or exponent, or one beyond what int64 or a double holds. */
export class OddNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }

  /** The nearest double; infinite where there is none. */
  get value(): number {
    return Number(this.source)
  }
}

export function isFields(value: unknown): value is Draft {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof OddNumber)
}

/** Equality of trees; an absent field equals an undefined one. Order of keys does not matter. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, index) => isSame(item, right[index]))
  }
  if (!isFields(left) || !isFields(right)) return false
  for (const key of Object.keys(left))
    if (left[key] !== undefined && !(Object.hasOwn(right, key) && isSame(left[key], right[key]))) return false
  for (const key of Object.keys(right))
    if (right[key] !== undefined && !(Object.hasOwn(left, key) && left[key] !== undefined)) return false
  return true
}

/** The JSON of a tree, indented by so many spaces if asked. Integers beyond 2^53 are written exactly. */
export function jsonText(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Some integer is a bigint, which is rare enough to find out this way.
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? rawJson(String(item)) : item), indent)
  }
}

/** A number that is written with the digits given. */
function rawJson(text: string): unknown {
  // The types of ES2024 do not have it yet.
  const make: unknown = Reflect.get(JSON, 'rawJSON')
  if (typeof make !== 'function') throw new TypeError(`this engine cannot write the integer ${text}`)
  return Reflect.apply(make, JSON, [text])
}
