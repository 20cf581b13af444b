import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scaledQuotient } from './exact.ts'

test('a quotient is that of whole numbers, up to 2^53', () => {
  const whole = fc.maxSafeNat()
  fc.assert(
    fc.property(whole, whole, (value, divisor) => {
      fc.pre(divisor > 0)
      expect(scaledQuotient(value, 100, divisor)).toBe(Number((BigInt(value) * 100n) / BigInt(divisor)))
    }),
    { numRuns: 2000 },
  )
})

test.each([
  [29, 100, 100, 29],
  [10 ** 15 - 1, 100, 10 ** 15, 99],
  [Number.MAX_SAFE_INTEGER - 1, 100, Number.MAX_SAFE_INTEGER, 99],
  [0, 100, 7, 0],
])('%d · %d / %d is %d', (value, factor, divisor, expected) => {
  expect(scaledQuotient(value, factor, divisor)).toBe(expected)
})
