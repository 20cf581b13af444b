import { describe, expect, test } from 'vitest'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { dashboardProblems, dashboardSchema, hostsOf, isLoopback, parseListen, ringAgeMs } from './configuration.ts'

const tls = { certFile: '/c.pem', keyFile: '/k.pem' }
const proxy = { mode: 'proxy', proxy: { caFile: '/ca.pem' } }
const allowedHosts = ['ballast.example.org']

test('an empty section has the defaults of the spec', () => {
  const configuration = dashboardSchema.parse({})
  expect(configuration).toEqual({
    enabled: true,
    listen: '127.0.0.1:8080',
    basePath: '/',
    auth: { mode: 'loopback', tokenAudiences: [] },
    limits: { streams: 200, streamsPerViewer: 8, rows: 500, ring: { events: 10_000, bytes: 8_388_608, age: '5m' } },
  })
  expect(dashboardProblems(configuration)).toEqual([])
  expect(hostsOf(configuration)).toEqual(['localhost', '127.0.0.1', '::1'])
  expect(ringAgeMs(configuration)).toBe(300_000)
})

describe('what is open to others is refused at start', () => {
  test.each([
    ['loopback', {}, []],
    ['loopback of another number', { listen: '127.3.2.1:80' }, []],
    ['loopback of IPv6', { listen: '[::1]:8080' }, []],
    ['localhost', { listen: 'localhost:0' }, []],
    ['every address, nobody asked', { listen: ':8080' }, ['dashboard-exposed-without-auth']],
    ['every address by number', { listen: '0.0.0.0:8080' }, ['dashboard-exposed-without-auth']],
    ['an address, with TLS, nobody asked', { listen: '10.0.0.1:443', tls, allowedHosts }, ['dashboard-exposed-without-auth']],
    ['tokens in the clear', { listen: ':8080', auth: { mode: 'token' }, allowedHosts }, ['dashboard-exposed-without-auth']],
    ['tokens over TLS', { listen: ':8443', auth: { mode: 'token' }, tls, allowedHosts }, []],
    ['tokens over TLS by any name', { listen: ':8443', auth: { mode: 'token' }, tls }, ['dashboard-hosts-missing']],
    ['tokens on loopback', { auth: { mode: 'token' } }, []],
    ['behind a proxy', { listen: ':8443', auth: proxy, allowedHosts }, []],
    ['behind a proxy that nobody knows', { listen: ':8443', auth: { mode: 'proxy' }, allowedHosts }, ['dashboard-proxy-unknown']],
    ['a forwarder of this machine', { auth: { mode: 'proxy', proxy: { trustLoopback: true } } }, []],
    ['a proxy that nobody asks', { auth: { mode: 'loopback', proxy: { caFile: '/ca.pem' } } }, ['dashboard-proxy-unused']],
  ])('%s', (_name, section, codes) => {
    expect(dashboardProblems(dashboardSchema.parse(section)).map(({ code }) => code)).toEqual(codes)
  })

  test('in words that say where and what would be right', () => {
    expect(dashboardProblems(dashboardSchema.parse({ listen: ':8080' }), 'ballast.yaml: dashboard')).toEqual([
      {
        code: 'dashboard-exposed-without-auth',
        where: 'ballast.yaml: dashboard.listen',
        found: ':8080 with auth.mode loopback',
        expected: 'a loopback address, or auth.mode token or proxy',
      },
    ])
  })
})

test.each([
  [{ basePath: 'ballast/' }, 'basePath', 'a path that begins and ends with "/", of letters, digits, ".", "_", "~" and "-"'],
  [{ basePath: '/../' }, 'basePath', 'a path that begins and ends with "/", of letters, digits, ".", "_", "~" and "-"'],
  [{ listen: '8080' }, 'listen', 'HOST:PORT, [HOST]:PORT or :PORT'],
  [{ listen: '127.0.0.1:70000' }, 'listen', 'HOST:PORT, [HOST]:PORT or :PORT'],
  [{ timeZone: 'Mars/Olympus' }, 'timeZone', 'a time zone such as "Europe/Berlin"'],
  [{ allowedHosts: ['a.b:80'] }, 'allowedHosts[0]', 'a host name without port'],
  [{ auth: { mode: 'basic' } }, 'auth.mode', 'one of "loopback", "token", "proxy"'],
  [{ limits: { streams: 0 } }, 'limits.streams', 'at least 1'],
  [{ listenn: ':1' }, '', 'a known key; did you mean "listen"?'],
])('%j is no section', (section, where, expected) => {
  const checked = checkAgainst(dashboardSchema, section, '')
  expect(checked.ok ? [] : checked.problems.map(problem => [problem.where, problem.expected])).toEqual([[where, expected]])
})

test.each([
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  [':8080', { host: undefined, port: 8080 }],
  ['::1:8080', undefined],
  ['a b:1', undefined],
  ['host:', undefined],
])('%s is read', (text, address) => expect(parseListen(text)).toEqual(address))

test.each([
  ['127.0.0.1', true],
  ['::ffff:127.0.0.1', true],
  ['::1', true],
  ['10.0.0.1', false],
  ['127.evil.test', false],
  [undefined, false],
])('%s is of this machine: %s', (host, is) => expect(isLoopback(host)).toBe(is))
