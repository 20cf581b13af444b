import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRegistry, isRepository, isTag, parseDigest } from '../reference.ts'
import { longestTarget, readRequest } from './request.ts'

const hex = '84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882'
const digest = `sha256:${hex}`
const get = (target: string, headers: Record<string, string> = {}) => readRequest({ method: 'GET', target, headers })

describe('what is asked', () => {
  // biome-ignore format: a table
  test.each([
    ['/v2/acme/app/manifests/v2?ns=ghcr.io', { route: 'manifests', registry: 'ghcr.io', repository: 'acme/app', tag: 'v2' }],
    ['/v2/acme/app/manifests/v2?ns=registry.test%3A5000', { route: 'manifests', registry: 'registry.test:5000', repository: 'acme/app', tag: 'v2' }],
    [`/v2/acme/app/blobs/${digest}?ns=x.io`, { route: 'blobs', registry: 'x.io', repository: 'acme/app', digest }],
    [`/v2/acme/app/blobs/${digest}`, { route: 'blobs', registry: '', repository: 'acme/app', digest }],
    [`/v2/acme/app/blobs/sha256%3A${hex}`, { route: 'blobs', registry: '', repository: 'acme/app', digest }],
    [`/v2/a/manifests/${digest}?ns=[fd00::7]:5000`, { route: 'manifests', registry: '[fd00::7]:5000', repository: 'a', digest }],
    [`/v2/a/manifests/blobs/blobs/${digest}`, { route: 'blobs', registry: '', repository: 'a/manifests/blobs', digest }],
    ['/v2/a/manifests/v1?x=1&ns=a.io&ns=b.io', { route: 'manifests', registry: 'a.io', repository: 'a', tag: 'v1' }],
  ])('%s', (target, asked) => expect(get(target)).toEqual({ kind: 'content', method: 'GET', ...asked }))

  test.each(['/v2', '/v2/', '//v2//', '/v2/.', '/v2?ns=x'])('%s is a ping', target =>
    expect(get(target)).toEqual({ kind: 'ping' }),
  )

  test('a range counts for GET of a blob alone', () => {
    const range = { range: 'bytes=2-5' }
    const of = (method: string, target: string, headers: Record<string, string>) => readRequest({ method, target, headers })
    expect(of('GET', `/v2/a/blobs/${digest}`, range)).toMatchObject({ range: { start: 2, end: 5 } })
    expect(of('HEAD', `/v2/a/blobs/${digest}`, range)).not.toHaveProperty('range')
    expect(of('GET', `/v2/a/manifests/${digest}`, range)).not.toHaveProperty('range')
    expect(of('GET', `/v2/a/blobs/${digest}`, { ...range, 'if-range': '"x"' })).not.toHaveProperty('range')
  })
})

