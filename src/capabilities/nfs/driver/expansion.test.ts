import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expansionProblem, unlimited } from './expansion.ts'

const facts = { required: 100n, granted: 40n, available: undefined, namespace: undefined }

// biome-ignore format: a table
test.each([
  ['nothing is said',                        unlimited,                                      {},                                              undefined],
  ['there is room for what is added',        { ...unlimited, needsRoom: true },              { available: 60n },                              undefined],
  ['there is none',                          { ...unlimited, needsRoom: true },              { available: 59n },                              '60 bytes are added, and its share has 59 left'],
  ['nobody knows what it had',               { ...unlimited, needsRoom: true },              { available: 99n, granted: undefined },          '100 bytes are added, and its share has 99 left'],
  ['it has as much already',                 { needsRoom: true, mostPerNamespace: 1n },      { available: 0n, granted: 100n, namespace: { name: 'a', others: 50n } }, undefined],
  ['the namespace may have so much',         { ...unlimited, mostPerNamespace: 150n },       { namespace: { name: 'a', others: 50n } },       undefined],
  ['the namespace would have more',          { ...unlimited, mostPerNamespace: 149n },       { namespace: { name: 'a', others: 50n } },       'the volumes of namespace a would have 150 bytes, 149 are allowed'],
  ['it is in no namespace',                  { ...unlimited, mostPerNamespace: 1n },         {},                                              undefined],
] as const)('%s', (_name, limits, more, expected) => {
  const problem = expansionProblem(limits, { ...facts, ...more })
  if (expected === undefined) expect(problem).toBeUndefined()
  else expect(problem).toContain(expected)
})

test('what is granted never takes a namespace beyond what it may have', () => {
  const asked = fc.record({ at: fc.nat(3), bytes: fc.bigInt({ min: 0n, max: 100n }) })
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 20 }), fc.bigInt({ min: 0n, max: 250n }), (all, mostPerNamespace) => {
      const granted = [0n, 0n, 0n, 0n]
      for (const { at, bytes: required } of all) {
        const others = granted.reduce((sum, bytes, index) => (index === at ? sum : sum + bytes), 0n)
        const namespace = { name: 'a', others }
        const limits = { needsRoom: false, mostPerNamespace }
        if (
          expansionProblem(limits, { ...facts, granted: granted[at], required, namespace }) === undefined &&
          required > (granted[at] ?? 0n)
        )
          granted[at] = required
        expect(granted.reduce((sum, bytes) => sum + bytes, 0n) <= mostPerNamespace).toBe(true)
      }
    }),
  )
})
