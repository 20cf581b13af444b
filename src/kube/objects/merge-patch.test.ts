import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyMergePatch, mergePatchBetween } from './merge-patch.ts'

describe('applying (RFC 7386 appendix A and beyond)', () => {
  // biome-ignore format: a table
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{}', '{"__proto__":{"polluted":true}}', '{"__proto__":{"polluted":true}}'],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"b":2}}', '{"__proto__":{"a":1,"b":2}}'],
    ['{}', '{"constructor":{"prototype":{"polluted":true}}}', '{"constructor":{"prototype":{"polluted":true}}}'],
  ])('%s with %s', (target, patch, result) => {
    expect(JSON.stringify(applyMergePatch(JSON.parse(target), JSON.parse(patch)))).toBe(result)
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('the patch between two documents', () => {
  test.each([
    ['{"a":1,"b":{"c":2,"d":3}}', '{"b":{"c":2,"d":4},"e":5}', '{"a":null,"b":{"d":4},"e":5}'],
    ['{"a":[1,2]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"a":1}', '{"a":1}', '{}'],
  ])('%s to %s', (before, after, patch) => {
    expect(JSON.stringify(mergePatchBetween(JSON.parse(before), JSON.parse(after)))).toBe(patch)
  })

  test('applied to the one gives the other where no null is in it', () => {
    const tree = fc.letrec<{ tree: unknown; leaf: unknown }>(tie => ({
      leaf: fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer())),
      tree: fc.dictionary(
        fc.constantFrom('a', 'b', '__proto__', 'constructor'),
        fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('tree')),
      ),
    })).tree
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        expect(applyMergePatch(before, mergePatchBetween(before, after))).toEqual(after)
      }),
      { numRuns: 500 },
    )
  })
})
