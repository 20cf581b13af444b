// The types of Go's that a policy's fields have: what fits them, and the words of Go's decoder for what does not.

export type WholeType = 'uint' | 'int' | 'int32' | 'int64'

const wholeRanges: Readonly<Record<WholeType, readonly [number, number]>> = {
  uint: [0, Number.MAX_SAFE_INTEGER],
  int: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

const expectedWords: Readonly<Record<string, string>> = {
  string: 'a text',
  bool: 'true or false',
  uint: 'a whole number from 0 up to 2^53-1',
  int: 'a whole number',
  int32: 'a whole number of 32 bits',
  int64: 'a whole number up to 2^53-1',
  'api.Percentage': 'a percentage from 0 to 100',
}

/** Whether the Go type holds the value; at most 2^53-1. */
export function isWhole(value: unknown, type: WholeType): value is number {
  const [least, most] = wholeRanges[type]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}

/** What Go's decoder calls a JSON value that it cannot take; a number with its digits where another number is wanted. */
export function jsonWord(value: unknown, type: string): string {
  if (typeof value === 'number') return Object.hasOwn(wholeRanges, type) ? `number ${value}` : 'number'
  if (typeof value === 'boolean') return 'bool'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'string' ? 'string' : 'object'
}

/** What would be right for a Go type. */
export function expectedOf(type: string): string {
  return expectedWords[type] ?? (type.startsWith('[]') ? 'a list' : 'a map')
}
