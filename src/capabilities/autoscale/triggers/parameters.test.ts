import { describe, expect, test } from 'vitest'
import { metricName, milliQuantity, withoutIndex } from './metric-names.ts'
import {
  boolean,
  defaulted,
  duration,
  float,
  type GivenParameters,
  integer,
  integerRanges,
  listOf,
  oneOf,
  optional,
  pairs,
  readParameters,
  required,
  text,
  unknownKeys,
} from './parameters.ts'

const given = (metadata: Record<string, string>, more: Partial<GivenParameters> = {}): GivenParameters => ({
  metadata,
  env: {},
  auth: {},
  ...more,
})
const everywhere = { from: ['metadata', 'env', 'auth'], about: '' } as const

describe('parameters of triggers', () => {
  const table = {
    host: required(text, { ...everywhere, names: ['host', 'address'] }),
    value: defaulted(float, '5', { from: ['metadata'], about: '' }),
    password: optional(integer, { from: ['auth', 'env'], about: '' }),
  }

  test('the first source that says something wins, and blanks say nothing', () => {
    const metadata = { host: ' ', addressFromEnv: 'ADDRESS', value: '1e2' }
    expect(
      readParameters(table, given(metadata, { env: { ADDRESS: 'redis:6379' }, auth: { host: 'other', password: '7' } }), 'x'),
    ).toEqual({
      host: 'redis:6379',
      value: 100,
      password: 7,
    })
    expect(readParameters(table, given({ address: 'a' }), 'x')).toEqual({ host: 'a', value: 5, password: undefined })
  })

  test('all that is wrong is said at once, and what may be a secret is not', () => {
    const wrong = () => readParameters(table, given({ value: 'many' }, { auth: { password: 'hunter2' } }), 'x')
    expect(wrong).toThrow(
      [
        'missing required parameter "host,address" in [triggerMetadata resolvedEnv authParams]',
        'unable to set param "value" value "many": expected a number such as 5 or 0.5',
        'unable to set param "password": expected a whole number such as 5',
      ].join('\n'),
    )
  })

  test("a name that every object has is nobody's", () => {
    expect(() => readParameters({ toString: required(text, everywhere) }, given({}), 'x')).toThrow('missing required parameter')
  })

  test.each<[string, unknown, unknown]>([
    ['duration', duration.read('1500'), 1_500],
    ['duration', duration.read('1.5s'), 1_500],
    ['boolean', boolean.read('T'), true],
    ['boolean', boolean.read('0'), false],
    ['list', listOf(oneOf('a', 'b')).read('a, b'), ['a', 'b']],
    ['pairs', pairs.read('a=1, b = 2'), { a: '1', b: '2' }],
    ['ranges', integerRanges(10).read('1-3,8'), [1, 2, 3, 8]],
  ])('%s is read', (_name, read, expected) => {
    expect(read).toEqual(expected)
  })

  test.each<[string, () => unknown]>([
    ['a negative duration', () => duration.read('-1s')],
    ['a negative number of milliseconds', () => duration.read('-1')],
    ['a word for a duration', () => duration.read('soon')],
    ['a word for a truth', () => boolean.read('yes')],
    ['a number that is none', () => float.read('NaN')],
    ['a number too large', () => float.read('1e999')],
    ['a fraction for a whole', () => integer.read('1.5')],
    ['a leading zero', () => integer.read('05')],
    ['an unknown word', () => oneOf('a', 'b').read('c')],
    ['a pair of three', () => pairs.read('a=b=c')],
    ['a range too long', () => integerRanges(10).read('0-10')],
  ])('%s is refused', (_name, read) => {
    expect(read).toThrow()
  })

  test('what nobody reads is named', () => {
    expect(unknownKeys(table, { host: 'a', addressFromEnv: 'B', valeu: '1' })).toEqual(['valeu'])
  })

  test('names and quantities of metrics', () => {
    expect(metricName(3, 'rabbitmq-a%2Fb')).toBe('s3-rabbitmq-a-2Fb')
    expect(metricName(0, 'a/b.c:d(e)')).toBe('s0-a-b-c-d-e-')
    expect(withoutIndex(3, 's3-x-y')).toBe('x-y')
    expect(withoutIndex(3, 's31-x')).toBeUndefined()
    expect([1e16, -1, Number.NaN, 0.0004, 2.5, 7].map(milliQuantity)).toEqual(['10P', '0', '0', '0', '2500m', '7'])
  })
})