describe('what is refused', () => {
  // biome-ignore format: a table
  test.each([
    ['case 7: a tag without ns', '/v2/acme/app/manifests/v2', 'NAME_INVALID'],
    ['an empty ns', '/v2/acme/app/manifests/v2?ns=', 'NAME_INVALID'],
    ['a path as ns', '/v2/a/manifests/v2?ns=ghcr.io%2F..%2Fetc', 'NAME_INVALID'],
    ['dots as ns', '/v2/a/manifests/v2?ns=..', 'NAME_INVALID'],
    ['a line break in ns', '/v2/a/manifests/v2?ns=ghcr.io%0D%0AHost:%20x', 'NAME_INVALID'],
    ['a zero byte in ns', '/v2/a/manifests/v2?ns=ghcr.io%00', 'NAME_INVALID'],
    ['a user in ns', '/v2/a/manifests/v2?ns=u:p@ghcr.io', 'NAME_INVALID'],
    ['a long ns', `/v2/a/manifests/v2?ns=${'a'.repeat(256)}`, 'NAME_INVALID'],
    ['a bad ns with a digest', `/v2/a/blobs/${digest}?ns=a/b`, 'NAME_INVALID'],
    ['an upper-case name', '/v2/Acme/manifests/v2?ns=x.io', 'NAME_INVALID'],
    ['a name that climbs', '/v2/../etc/manifests/v2?ns=x.io', 'NAME_INVALID'],
    ['a name with an empty step', '/v2/a//b/manifests/v2?ns=x.io', 'NAME_INVALID'],
    ['a long tag', `/v2/a/manifests/${'t'.repeat(129)}?ns=x.io`, 'NAME_INVALID'],
    ['a tag with a space', '/v2/a/manifests/a%20b?ns=x.io', 'NAME_INVALID'],
    ['a half escape', '/v2/a/manifests/%E0%A4%A?ns=x.io', 'NAME_INVALID'],
    ['no route', '/v2/a/tags/list?ns=x.io', 'NAME_INVALID'],
    ['a tag as a blob', '/v2/a/blobs/v1?ns=x.io', 'DIGEST_INVALID'],
    ['upper-case hex', `/v2/a/blobs/sha256:${hex.toUpperCase()}`, 'DIGEST_INVALID'],
    ['a short digest', `/v2/a/blobs/sha256:${hex.slice(1)}`, 'DIGEST_INVALID'],
    ['another algorithm', `/v2/a/blobs/md5:${hex.slice(32)}`, 'DIGEST_INVALID'],
    ['a length of another', `/v2/a/blobs/sha512:${hex}`, 'DIGEST_INVALID'],
    ['a digest that climbs', '/v2/a/blobs/sha256:../../../etc/passwd', 'DIGEST_INVALID'],
    ['the same, escaped', '/v2/a/blobs/sha256:..%2F..%2Fetc%2Fpasswd', 'DIGEST_INVALID'],
    ['a digest and more', `/v2/a/manifests/${digest}x`, 'DIGEST_INVALID'],
    ['a line break after it', `/v2/a/blobs/${digest}%0A`, 'DIGEST_INVALID'],
  ])('%s', (_case, target, code) => expect(get(target)).toMatchObject({ kind: 'invalid', code }))

  test('other methods below /v2/, and other paths', () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
      expect(readRequest({ method, target: '/v2/a/blobs/uploads/', headers: {} })).toEqual({ kind: 'method' })
    for (const target of ['/', '/v1/', '/v2x', '/etc/passwd', 'http://169.254.169.254/latest', '*', ''])
      expect(get(target)).toEqual({ kind: 'elsewhere' })
  })

  test('a target that is too long, and a body where none belongs', () => {
    expect(get(`/v2/${'a'.repeat(longestTarget)}`)).toMatchObject({ kind: 'refused', status: 431 })
    expect(get('/v2/', { 'content-length': '5' })).toMatchObject({ kind: 'refused', status: 400 })
    expect(get('/v2/', { 'transfer-encoding': 'chunked' })).toMatchObject({ kind: 'refused', status: 400 })
    expect(get('/v2/', { 'content-length': '0' })).toEqual({ kind: 'ping' })
  })
})

test('whatever comes: it does not throw, and what is let through has been checked', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'v2',
      'manifests',
      'blobs',
      '..',
      '.',
      '',
      'acme',
      'v1',
      digest,
      'sha256:',
      '%2F',
      '%00',
      '%',
      '?ns=',
      '&',
      '=',
      'ghcr.io',
      '\\',
      ' ',
    ),
    fc.string({ maxLength: 12 }),
  )
  const target = fc.array(part, { maxLength: 12 }).chain(parts => fc.constantFrom('/', '').map(join => `/v2/${parts.join(join)}`))
  fc.assert(
    fc.property(target, fc.constantFrom('GET', 'HEAD', 'PUT'), fc.string(), (text, method, range) => {
      const asked = readRequest({ method, target: text, headers: { range } })
      if (asked.kind !== 'content') return
      expect(isRepository(asked.repository)).toBe(true)
      expect(asked.registry === '' || isRegistry(asked.registry)).toBe(true)
      if (asked.digest !== undefined) expect(parseDigest(asked.digest)).toBe(asked.digest)
      if (asked.tag !== undefined) expect(isTag(asked.tag) && asked.registry !== '').toBe(true)
      expect(asked.digest === undefined).toBe(asked.tag !== undefined)
    }),
    { numRuns: 3_000 },
  )
})
