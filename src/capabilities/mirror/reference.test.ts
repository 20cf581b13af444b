import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRegistry, isRepository, isTag, parseDigest, parseImageName, partsOfDigest, tagKey } from './reference.ts'

const hex = (length: number) => 'a1'.repeat(length / 2)

// biome-ignore format: a table
test.each([
  [`sha256:${hex(64)}`, true],
  [`sha384:${hex(96)}`, true],
  [`sha512:${hex(128)}`, true],
  [`sha256:${hex(62)}`, false],
  [`sha256:${hex(66)}`, false],
  [`SHA256:${hex(64)}`, false],
  [`sha256:${hex(64).toUpperCase()}`, false],
  [`sha256:${hex(64)}\n`, false],
  [`sha512:${hex(64)}`, false],
  [`md5:${hex(32)}`, false],
  [`sha256:../../${hex(58)}`, false],
  ['', false],
])('%j is a digest: %s', (text, is) => expect(parseDigest(text) === text).toBe(is))

test('a digest in parts', () => {
  const digest = parseDigest(`sha512:${hex(128)}`)
  expect(digest && partsOfDigest(digest)).toEqual({ algorithm: 'sha512', hex: hex(128) })
})

describe('names', () => {
  // biome-ignore format: a table
  test.each([
    ['a', true], ['library/busybox', true], ['a.b_c__d-e---f/g', true], ['a/b/c/d', true],
    ['', false], ['A', false], ['a/', false], ['/a', false], ['a//b', false], ['a..b', false], ['a___b', false], ['-a', false], ['a-', false],
    ['..', false], ['a/../b', false], ['a'.repeat(256), false], ['a\n', false],
  ])('repository %j: %s', (text, is) => expect(isRepository(text)).toBe(is))

  // biome-ignore format: a table
  test.each([
    ['latest', true], ['_x', true], ['1.2-3_4', true], ['t'.repeat(128), true],
    ['', false], ['.x', false], ['-x', false], ['t'.repeat(129), false], ['a b', false], ['a:b', false], ['a/b', false],
  ])('tag %j: %s', (text, is) => expect(isTag(text)).toBe(is))

  // biome-ignore format: a table
  test.each([
    ['docker.io', true], ['localhost', true], ['registry.test:5000', true], ['10.0.0.7:5000', true], ['[fd00::7]:5000', true],
    ['', false], ['..', false], ['a/b', false], ['u@h', false], ['h:', false], ['h:123456', false], ['a b', false], ['a\n', false], ['-a', false],
    ['a'.repeat(256), false],
  ])('registry %j: %s', (text, is) => expect(isRegistry(text)).toBe(is))

  // biome-ignore format: a table
  test.each([
    ['docker.io/library/busybox:1.37.0', { registry: 'docker.io', repository: 'library/busybox', tag: '1.37.0' }],
    ['registry.test:5000/acme/app:v1', { registry: 'registry.test:5000', repository: 'acme/app', tag: 'v1' }],
    [`r.io/a@sha256:${hex(64)}`, { registry: 'r.io', repository: 'a', digest: `sha256:${hex(64)}` }],
    [`r.io/a:v1@sha256:${hex(64)}`, { registry: 'r.io', repository: 'a', tag: 'v1', digest: `sha256:${hex(64)}` }],
    ['r.io/a', undefined],
    ['busybox:1', undefined],
    [`sha256:${hex(64)}`, undefined],
    [`r.io/a@sha256:${hex(64)}@x`, undefined],
    ['r.io/a@b', undefined],
    ['r.io/A:v1', undefined],
    ['/a:v1', undefined],
  ])('image %s', (text, image) => expect(parseImageName(text)).toEqual(image))
})

test('a name that is read is written the same again', () => {
  const step = fc.stringMatching(/^[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?$/)
  const image = fc.record({
    registry: fc.constantFrom('docker.io', 'registry.test:5000', '[fd00::7]:5000'),
    repository: fc.array(step, { minLength: 1, maxLength: 4 }).map(steps => steps.join('/')),
    tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/),
  })
  fc.assert(
    fc.property(image, one => {
      expect(parseImageName(tagKey(one))).toEqual(one)
    }),
  )
  fc.assert(fc.property(fc.string(), text => void parseImageName(text)))
})
