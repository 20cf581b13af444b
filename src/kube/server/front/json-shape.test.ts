import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonShape } from './json-shape.ts'

const limits = { deepest: 4, mostValues: 10 }

/** What is said of `text`, which comes in pieces of `size` bytes. */
function said(text: string, size = text.length || 1, given = limits): string | undefined {
  const shape = new JsonShape(given)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    const why = shape.next(bytes.subarray(at, at + size))
    if (why !== undefined) return why
  }
  return undefined
}

// biome-ignore format: a table
test.each([
  ['{}',                           undefined],
  [' \n{"a":[{"b":1}]}',           undefined],
  ['{"a":"[[[[[[{{{{,,,,,,,,,,,"}', undefined],
  ['{"a":"\\"[[[[[[{{{{"}',        undefined],
  ['[]',                           'the body is no JSON object'],
  ['xxx',                          'the body is no JSON object'],
  ['{"a":[[[[1]]]]}',              'the body is more than 4 deep'],
  ['{"a":[1,2,3,4,5,6,7,8,9,10]}', 'the body has more than 10 values'],
])('%s: %s', (text, expected) => {
  for (const size of [1, 2, 3, text.length]) expect(said(text, size)).toBe(expected)
})

test('depth and values of any JSON are counted as they are, however it is cut', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.integer({ min: 1, max: 40 }), (value, size) => {
      const depth = depthOf(value)
      const text = JSON.stringify(value)
      expect(said(text, size, { deepest: depth, mostValues: 1_000_000 })).toBeUndefined()
      expect(said(text, size, { deepest: depth - 1, mostValues: 1_000_000 })).toBe(`the body is more than ${depth - 1} deep`)
    }),
  )
})
