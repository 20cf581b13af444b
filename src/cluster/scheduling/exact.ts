// Integer division as the scheduler's int64 does it, on numbers up to 2^53.

/** Products below this are exact in a double, and so is the floor of their quotient by `safeDivisor` or less. */
const safeProduct = Number.MAX_SAFE_INTEGER
const safeDivisor = 1e13

/** `value * factor / divisor` truncated, for whole numbers of 0 or more and a divisor above 0. */
export function scaledQuotient(value: number, factor: number, divisor: number): number {
  const product = value * factor
  if (product <= safeProduct && divisor <= safeDivisor) return Math.floor(product / divisor)
  return Number((BigInt(value) * BigInt(factor)) / BigInt(divisor))
}
