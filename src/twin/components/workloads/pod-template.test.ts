import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalText, templateHash, templateText } from './pod-template.ts'

const template = (labels: Record<string, string>, image = 'nginx') => ({
  metadata: { labels },
  spec: { containers: [{ name: 'a', image }] },
})

// biome-ignore format: a table
test.each([
  ['the hash label does not count', template({ app: 'a', 'pod-template-hash': 'x' }), template({ app: 'a' }), true],
  ['a null creationTimestamp does not count', { ...template({ app: 'a' }), metadata: { labels: { app: 'a' }, creationTimestamp: undefined as never } }, template({ app: 'a' }), true],
  ['another image is another template', template({ app: 'a' }), template({ app: 'a' }, 'redis'), false],
  ['another label is another template', template({ app: 'a' }), template({ app: 'b' }), false],
])('%s', (_, one, other, same) => {
  expect(templateText(one) === templateText(other)).toBe(same)
})

test('the order of keys makes no difference to the canonical text', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), object => {
      const reversed = Object.fromEntries(Object.entries(object).reverse())
      expect(canonicalText(reversed)).toBe(canonicalText(object))
    }),
  )
})

test('hashes are made of characters that form no words, and a collision count changes them', () => {
  const text = templateText(template({ app: 'a' }))
  expect(templateHash(text, 0)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/)
  expect(templateHash(text, 1)).not.toBe(templateHash(text, 0))
})
