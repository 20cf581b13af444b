// How Go names things in the messages that clients see.
import { OddNumber } from '../json-value.ts'

/** What Go calls the kind of a JSON value. */
export function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint' || value instanceof OddNumber) return 'number'
  return typeof value
}

/** A value as Go's `%v` prints it: `map[a:1 b:[x y]]`. */
export function goPrinted(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (value instanceof OddNumber) return value.source
  if (Array.isArray(value)) return `[${value.map(goPrinted).join(' ')}]`
  if (typeof value !== 'object') return String(value)
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goPrinted(item)}`).join(' ')}]`
}
