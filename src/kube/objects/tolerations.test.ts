import { describe, expect, test } from 'vitest'
import { tolerates, untoleratedTaint } from './tolerations.ts'

const noSchedule = 'NoSchedule'

describe('tolerates', () => {
  // biome-ignore format: a table
  test.each([
    ['equal key, value and effect', { key: 'a', operator: 'Equal', value: 'x', effect: noSchedule }, { key: 'a', value: 'x', effect: noSchedule }, true],
    ['another value', { key: 'a', value: 'y' }, { key: 'a', value: 'x', effect: noSchedule }, false],
    ['no operator is Equal', { key: 'a', value: 'x' }, { key: 'a', value: 'x', effect: noSchedule }, true],
    ['no value is the empty one', { key: 'a' }, { key: 'a', effect: noSchedule }, true],
    ['another effect', { key: 'a', operator: 'Exists', effect: 'NoExecute' }, { key: 'a', effect: noSchedule }, false],
    ['no effect is each', { key: 'a', operator: 'Exists' }, { key: 'a', effect: noSchedule }, true],
    ['another key', { key: 'b', operator: 'Exists' }, { key: 'a', effect: noSchedule }, false],
    ['no key with Exists is all', { operator: 'Exists' }, { key: 'a', value: 'x', effect: 'NoExecute' }, true],
    ['no key with Equal compares values', { operator: 'Equal', value: 'x' }, { key: 'a', value: 'x', effect: noSchedule }, true],
    ['an unknown operator', { key: 'a', operator: 'exists' }, { key: 'a', effect: noSchedule }, false],
    ['Lt without the feature', { key: 'a', operator: 'Lt', value: '9' }, { key: 'a', value: '5', effect: noSchedule }, false],
  ])('%s', (_case, toleration, taint, expected) => {
    expect(tolerates(toleration, taint)).toBe(expected)
  })

  // biome-ignore format: a table
  test.each([
    ['Lt', '9', '5', true], ['Lt', '5', '5', false], ['Gt', '5', '9', true], ['Gt', '9', '5', false],
    ['Gt', '-3', '-2', true], ['Gt', '05', '9', false], ['Gt', '1', 'x', false], ['Gt', '1', '9223372036854775808', false],
  ])('with the feature: %s %s on %s: %s', (operator, value, taintValue, expected) => {
    const taint = { key: 'a', value: taintValue, effect: noSchedule }
    expect(tolerates({ key: 'a', operator, value }, taint, { comparisons: true })).toBe(expected)
  })
})

test('the first taint that counts and is not covered is told', () => {
  const taints = [
    { key: 'a', effect: noSchedule },
    { key: 'b', effect: 'PreferNoSchedule' },
    { key: 'c', effect: 'NoExecute' },
  ]
  const tolerations = [{ key: 'a', operator: 'Exists' }]
  expect(untoleratedTaint(tolerations, taints)?.key).toBe('b')
  expect(untoleratedTaint(tolerations, taints, taint => taint.effect !== 'PreferNoSchedule')?.key).toBe('c')
  expect(untoleratedTaint([{ operator: 'Exists' }], taints)).toBeUndefined()
})
