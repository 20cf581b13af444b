import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalText } from '#kube/values/quantity.ts'
import { bytesText, cpuText } from './quantities.ts'

test.each([
  [125_500_321, '125500321n'],
  [0, '0'],
  [500_000_000, '500m'],
  [2_000_000_000, '2'],
  [1_250_000, '1250u'],
  [1e12, '1k'],
  // The largest int64 is kept to the digit that a double has.
  [2 ** 63, '9223372036854775800n'],
])('%d billionths of a core are %s', (nanocores, text) => {
  expect(cpuText(nanocores)).toBe(text)
})

test.each([
  [48_398_336, '47264Ki'],
  [5_242_881, '5242881'],
  [1_000, '1k'],
  [500, '500'],
  [5 * 1024 ** 2, '5Mi'],
  [1_024, '1Ki'],
  [0, '0'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test('fast texts are the canonical ones', () => {
  const shifted = fc
    .tuple(fc.nat({ max: 1_000_000 }), fc.constantFrom(1, 1_000, 1_024, 1e6, 1_048_576, 1e9))
    .map(([a, b]) => a * b)
  const amounts = fc.oneof(fc.maxSafeNat(), shifted)
  fc.assert(
    fc.property(amounts, amount => {
      expect(cpuText(amount)).toBe(canonicalText({ nanos: BigInt(amount), format: 'DecimalSI' }))
      expect(bytesText(amount)).toBe(canonicalText({ nanos: BigInt(amount) * 1_000_000_000n, format: 'BinarySI' }))
    }),
  )
})
