// Ranges of sizes and of costs, from the least to the most there may be. The most that counts is 2^64: more is as much.

export interface Range {
  readonly min: number
  readonly max: number
}

/** As much as anything can be; sums and products end here. */
export const unlimited = 2 ** 64

export const exactly = (amount: number): Range => ({ min: amount, max: amount })
export const anything: Range = { min: 0, max: unlimited }

/** A text is read in tenths of a step a character. */
export const perCharacter = 0.1
/** A pattern takes a quarter of a step a character. */
export const perPatternCharacter = 0.25

export function added(...ranges: readonly Range[]): Range {
  return {
    min: ranges.reduce((sum, { min }) => capped(sum + min), 0),
    max: ranges.reduce((sum, { max }) => capped(sum + max), 0),
  }
}

export function multiplied(left: Range, right: Range): Range {
  return { min: capped(left.min * right.min), max: capped(left.max * right.max) }
}

/** Each end times a factor, rounded up. */
export function scaled({ min, max }: Range, factor: number): Range {
  return { min: capped(Math.ceil(min * factor)), max: capped(Math.ceil(max * factor)) }
}

/** From the least of both to the most of both. */
export function joined(left: Range, right: Range): Range {
  return { min: Math.min(left.min, right.min), max: Math.max(left.max, right.max) }
}

export function capped(amount: number): number {
  return Math.min(amount, unlimited)
}
