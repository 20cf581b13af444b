// What selects a pod is found by its labels exactly as by asking each selector.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { labelSelectorOf, type Selector } from './selector.ts'
import { SelectorIndex } from './selector-index.ts'

const keys = ['app', 'tier', 'toString']
const values = ['a', 'b', '']
const key = fc.constantFrom(...keys)
const value = fc.constantFrom(...values)
const expression = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
)
const selector = fc
  .record({ matchLabels: fc.dictionary(key, value, { maxKeys: 2 }), matchExpressions: fc.array(expression, { maxLength: 2 }) })
  .map((given): Selector => {
    const read = labelSelectorOf(given)
    if (!read.ok) throw new Error(read.problem.found)
    return read.value
  })
const place = fc.constantFrom('shop', 'shop2')

test('the same as each selector says, in the order in which they were added', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(place, selector), { maxLength: 12 }),
      place,
      fc.dictionary(key, value, { maxKeys: 3 }),
      (added, where, labels) => {
        const index = new SelectorIndex<number>()
        for (const [at, [namespace, one]] of added.entries()) index.add(namespace, one, at)
        const expected = added.flatMap(([namespace, one], at) => (namespace === where && one.matches(labels) ? [at] : []))
        expect(index.selecting(where, labels)).toEqual(expected)
      },
    ),
  )
})
