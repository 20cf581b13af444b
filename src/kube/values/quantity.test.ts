import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../testdata/least-cpu.ts'
import {
  addQuantities,
  canonicalText,
  compareQuantities,
  cpuMillicores,
  formatQuantity,
  int64Value,
  milliQuantity,
  milliValue,
  parseMilli,
  parseQuantity,
  parseWhole,
  quantity,
  subtractQuantities,
  wholeNumber,
  wholeQuantity,
  wholeValue,
} from './quantity.ts'

const pattern = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const suffix = "unable to parse quantity's suffix"

describe('canonical forms (kube-machinery case 1)', () => {
  // biome-ignore format: a table
  test.each([
    ['0.5', '500m', 'DecimalSI', 1n, 500n],
    ['1.5Gi', '1536Mi', 'BinarySI', 1610612736n, 1610612736000n],
    ['0.5Ki', '512', 'BinarySI', 512n, 512000n],
    ['0.1Ki', '102400m', 'BinarySI', 103n, 102400n],
    ['2048Mi', '2Gi', 'BinarySI', 2147483648n, 2147483648000n],
    ['1025Ki', '1025Ki', 'BinarySI', 1049600n, 1049600000n],
    ['1000k', '1M', 'DecimalSI', 1000000n, 1000000000n],
    ['1500000', '1500k', 'DecimalSI', 1500000n, 1500000000n],
    ['1e3', '1e3', 'DecimalExponent', 1000n, 1000000n],
    ['1E', '1E', 'DecimalSI', 10n ** 18n, 10n ** 21n],
    ['1e20', '100e18', 'DecimalExponent', 10n ** 20n, 10n ** 23n],
    ['0.0000000001', '1n', 'DecimalSI', 1n, 1n],
    ['1.23456789012', '1234567891n', 'DecimalSI', 2n, 1235n],
    ['8Ei', '9223372036854775807', 'BinarySI', 9223372036854775807n, 9223372036854775807000n],
    ['-9.01', '-9010m', 'DecimalSI', -10n, -9010n],
    ['1.0001Mi', '1048680857600u', 'BinarySI', 1048681n, 1048680858n],
    ['0Ki', '0', 'BinarySI', 0n, 0n],
    ['0.0001Ki', '102400u', 'DecimalSI', 1n, 103n],
    ['-0.5', '-500m', 'DecimalSI', -1n, -500n],
    ['1e21', '1e21', 'DecimalExponent', 10n ** 21n, 10n ** 24n],
    ['1000E', '1000E', 'DecimalSI', 10n ** 21n, 10n ** 24n],
    ['-', '0', 'DecimalSI', 0n, 0n],
    ['.', '0', 'DecimalSI', 0n, 0n],
    ['.5', '500m', 'DecimalSI', 1n, 500n],
  ] as const)('%s is %s', (text, canonical, format, whole, milli) => {
    const read = quantity(text)
    expect([canonicalText(read), read.format, wholeValue(read), milliValue(read)]).toEqual([canonical, format, whole, milli])
  })
})

describe('texts that are no quantity (case 2)', () => {
  // biome-ignore format: a table
  test.each([
    ['1K', suffix], ['1ki', suffix], ['1e', suffix], ['1i', suffix], ['1e-', suffix], ['1Mi5', suffix], ['1-5', suffix],
    ['1Kib', pattern], ['', pattern], [' 1', pattern], ['1 ', pattern], ['1E3M', pattern], ['1.2.3', pattern], ['NaN', pattern],
    ['Ei', 'unable to parse numeric part of quantity'],
    ['1e2147483648', 'an exponent between -999 and 999'],
    ['9'.repeat(300), 'at most 256 characters'],
  ])('%j', (text, message) => {
    expect(parseQuantity(text, 'spec.x')).toMatchObject({ ok: false, problem: { code: 'quantity-syntax', where: 'spec.x', found: text, message } })
    expect(() => parseMilli(text)).toThrow(RangeError)
  })
})

test('an absurd exponent is refused without being computed (case 2)', () => {
  const refuse = (text: string) =>
    leastCpuMs(() => {
      for (let time = 0; time < 5_000; time++) if (parseQuantity(text).ok) throw new Error(`${text} was taken`)
    })
  // As soon as any other that is refused.
  expect(refuse('1e2147483648')).toBeLessThan(20 * (refuse('1e1000') + 1))
})

test.each([
  ['1Gi', '500M', '1573741824', 'BinarySI'],
  ['100m', '1', '1100m', 'DecimalSI'],
  ['0', '1Gi', '1Gi', 'BinarySI'],
  ['1', '1Gi', '1073741825', 'DecimalSI'],
  ['0.5', '512Mi', '536870912500m', 'DecimalSI'],
  ['1e3', '1k', '2e3', 'DecimalExponent'],
  ['8Ei', '8Ei', '18446744073709551614', 'BinarySI'],
])('%s + %s = %s (case 3)', (left, right, sum, format) => {
  const added = addQuantities(quantity(left), quantity(right))
  expect([formatQuantity(added), added.format]).toEqual([sum, format])
})

test.each([
  ['+5', '+5'],
  ['1.', '1.'],
  ['0.5', '500m'],
  ['1500m', '1500m'],
  ['1000', '1k'],
  ['1024Ki', '1Mi'],
  ['0100m', '0100m'],
  ['1.5Gi', '1536Mi'],
  [1.5, '1500m'],
  [1e21, '1e+21'],
])('%j goes back as %s', (text, printed) => {
  expect(formatQuantity(quantity(text))).toBe(printed)
})

