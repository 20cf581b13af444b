import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeSampleOf, podSampleOf } from './metrics-objects.ts'

const usage = { cpu: '250m', memory: '1Gi' }

test('a whole sample is taken, with cpu and memory alone', () => {
  expect(nodeSampleOf({ metadata: { name: 'n1' }, usage: { ...usage, 'example.com/gpu': '1' } })).toEqual({ node: 'n1', usage })
  expect(podSampleOf({ metadata: { name: 'a', namespace: 'x' }, containers: [{ name: 'c', usage }] })).toEqual({
    key: 'x/a',
    reading: { containers: [{ name: 'c', usage }] },
  })
})

test.each([
  ['no memory', { cpu: '1' }],
  ['no cpu', { memory: '1' }],
  ['a quantity that is none', { cpu: '1', memory: 'much' }],
  ['a negative one', { cpu: '-1', memory: '1' }],
  ['one that is too large', { cpu: '1e90', memory: '1' }],
  ['another type', { cpu: true, memory: '1' }],
  ['no usage', undefined],
])('%s: the node was not sampled, which is not 0', (_, broken) => {
  expect(nodeSampleOf({ metadata: { name: 'n1' }, usage: broken })).toBeUndefined()
  expect(podSampleOf({ metadata: { name: 'a', namespace: 'x' }, containers: [{ name: 'c', usage: broken }] })).toEqual({
    key: 'x/a',
    reading: { problem: 'container "c" has no cpu and memory that are quantities' },
  })
})

test('whatever is sent, nothing is thrown', () => {
  const names = fc.constantFrom('metadata', 'name', 'namespace', 'usage', 'containers', 'cpu', 'memory', '__proto__')
  const values = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.double(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(names, tie('value'), { maxKeys: 5 }),
    ),
  })).value
  fc.assert(
    fc.property(values, value => {
      nodeSampleOf(value)
      podSampleOf(value)
    }),
  )
})
