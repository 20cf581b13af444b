import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDocuments, readJsonItem } from './documents.ts'
import { type JsonItem, JsonItems } from './json-items.ts'

/** The items of a text that comes in chunks of the sizes given, over and over. */
function itemsOf(text: string, sizes: readonly number[] = [7]): readonly JsonItem[] {
  const bytes = Buffer.from(text)
  const items = new JsonItems()
  const found: JsonItem[] = []
  // One buffer for all chunks: what is kept has to be a copy.
  const chunk = Buffer.alloc(Math.max(...sizes))
  for (let at = 0, count = 0; at < bytes.length; count++) {
    const size = Math.min(sizes[count % sizes.length] ?? 1, bytes.length - at)
    bytes.copy(chunk, 0, at, at + size)
    found.push(...items.read(chunk.subarray(0, size)))
    at += size
  }
  return [...found, ...items.end()]
}

const valuesOf = (text: string) => itemsOf(text).map(item => item.problem ?? item.value)

const object = fc.record({
  apiVersion: fc.constantFrom('v1', 'apps/v1'),
  kind: fc.constantFrom('Pod', 'Deployment'),
  metadata: fc.record({
    name: fc.string({ unit: 'grapheme' }),
    labels: fc.dictionary(fc.string(), fc.constantFrom('a', '[', '{"', '\\"', '}]')),
  }),
  items: fc.option(fc.array(fc.nat(), { maxLength: 2 }), { nil: undefined }),
})
const list = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('List'),
  items: fc.array(object, { maxLength: 5 }),
  metadata: fc.constant({ resourceVersion: '', items: [] }),
})

describe('items of JSON in chunks', () => {
  test('are those that the whole text has', () => {
    fc.assert(
      fc.property(
        fc.array(list, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(undefined, 2),
        (lists, sizes, indent) => {
          const text = lists.map(one => JSON.stringify(one, null, indent)).join('\n')
          const streamed = itemsOf(text, sizes).map(item => readJsonItem('f', item))
          expect(streamed.flatMap(read => read.problems)).toEqual([])
          expect(streamed.flatMap(read => read.objects)).toEqual(readDocuments('f', text).objects)
        },
      ),
    )
  })

  test.each([
    ['one object', '{"kind":"Pod","a":[1,{"b":2}]}', [{ kind: 'Pod', a: [1, { b: 2 }] }]],
    ['an array', ' [{"a":1}, {"b":[2]}] ', [{ a: 1 }, { b: [2] }]],
    ['kind behind the items', '{"items":[{"a":1}],"kind":"List"}', [{ a: 1 }]],
    ['no items', '{"kind":"PodList","items":[]}', []],
    ['a mark at the beginning', '\ufeff{"items":[{"a":1}]}', [{ a: 1 }]],
    ['several documents', '{"items":[{"a":1}]}{"b":2}\n[{"c":3}]', [{ a: 1 }, { b: 2 }, { c: 3 }]],
    ['items of something inside', '{"kind":"Pod","spec":{"items":[{"a":1}]}}', [{ kind: 'Pod', spec: { items: [{ a: 1 }] } }]],
    ['the name items as a value', '{"kind":"items","x":{},"items":[{"a":"]"}]}', [{ a: ']' }]],
  ])('of %s', (_what, text, values) => {
    expect(valuesOf(text)).toEqual(values)
  })

  test('have the kind of their list where they do not say', () => {
    const [item] = itemsOf('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}')
    expect(item === undefined ? [] : readJsonItem('dump.json', item).objects).toEqual([
      { object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }, where: 'dump.json: document 1: items[0]' },
    ])
  })

  test.each([
    ['a broken item does not spoil the next', '{"items":[{"a":1},{"a":},{"b":2}]}', 'dump.json: document 1: items[1]', 2],
    ['the end is missing', '{"items":[{"a":1},{"b":', 'dump.json: document 1: items[1]', 1],
    ['the end is missing before any item', '{"kind":"List"', 'dump.json: document 1', 0],
  ])('%s', (_what, text, where, good) => {
    const read = itemsOf(text).map(item => readJsonItem('dump.json', item))
    expect(read.flatMap(({ objects }) => objects)).toHaveLength(good)
    expect(read.flatMap(({ problems }) => problems)).toMatchObject([{ code: 'json-syntax', where }])
  })
})
