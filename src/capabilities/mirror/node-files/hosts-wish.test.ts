import fc from 'fast-check'
import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { bracketed, parseHostsWish, plainHostsText } from './hosts-wish.ts'
import type { HostsWish } from './options.ts'

const wish = (changed: Partial<HostsWish> = {}): HostsWish => ({
  mirroredRegistries: [],
  mirrorTargets: ['http://127.0.0.1:5000'],
  resolveTags: true,
  dialTimeout: '200ms',
  basicAuth: undefined,
  ...changed,
})

function texts(changed: Partial<HostsWish>): Readonly<Record<string, string>> {
  const { directories, hosts } = parseHostsWish(wish(changed))
  return Object.fromEntries(directories.map(directory => [directory.name, plainHostsText(directory, hosts)]))
}

function problems(changed: Partial<HostsWish>): readonly string[] {
  try {
    parseHostsWish(wish(changed))
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(({ where, found, expected }) => `${where}: ${found}: ${expected}`)
    throw error
  }
  return []
}

const block = (url: string) => `[host.'${url}']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'`

test.each<[string, Partial<HostsWish>, Readonly<Record<string, string>>]>([
  ['nothing named: the wildcard, no server, no empty line', {}, { _default: block('http://127.0.0.1:5000') }],
  ['the wildcard by name', { mirroredRegistries: ['_default'] }, { _default: block('http://127.0.0.1:5000') }],
  ['the wildcard as a star', { mirroredRegistries: ['*'] }, { _default: block('http://127.0.0.1:5000') }],
  [
    'several hosts, an empty line between',
    { mirroredRegistries: ['http://foo.bar:5000'], mirrorTargets: ['http://127.0.0.1:5000', 'http://127.0.0.2:5000'] },
    {
      'foo.bar:5000': `server = 'http://foo.bar:5000'\n\n${block('http://127.0.0.1:5000')}\n\n${block('http://127.0.0.2:5000')}`,
    },
  ],
  [
    'case 20: without tags, Docker Hub under its other name',
    { mirroredRegistries: ['https://docker.io', 'http://foo.bar:5000'], resolveTags: false },
    {
      'docker.io':
        "server = 'https://registry-1.docker.io'\n\n[host.'http://127.0.0.1:5000']\ncapabilities = ['pull']\ndial_timeout = '200ms'",
      'foo.bar:5000':
        "server = 'http://foo.bar:5000'\n\n[host.'http://127.0.0.1:5000']\ncapabilities = ['pull']\ndial_timeout = '200ms'",
    },
  ],
  ['case 21: IPv6 without brackets', { mirrorTargets: ['http://fd00::7:30020'] }, { _default: block('http://[fd00::7]:30020') }],
  [
    'authentication directly under the time-out',
    { basicAuth: { username: 'hello', password: 'world' } },
    {
      _default: `${block('http://127.0.0.1:5000')}\n[host.'http://127.0.0.1:5000'.header]\nAuthorization = 'Basic aGVsbG86d29ybGQ='`,
    },
  ],
  [
    'a user without a password',
    { basicAuth: { username: 'hello', password: '' } },
    { _default: `${block('http://127.0.0.1:5000')}\n[host.'http://127.0.0.1:5000'.header]\nAuthorization = 'Basic aGVsbG86'` },
  ],
  ['neither user nor password', { basicAuth: { username: '', password: '' } }, { _default: block('http://127.0.0.1:5000') }],
  ['no time-out', { dialTimeout: '' }, { _default: "[host.'http://127.0.0.1:5000']\ncapabilities = ['pull', 'resolve']" }],
  [
    'a target twice is one host: twice would be no TOML',
    { mirrorTargets: ['http://10.0.0.7:1', 'http://10.0.0.7:1'] },
    { _default: block('http://10.0.0.7:1') },
  ],
  [
    'the port of a scheme stays in the name, as image names have it',
    { mirroredRegistries: ['https://foo.bar:443'] },
    { 'foo.bar:443': `server = 'https://foo.bar:443'\n\n${block('http://127.0.0.1:5000')}` },
  ],
])('%s', (_, changed, expected) => {
  expect(texts(changed)).toEqual(expected)
})