describe('what is made of whole numbers', () => {
  test('prints canonically', () => {
    expect(formatQuantity(wholeQuantity(2 ** 31, 'BinarySI'))).toBe('2Gi')
    expect(formatQuantity(milliQuantity(1500))).toBe('1500m')
    expect(formatQuantity(subtractQuantities(quantity('1Gi'), quantity('1Gi')))).toBe('0')
  })
  test('compares', () => {
    expect([compareQuantities(quantity('1'), quantity('1000m')), compareQuantities(quantity('-1'), quantity('1m'))]).toEqual([
      0, -1,
    ])
  })
})

describe('numbers from outside', () => {
  test.each([
    ['250m', 250],
    [2, 2000],
    ['0.0001', 1],
    ['1000000', 1_000_000_000],
  ])('cpu %j', (value, millicores) => {
    expect(cpuMillicores(value, 'x')).toEqual({ ok: true, value: millicores })
  })
  // biome-ignore format: a table
  test.each([
    ['-1', 'quantity-negative'], ['1000001', 'quantity-absurd'], ['2Gi', 'quantity-absurd'], [null, 'quantity-type'], [{}, 'quantity-type'],
    ['1K', 'quantity-syntax'], [Number.NaN, 'quantity-syntax'], [undefined, 'quantity-type'],
  ])('cpu %j is refused: %s', (value, code) => {
    expect(cpuMillicores(value, 'x')).toMatchObject({ ok: false, problem: { code, where: 'x' } })
  })
  test('bytes above 2^53-1 are absurd', () => {
    expect(wholeNumber('8Pi', 'x')).toMatchObject({ ok: false, problem: { code: 'quantity-absurd' } })
    expect(wholeNumber('7Pi', 'x')).toEqual({ ok: true, value: 7 * 2 ** 50 })
  })
})

// biome-ignore format: a table, made by Value() and MilliValue() of apimachinery 0.36.4
test.each([
  ['1e18', 1000000000000000000n, 0n], ['9e15', 9000000000000000n, 9000000000000000000n], ['1000E', 0n, 0n], ['1E', 1000000000000000000n, 0n],
  ['9223372036854775807', 9223372036854775807n, -1000n], ['9223372036854775808', -9223372036854775808n, 0n], ['10e99', 0n, 0n], ['1e400', 0n, 0n],
  ['12345678901234567890', -6101065172474983726n, 4807115922877858896n], ['8Ei', 9223372036854775807n, -1000n], ['9Ei', 9223372036854775807n, -1000n],
  ['8191Pi', 9222246136947933184n, -1125899906842624000n], ['-1e18', -1000000000000000000n, 0n], ['99999999999999999999.5', 7766279631452241920n, 200376420520689164n],
  ['0.1234567891', 1n, 124n], ['1.0000000001', 2n, 1001n], ['1Gi', 1073741824n, 1073741824000n], ['1500m', 2n, 1500n], ['-1500m', -2n, -1500n],
  ['123456789012345678E', 0n, 0n], ['1n', 1n, 1n], ['7Pi', 7881299347898368n, 7881299347898368000n], ['0.5Ki', 512n, 512000n], ['1.5Gi', 1610612736n, 1610612736000n],
  ['-9Ei', -9223372036854775807n, 1000n], ['9007199254740993', 9007199254740993n, 9007199254740993000n], ['1234567890123456789.5', 1234567890123456790n, -1363962815083168772n],
  ['nonsense', 0n, 0n],
])('components compute with %s as upstream does', (text, value, milli) => {
  expect([int64Value(text, 0), int64Value(text, 3)]).toEqual([value, milli])
})

test('the cache of number forms forgets and still says the same', () => {
  for (let bytes = 1; bytes < 5_000; bytes++) parseWhole(`${bytes}Ki`)
  expect([parseWhole('1Ki'), parseWhole('4999Ki'), parseMilli('1Ki')]).toEqual([1024, 4999 * 1024, 1024_000])
})

const texts = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    fc.stringMatching(/^[0-9]{0,20}$/),
    fc.constantFrom('', '.', '.5', '.000', '.1234567891'),
    fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'e3', 'e-4', 'E21'),
  )
  .map(parts => parts.join(''))
  .filter(text => /[0-9]/.test(text))

test('what is printed reads as the same value', () => {
  fc.assert(
    fc.property(texts, text => {
      const read = quantity(text)
      expect(quantity(formatQuantity(read)).nanos).toBe(read.nanos)
      if (canonicalText(read) !== '9223372036854775807') expect(quantity(canonicalText(read)).nanos).toBe(read.nanos)
      // A binary one without a whole number of Ki has no suffix, and is read as a decimal one then: 187.5Ki, 192000, 192k.
      const again = canonicalText(quantity(canonicalText(read)))
      expect(canonicalText(quantity(again))).toBe(again)
    }),
  )
})

test('a sum less its right side is its left side', () => {
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      expect(subtractQuantities(addQuantities(quantity(a), quantity(b)), quantity(b)).nanos).toBe(quantity(a).nanos)
    }),
  )
})

test('the number forms say what the exact ones say', () => {
  const simple = fc
    .tuple(
      fc.oneof(fc.nat(), fc.maxSafeNat()),
      fc.constantFrom('', 'm', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti', 'u', 'Pi', 'e3'),
    )
    .map(parts => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(simple, texts), text => {
      const [milli, whole] = [milliValue(quantity(text)), wholeValue(quantity(text))]
      const safe = (value: bigint) => Number.isSafeInteger(Number(value))
      if (safe(milli)) expect(parseMilli(text)).toBe(Number(milli))
      else expect(parseMilli(text)).toBe(Number(int64Value(text, 3)))
      if (safe(whole)) expect(parseWhole(text)).toBe(Number(whole))
      else expect(parseWhole(text)).toBe(Number(int64Value(text, 0)))
    }),
    { numRuns: 1_000 },
  )
})
