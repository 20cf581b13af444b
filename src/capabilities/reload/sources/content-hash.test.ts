import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { environmentName } from '../rollouts/variable-name.ts'
import { type ContentEntry, exactHashOf, hashContent, tellApart } from './content-hash.ts'
import { reportOf } from './rotation.ts'

const text = (key: string, value: string): ContentEntry => ({ key, value: Buffer.from(value), encoded: false })
const binary = (key: string, value: string): ContentEntry => ({ key, value: Buffer.from(value), encoded: true })

test('binaryData of each length is hashed as its base64 text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), value => {
      const text = Buffer.from(value).toString('base64')
      const plain = hashContent([{ key: 'k', value: Buffer.from(text), encoded: false }])
      expect(hashContent([{ key: 'k', value, encoded: true }]).sha1).toBe(plain.sha1)
    }),
  )
})

describe("upstream's hash", () => {
  test.each<[string, readonly ContentEntry[], string]>([
    ['H1 one key of a ConfigMap', [text('test', 'test')], 'b3cefbcce711f8574b0e66c41fc1dcf06eb5b6db'],
    ['H2 text and binary', [text('test', 'test'), binary('bintest', 'test')], '0d58150de76a895b24f4ca213f590766160c4349'],
    ['H3 binary only', [binary('bintest', 'test')], 'f327fede9d5cda17ab984fabce9eddeee1611a84'],
    ['H4 sorted as entries, not by key', [text('a', '1'), text('a.b', '2')], '499daa6d70eb53ada0bb7346397120ffefcda5c3'],
    ['H5 two keys', [text('key1', 'a'), text('key2', 'b')], '143e78c98aacc993f54275952df46f58301f8d06'],
    ['H5 in the other order', [text('key2', 'b'), text('key1', 'a')], '143e78c98aacc993f54275952df46f58301f8d06'],
    [
      'H6 bytes that are no UTF-8',
      [{ key: 'k', value: Uint8Array.of(0xff, 0xfe), encoded: false }],
      'd03853241fe210379bc6542861050f3b3113949e',
    ],
    ['H7 a Secret', [text('password', 's3cr3t')], 'd93dd00779cd04e2ec1db21fa3d0e20deea13f9c'],
    ['S1 a value that was changed', [text('key', 'value-2')], '8a0e251f3cf965f6b2d11af19178fb20cbc6d403'],
    ['a key called __proto__', [text('__proto__', 'x')], '9fae24e22f353bed700dfcb0bc6c3b33c62efe0f'],
    ['an empty object', [], 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ])('%s', (_, entries, sha1) => {
    expect(hashContent(entries).sha1).toBe(sha1)
  })

  test('H8 what a SecretProviderClassPodStatus mounts', () => {
    const objects = [
      { id: 'a', version: '1' },
      { id: 'b', version: '2' },
    ]
    expect(reportOf('spc', objects).content.sha1).toBe('73c565779153980ce414b32088fc3bb72e89def2')
  })

  test('contents that upstream cannot tell apart differ in the exact hash', () => {
    const one = hashContent([text('a', '1;b=2')])
    const other = hashContent([text('a', '1'), text('b', '2')])
    expect(one.sha1).toBe(other.sha1)
    expect(one.sha1).toMatch(/^f83e99e3/)
    expect(one.exact).not.toBe(other.exact)
  })

  test('text and binary data of one key differ', () => {
    expect(hashContent([text('a', 'dGVzdA==')]).sha1).toBe(hashContent([binary('a', 'test')]).sha1)
    expect(hashContent([text('a', 'dGVzdA==')]).exact).not.toBe(hashContent([binary('a', 'test')]).exact)
  })
})

describe('H9 names of variables', () => {
  test.each([
    ['my-config', 'MY_CONFIG'],
    ['my.app.config', 'MY_APP_CONFIG'],
    ['--a--b..c-', 'A_B_C_'],
    ['9lives', '9LIVES'],
    ['...', ''],
  ])('%s', (name, variable) => {
    expect(environmentName(name)).toBe(variable)
  })
})

describe('the hash written for a content that collides', () => {
  test.each([
    [undefined, 'aa'],
    ['bb', 'aa'],
    ['aa', 'aa-1'],
    ['aa-1', 'aa-2'],
    ['aa-9', 'aa-10'],
    ['aa-x', 'aa-1'],
  ])('beside %s', (written, expected) => {
    expect(tellApart('aa', written)).toBe(expected)
  })
})

const entries = fc.uniqueArray(
  fc.record({ key: fc.string({ minLength: 1, maxLength: 8 }), value: fc.uint8Array({ maxLength: 12 }), encoded: fc.boolean() }),
  { selector: ({ key }) => key, maxLength: 6 },
)

test('the order of the entries is of no matter', () => {
  fc.assert(
    fc.property(
      entries.chain(given => fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }))),
      ([given, shuffled]) => {
        expect(hashContent(shuffled)).toEqual(hashContent(given))
      },
    ),
  )
})

test('contents are equal if and only if their exact hashes are', () => {
  const shown = (given: readonly ContentEntry[]) =>
    given
      .map(({ key, value, encoded }) => JSON.stringify([key, Buffer.from(value).toString('hex'), encoded]))
      .toSorted()
      .join()
  // Few keys and values, so that equal pairs occur.
  const few = fc.uniqueArray(
    fc.record({
      key: fc.constantFrom('a', 'b', 'a=', ';'),
      value: fc.constantFrom('', '1', '1;b=2', ';').map(value => Buffer.from(value)),
      encoded: fc.boolean(),
    }),
    { selector: ({ key }) => key, maxLength: 3 },
  )
  fc.assert(
    fc.property(few, few, (a, b) => {
      expect(hashContent(a).exact === hashContent(b).exact).toBe(shown(a) === shown(b))
    }),
  )
})

test('the hash of the keys that are used changes with these alone', () => {
  const before = hashContent([text('a', '1'), text('b', '1')])
  const after = hashContent([text('a', '1'), text('b', '2')])
  expect(exactHashOf(before, new Set(['a']))).toBe(exactHashOf(after, new Set(['a'])))
  expect(exactHashOf(before, new Set(['a', 'b']))).not.toBe(exactHashOf(after, new Set(['a', 'b'])))
  expect(exactHashOf(before, new Set(['c']))).not.toBe(exactHashOf(hashContent([text('c', '')]), new Set(['c'])))
})

test('the memory that was read from is left as it was, for its owner to wipe', () => {
  const value = Buffer.from('s3cr3t')
  hashContent([{ key: 'password', value, encoded: false }])
  expect(value.toString()).toBe('s3cr3t')
})