test.each<[Partial<HostsWish>, readonly string[]]>([
  [
    {
      mirroredRegistries: [
        'https://ghcr.io',
        'https://ghcr.io/foo',
        'ftp://quay.io',
        'https://a:b@c.d',
        'https://e.f?g',
        'quay.io',
      ],
    },
    [
      'mirroredRegistries[1]: https://ghcr.io/foo: path must be empty',
      'mirroredRegistries[2]: ftp://quay.io: scheme must be http or https',
      'mirroredRegistries[3]: https://a:b@c.d: user must be empty',
      'mirroredRegistries[4]: https://e.f?g: query must be empty',
      'mirroredRegistries[5]: quay.io: a registry such as "https://ghcr.io"',
    ],
  ],
  [
    { mirroredRegistries: ['_default', '*'] },
    ['mirroredRegistries[1]: *: each registry once: mirroredRegistries[0] is _default, too'],
  ],
  [
    { mirroredRegistries: ["https://a'b", 'https://..', 'https://a$(id)', 'https://_backup'] },
    [
      "mirroredRegistries[0]: https://a'b: a host of letters, digits, dots and dashes",
      'mirroredRegistries[1]: https://..: a host of letters, digits, dots and dashes',
      'mirroredRegistries[2]: https://a$(id): a host of letters, digits, dots and dashes',
      'mirroredRegistries[3]: https://_backup: a host of letters, digits, dots and dashes',
    ],
  ],
  [{ mirrorTargets: ['http://10.0.0.7:30020', '_default'] }, ['mirrorTargets[1]: _default: one mirror: a wildcard is none']],
  [{ mirrorTargets: [] }, ['mirrorTargets: : at least one mirror such as "http://10.0.0.7:30020"']],
  [{ dialTimeout: "1s'\nca = 'x" }, ['dialTimeout: 1s\'\nca = \'x: a duration of more than zero such as "200ms"']],
  [{ dialTimeout: '0s' }, ['dialTimeout: 0s: a duration of more than zero such as "200ms"']],
])('refused, all at once: %j', (changed, expected) => {
  expect(problems(changed)).toEqual(expected)
})

describe('an address that has brackets coming', () => {
  test.each([
    ['http://fd00::7:30020', 'http://[fd00::7]:30020'],
    ['http://fd00:0:0:0:0:0:0:7:30020', 'http://[fd00:0:0:0:0:0:0:7]:30020'],
    ['http://fd00:0:0:0:0:0:0:7', 'http://[fd00:0:0:0:0:0:0:7]'],
    ['http://[fd00::7]:30020', 'http://[fd00::7]:30020'],
    ['http://10.0.0.7:30020', 'http://10.0.0.7:30020'],
    ['http://node:30020', 'http://node:30020'],
  ])('%s', (text, expected) => {
    expect(bracketed(text)).toBe(expected)
  })
})

test('whatever is accepted is TOML that says just that', () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map(address => `[${address}]`),
  )
  const url = fc.tuple(fc.constantFrom('http', 'https'), host, fc.integer({ min: 1, max: 65_535 }))
  const printable = fc.string({ unit: 'grapheme', maxLength: 20 })
  fc.assert(
    fc.property(fc.uniqueArray(url, { minLength: 1, maxLength: 4 }), printable, printable, (targets, username, password) => {
      const mirrorTargets = targets.map(([scheme, name, port]) => `${scheme}://${name}:${port}`)
      const { hosts } = parseHostsWish(wish({ mirrorTargets, basicAuth: { username, password } }))
      const text = texts({ mirrorTargets, basicAuth: { username, password } })['_default'] ?? ''
      const read = parse(text)
      expect(Object.keys(Object(read['host']))).toEqual(hosts.map(one => one.url))
      expect(text).not.toMatch(/\n$/)
    }),
  )
})
