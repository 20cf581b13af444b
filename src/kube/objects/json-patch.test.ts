import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applyJsonPatch,
  type JsonPatchOperation,
  jsonPatchBetween,
  pointerOf,
  pointerSteps,
  readJsonPatch,
} from './json-patch.ts'

/** The document after the patch given as JSON texts, or the words of the refusal. */
function patched(document: string, patch: string): unknown {
  const operations = readJsonPatch(JSON.parse(patch))
  if (!operations.ok) return operations.problem.expected
  const applied = applyJsonPatch(JSON.parse(document), operations.value)
  return applied.ok ? JSON.stringify(applied.value) : `${applied.problem.where}: ${applied.problem.expected}`
}

describe('applying (RFC 6902 appendix A and beyond)', () => {
  // biome-ignore format: a table
  test.each([
    ['adds a member', '{"foo":"bar"}', '[{"op":"add","path":"/baz","value":"qux"}]', '{"foo":"bar","baz":"qux"}'],
    ['adds an element', '{"foo":["bar","baz"]}', '[{"op":"add","path":"/foo/1","value":"qux"}]', '{"foo":["bar","qux","baz"]}'],
    ['adds at the end', '{"foo":["bar"]}', '[{"op":"add","path":"/foo/-","value":["abc"]}]', '{"foo":["bar",["abc"]]}'],
    ['removes a member', '{"baz":"qux","foo":"bar"}', '[{"op":"remove","path":"/baz"}]', '{"foo":"bar"}'],
    ['removes an element', '{"foo":["bar","qux","baz"]}', '[{"op":"remove","path":"/foo/1"}]', '{"foo":["bar","baz"]}'],
    ['replaces', '{"baz":"qux"}', '[{"op":"replace","path":"/baz","value":"boo"}]', '{"baz":"boo"}'],
    ['replaces the whole', '{"baz":"qux"}', '[{"op":"replace","path":"","value":[1]}]', '[1]'],
    ['moves', '{"foo":{"bar":"baz","waldo":"fred"},"qux":{}}', '[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]', '{"foo":{"bar":"baz"},"qux":{"thud":"fred"}}'],
    ['moves an element', '{"foo":["all","grass","cows","eat"]}', '[{"op":"move","from":"/foo/1","path":"/foo/3"}]', '{"foo":["all","cows","eat","grass"]}'],
    ['copies', '{"a":{"b":1}}', '[{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b","value":2}]', '{"a":{"b":1},"c":{"b":2}}'],
    ['tests', '{"baz":"qux","foo":["a",2]}', '[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]', '{"baz":"qux","foo":["a",2]}'],
    ['tests objects whatever their order', '{"a":{"x":1,"y":2}}', '[{"op":"test","path":"/a","value":{"y":2,"x":1}}]', '{"a":{"x":1,"y":2}}'],
    ['reads ~01 as ~1', '{"/":9,"~1":10}', '[{"op":"test","path":"/~01","value":10}]', '{"/":9,"~1":10}'],
    ['sets null', '{"foo":null}', '[{"op":"replace","path":"/foo","value":null}]', '{"foo":null}'],
    ['takes __proto__ as data', '{}', '[{"op":"add","path":"/__proto__","value":{"polluted":true}}]', '{"__proto__":{"polluted":true}}'],
    ['takes constructor as data', '{}', '[{"op":"add","path":"/constructor","value":{}},{"op":"add","path":"/constructor/prototype","value":1}]', '{"constructor":{"prototype":1}}'],
    ['removes __proto__', '{"__proto__":1,"a":2}', '[{"op":"remove","path":"/__proto__"}]', '{"a":2}'],
    ['keeps __proto__ beside a removal', '{"__proto__":{"x":1},"a":2}', '[{"op":"remove","path":"/a"}]', '{"__proto__":{"x":1}}'],
  ])('%s', (_case, document, patch, result) => {
    expect(patched(document, patch)).toBe(result)
    expect({}).not.toHaveProperty('polluted')
  })

  // biome-ignore format: a table
  test.each([
    ['a missing parent', '{"foo":"bar"}', '[{"op":"add","path":"/baz/bat","value":"qux"}]', 'patch[0]: a document that has the key "baz"'],
    ['a member nobody set', '{}', '[{"op":"remove","path":"/toString"}]', 'patch[0]: a document that has the key "toString"'],
    ['the prototype as a place', '{}', '[{"op":"add","path":"/__proto__/polluted","value":true}]', 'patch[0]: a document that has the key "__proto__"'],
    ['an index too far', '{"a":[1]}', '[{"op":"add","path":"/a/2","value":1}]', 'patch[0]: an index within a list of 1, not "2"'],
    ['an index with a zero before', '{"a":[1,2]}', '[{"op":"remove","path":"/a/01"}]', 'patch[0]: an index within a list of 2, not "01"'],
    ['a negative index', '{"a":[1,2]}', '[{"op":"remove","path":"/a/-1"}]', 'patch[0]: an index within a list of 2, not "-1"'],
    ['- where nothing is added', '{"a":[1,2]}', '[{"op":"remove","path":"/a/-"}]', 'patch[0]: an index within a list of 2, not "-"'],
    ['a failing test', '{"a":"10"}', '[{"op":"test","path":"/a","value":10}]', 'patch[0]: the value tested for'],
    ['a place in a text', '{"a":"x"}', '[{"op":"add","path":"/a/b","value":1}]', 'patch[0]: an object or list that has "b"'],
    ['a move into itself', '{"a":{"b":1}}', '[{"op":"move","from":"/a","path":"/a/b/c"}]', 'patch[0]: a path outside of what is moved'],
    ['the second of two', '{"a":1}', '[{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}]', 'patch[1]: a document that has the key "a"'],
    ['an unknown op', '{}', '[{"op":"frob","path":"/a"}]', 'op to be one of add, remove, replace, move, copy, test'],
    ['no value', '{}', '[{"op":"add","path":"/a"}]', 'a value'],
    ['no path', '{}', '[{"op":"add","value":1}]', 'a path that is empty or begins with /'],
    ['a bad escape', '{}', '[{"op":"add","path":"/~2","value":1}]', 'a path that is empty or begins with /'],
    ['no from', '{}', '[{"op":"copy","path":"/a"}]', 'a from that is empty or begins with /'],
    ['no list', '{}', '{}', 'a list of operations'],
  ])('refuses %s', (_case, document, patch, message) => {
    expect(patched(document, patch)).toBe(message)
  })

  test('a test for null holds where just the key is absent, as API servers have it', () => {
    expect(patched('{"a":{}}', '[{"op":"test","path":"/a/b","value":null},{"op":"add","path":"/a/b","value":1}]')).toBe(
      '{"a":{"b":1}}',
    )
    expect(patched('{}', '[{"op":"test","path":"/a/b","value":null}]')).toBe('patch[0]: a document that has the key "a"')
    expect(patched('{"a":{"b":1}}', '[{"op":"test","path":"/a/b","value":null}]')).toBe('patch[0]: the value tested for')
  })

  test('changes nothing it was given', () => {
    const document = Object.freeze({ a: Object.freeze([Object.freeze({ b: 1 })]), c: Object.freeze({}) })
    const applied = applyJsonPatch(document, [{ op: 'replace', path: '/a/0/b', value: 2 }])
    expect(applied).toEqual({ ok: true, value: { a: [{ b: 2 }], c: {} } })
    expect(document.a[0]?.b).toBe(1)
  })

  test('refuses a patch that doubles the document without end', () => {
    const doubling = Array.from({ length: 60 }, () => ({ op: 'copy', from: '', path: '/a/-' }) as const)
    expect(applyJsonPatch({ a: ['x'.repeat(100)] }, doubling)).toMatchObject({
      ok: false,
      problem: { code: 'json-patch-does-not-apply' },
    })
  })

  test('refuses more operations than the API server does', () => {
    const many: JsonPatchOperation[] = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: {} }))
    expect(readJsonPatch(many)).toMatchObject({ ok: false, problem: { expected: 'at most 10000 operations' } })
  })
})

