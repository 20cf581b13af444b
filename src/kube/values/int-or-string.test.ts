import { describe, expect, test } from 'vitest'
import { parseScaledValue, scaledValue } from './int-or-string.ts'

describe('of a total of 7 (kube-machinery case 18)', () => {
  test.each([
    ['50%', 4, 3],
    ['150%', 11, 10],
    ['-10%', 0, -1],
    ['100%', 7, 7],
    ['0%', 0, 0],
    [3, 3, 3],
    [-1, -1, -1],
  ])('%s is %i up and %i down', (value, up, down) => {
    expect([scaledValue(value, 7, 'up') + 0, scaledValue(value, 7, 'down')]).toEqual([up, down])
  })

  test.each([
    ['50', 'invalid value for IntOrString: invalid type: string is not a percentage'],
    ['', 'invalid value for IntOrString: invalid type: string is not a percentage'],
    ['1.5%', 'invalid value for IntOrString: invalid value "1.5%": strconv.Atoi: parsing "1.5": invalid syntax'],
    ['%', 'invalid value for IntOrString: invalid value "%": strconv.Atoi: parsing "": invalid syntax'],
    [1.5, 'invalid value for IntOrString: invalid type: neither int nor percentage'],
    [null, 'invalid value for IntOrString: invalid type: neither int nor percentage'],
  ])('%j is refused', (value, message) => {
    expect(parseScaledValue(value, 7, 'up', 'spec.minAvailable')).toMatchObject({
      ok: false,
      problem: { code: 'int-or-string-syntax', where: 'spec.minAvailable', message },
    })
  })

  test('29% of 100 is 29 either way', () => {
    expect([scaledValue('29%', 100, 'up'), scaledValue('29%', 100, 'down')]).toEqual([29, 29])
    expect(() => scaledValue('x', 7, 'up')).toThrow('string is not a percentage')
  })
})
