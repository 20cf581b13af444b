import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseObjectText } from './object-text.ts'

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const cut = (value: unknown) => parseObjectText(bytes(value), { withoutManagedFields: true })

const entry = { manager: 'kubelet', fieldsV1: { 'f:status': { 'k:{"type":"Ready"}': { '.': {}, 'v:"a]\\"b"': {} } } } }

describe('managed fields are cut out', () => {
  test.each<[string, object, object]>([
    ['at the end', { metadata: { name: 'a', managedFields: [entry] }, spec: {} }, { metadata: { name: 'a' }, spec: {} }],
    ['at the beginning', { metadata: { managedFields: [entry, entry], name: 'a' } }, { metadata: { name: 'a' } }],
    ['alone', { metadata: { managedFields: [] } }, { metadata: {} }],
    ['where there are none', { metadata: { name: 'a' } }, { metadata: { name: 'a' } }],
    ['not what only talks of them', { note: '"managedFields":[' }, { note: '"managedFields":[' }],
    ['not what is no list', { metadata: { managedFields: null } }, { metadata: { managedFields: null } }],
  ])('%s', (_, value, expected) => {
    expect(cut(value)).toEqual(expected)
    expect(parseObjectText(bytes(value))).toEqual(value)
  })

  test('a list in the list is left where it is', () => {
    const value = { metadata: { managedFields: [[1], { a: [] }], name: 'a' } }
    expect(cut(value)).toEqual(value)
  })
})

test('law: what is read is the object without them, whatever its texts say', () => {
  const entries = fc.array(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant({}), fc.integer())), { maxLength: 3 })
  const values = fc.record({ before: fc.jsonValue(), managedFields: entries, after: fc.jsonValue() })
  fc.assert(
    fc.property(values, fc.boolean(), ({ before, managedFields, after }, isLast) => {
      fc.pre(!JSON.stringify([before, after]).includes('"managedFields":['))
      const rest = { before, after }
      const value = isLast ? { ...rest, managedFields } : { before, managedFields, after }
      expect(cut(value)).toEqual(JSON.parse(JSON.stringify(rest)))
    }),
  )
})

test.each([
  ['half a text', '{"a":', SyntaxError],
  ['half a list of managed fields', '{"metadata":{"managedFields":[{"a":1}', SyntaxError],
  ['bytes that are no UTF-8', '\xff', TypeError],
])('%s is refused', (_, text, error) => {
  expect(() => parseObjectText(Buffer.from(text, 'latin1'), { withoutManagedFields: true })).toThrow(error)
})
