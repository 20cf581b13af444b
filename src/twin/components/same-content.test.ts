import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runsOf } from '#test/runs.ts'
import { isSameContent } from './same-content.ts'
import { canonicalText } from './workloads/pod-template.ts'

// biome-ignore format: a table
test.each<[string, unknown, unknown, boolean]>([
  ['fields in another order', { a: 1, b: [2] }, { b: [2], a: 1 }, true],
  ['a field that is null', { a: null, b: 1 }, { b: 1 }, true],
  ['a field that is not there', { a: 1 }, { a: 1, b: 1 }, false],
  ['as many fields of other names', { a: 1 }, { b: 1 }, false],
  ['a name that all objects have', { constructor: 1 }, {}, false],
  ['a list in another order', [1, 2], [2, 1], false],
  ['a list and an object', [], {}, false],
  ['nothing and null', undefined, null, true],
  ['nothing and an object', undefined, {}, false],
  ['an integer as a bigint', { a: 5n }, { a: 5 }, true],
  ['an integer as text', { a: 5n }, { a: '5' }, false],
])('%s', (_, one, other, expected) => {
  expect(isSameContent(one, other)).toBe(expected)
  expect(isSameContent(other, one)).toBe(expected)
})

test('it is as the texts of both are', () => {
  const tree = fc.jsonValue({ maxDepth: 3 })
  fc.assert(
    fc.property(tree, tree, (one, other) => {
      expect(isSameContent(one, other)).toBe(canonicalText(one) === canonicalText(other))
      expect(isSameContent(one, structuredClone(one))).toBe(true)
    }),
    { numRuns: runsOf(400) },
  )
})
