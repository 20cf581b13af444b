import { describe, expect, test } from 'vitest'
import { foreignOrigin, hostNameOf, isCrossSite, isLinkedFromElsewhere, isOurHost } from './origins.ts'

const allowed = ['localhost', '127.0.0.1', '::1']

describe('Host', () => {
  test.each([
    ['localhost', true],
    ['LOCALHOST:8080', true],
    ['127.0.0.1:8080', true],
    ['[::1]:8080', true],
    ['[::1]', true],
    ['evil.test', false],
    ['evil.test:8080', false],
    ['localhost.evil.test', false],
    ['localhost@evil.test', false],
    ['evil.test/localhost', false],
    ['127.0.0.1:8080:8080', false],
    ['localhost:', false],
    ['', false],
    [undefined, false],
  ])('%s is ours: %s', (host, is) => expect(isOurHost(host, allowed)).toBe(is))

  test('has no name where it is none', () => expect(hostNameOf('a b')).toBeUndefined())
})

describe('Origin of a write', () => {
  const own = { isSecure: false, allowedHosts: allowed, isBehindProxy: false }
  test.each([
    [{ host: 'localhost:8080', origin: 'http://localhost:8080' }, undefined],
    [{ host: 'localhost', origin: 'http://localhost' }, undefined],
    [{ host: 'localhost:80', origin: 'http://localhost' }, undefined],
    [{ host: 'localhost:8080', origin: 'https://localhost:8080' }, 'another origin'],
    [{ host: 'localhost:8080', origin: 'http://localhost:8081' }, 'another origin'],
    [{ host: 'localhost:8080', origin: 'http://127.0.0.1:8080' }, 'another origin'],
    [{ host: 'localhost:8080', origin: 'http://evil.test' }, 'another origin'],
    [{ host: 'localhost:8080', origin: 'null' }, 'an Origin that is none'],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080/' }, 'an Origin that is none'],
    [{ host: 'localhost:8080' }, 'no Origin'],
  ])('%j', (headers, because) => expect(foreignOrigin(headers, own)).toBe(because))

  test.each([
    [{ host: '127.0.0.1:8080', origin: 'https://ballast.example.org' }, undefined],
    [{ host: '127.0.0.1:8080', origin: 'https://evil.test' }, 'another origin'],
  ])('behind a proxy, whose name and scheme differ: %j', (headers, because) =>
    expect(foreignOrigin(headers, { ...own, allowedHosts: ['ballast.example.org'], isBehindProxy: true })).toBe(because),
  )
})

test.each([
  [undefined, false, false],
  ['same-origin', false, false],
  ['same-origin', true, false],
  ['none', false, false],
  ['none', true, true],
  ['same-site', false, true],
  ['cross-site', false, true],
  ['anything', false, true],
])('Sec-Fetch-Site %s of a write %s is foreign: %s', (site, isWrite, is) =>
  expect(isCrossSite(site === undefined ? {} : { 'sec-fetch-site': site }, isWrite)).toBe(is),
)

test('a link of another site is told from a request of its scripts', () => {
  expect(isLinkedFromElsewhere({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(true)
  expect(isLinkedFromElsewhere({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' })).toBe(false)
  expect(isLinkedFromElsewhere({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' })).toBe(false)
  expect(isLinkedFromElsewhere({})).toBe(false)
})
