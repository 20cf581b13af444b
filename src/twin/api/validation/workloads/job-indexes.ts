// Indexes of the pods of an indexed Job, as `1,3-5`.

/** How many indexes a text names, or why it names none. */
interface ParsedIndexes {
  readonly total: number
  readonly why: string | undefined
}

interface Interval {
  readonly first: number
  readonly last: number
}

/** Reads a list of intervals below `completions`. */
export function parsedIndexes(text: string, completions: number): ParsedIndexes {
  let total = 0
  let before: number | undefined
  for (const part of text === '' ? [] : text.split(',')) {
    const interval = parsedInterval(part, completions)
    if (typeof interval === 'string') return { total: 0, why: interval }
    const { first, last } = interval
    if (before !== undefined && before >= first)
      return { total: 0, why: `non-increasing order, previous: ${before}, current: ${first}` }
    total += last - first + 1
    before = last
  }
  return { total, why: undefined }
}

/** The least index that both texts name; parts that name none are passed over. */
export function sharedIndex(one: string, other: string, completions: number): number | undefined {
  const intervals = (text: string) =>
    text.split(',').flatMap(part => {
      const interval = parsedInterval(part, completions)
      return typeof interval === 'string' ? [] : [interval]
    })
  const others = intervals(other)
  for (const { first, last } of intervals(one)) {
    const shared = others.find(interval => first <= interval.last && interval.first <= last)
    if (shared !== undefined) return Math.max(first, shared.first)
  }
  return undefined
}

function parsedInterval(text: string, completions: number): Interval | string {
  const parts = text.split('-')
  if (parts.length > 2)
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`
  const bounds: number[] = []
  for (const part of parts) {
    if (!/^[-+]?\d+$/.test(part)) return `cannot convert string to integer for index: ${JSON.stringify(part)}`
    if (Number(part) >= completions) return `too large index: ${JSON.stringify(part)}`
    bounds.push(Number(part))
  }
  const [first = 0, last = first] = bounds
  if (parts.length === 2 && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`
  return { first, last }
}