test('pointers', () => {
  expect(pointerSteps('/a~1b/~0/0/')).toEqual(['a/b', '~', '0', ''])
  expect(pointerOf(['a/b', '~', 0, ''])).toBe('/a~1b/~0/0/')
  expect(pointerSteps('')).toEqual([])
})

describe('the patch between two documents', () => {
  test.each([
    ['{"a":1}', '{"a":1}', '[]'],
    ['{"a":1}', '{"a":2}', '[{"op":"replace","path":"/a","value":2}]'],
    ['{"a":1,"b":2}', '{"c":3,"a":1}', '[{"op":"remove","path":"/b"},{"op":"add","path":"/c","value":3}]'],
    ['{"l":[1,2,3]}', '{"l":[1,3]}', '[{"op":"remove","path":"/l/1"}]'],
    ['{"l":[1,3]}', '{"l":[1,2,3]}', '[{"op":"add","path":"/l/1","value":2}]'],
    [
      '{"l":[{"n":"a","v":1}]}',
      '{"l":[{"n":"a","v":2},{"n":"b"}]}',
      '[{"op":"replace","path":"/l/0/v","value":2},{"op":"add","path":"/l/1","value":{"n":"b"}}]',
    ],
    ['{"a":{}}', '{"a":[]}', '[{"op":"replace","path":"/a","value":[]}]'],
    ['{"a":null}', '{}', '[{"op":"remove","path":"/a"}]'],
    ['{}', '{"__proto__":{"x":1}}', '[{"op":"add","path":"/__proto__","value":{"x":1}}]'],
  ])('%s to %s', (before, after, patch) => {
    expect(JSON.stringify(jsonPatchBetween(JSON.parse(before), JSON.parse(after)))).toBe(patch)
  })

  const document = fc.jsonValue({ maxDepth: 4 }).map(value => JSON.parse(JSON.stringify(value)))

  test('applied to the one gives the other', () => {
    fc.assert(
      fc.property(document, document, (before, after) => {
        expect(applyJsonPatch(before, jsonPatchBetween(before, after))).toEqual({ ok: true, value: after })
      }),
      { numRuns: 500 },
    )
  })

  test('of lists that share parts too', () => {
    const list = fc.array(fc.constantFrom<unknown>(1, 2, { a: 1 }, { a: 2 }, [1], null), { maxLength: 8 })
    fc.assert(
      fc.property(list, list, (before, after) => {
        expect(applyJsonPatch({ l: before }, jsonPatchBetween({ l: before }, { l: after }))).toEqual({
          ok: true,
          value: { l: after },
        })
      }),
      { numRuns: 500 },
    )
  })
})
