// Whatever is asked: an answer, never a fault of ours, always with the headers that keep a browser safe.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plan } from '#coordination/plans/testdata/objects.ts'
import { hostClock } from '#kube/clock.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { apiRoutes } from './api-routes.ts'
import { type Asked, readTarget } from './asked.ts'
import { encodingFor } from './compression.ts'
import { ask, startTestDashboard, type TestDashboard } from './dashboard-for-tests.ts'
import { exportRoutes } from './export-routes.ts'
import { rebalancingRoutes } from './rebalancing-routes.ts'
import { matched } from './route.ts'

const picture = pictureOf(homelab(), { book: bookWith({ plans: [plan()] }) })
let dashboard: TestDashboard
const faults: unknown[] = []
beforeAll(async () => {
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (facts: unknown) => faults.push(facts),
  }
  // So fast that nobody asks too much.
  dashboard = await startTestDashboard({ picture, clock: hostClock({ speed: 1_000 }), options: { log } })
})
afterAll(() => dashboard[Symbol.asyncDispose]())

const routes = [...apiRoutes, ...rebalancingRoutes, ...exportRoutes]
const name = fc.oneof(
  fc.constantFrom(
    'talos00',
    'talos-0',
    'm01',
    'media',
    'Deployment',
    'sonarr',
    '..',
    '%00',
    '%ff',
    '__proto__',
    'constructor',
    '',
  ),
  fc.string({ maxLength: 20 }).map(encodeURIComponent),
)
const routed = fc
  .tuple(fc.constantFrom(...routes), fc.array(name, { minLength: 4, maxLength: 4 }))
  .map(([route, names]) =>
    route.segments.map((part, index) => (part.startsWith('{') ? (names[index % 4] ?? '') : part)).join('/'),
  )
  .map(path => `/${path}`)
const anywhere = fc
  .array(fc.oneof(name, fc.constantFrom('api', 'v1', 'assets', 'plan', 'node', 'workload', 'pod', 'healthz')), { maxLength: 8 })
  .map(parts => `/${parts.join('/')}`)
const keys = [...new Set(routes.flatMap(({ schema }) => Object.keys(schema.shape)))]
const pair = fc
  .tuple(
    fc.oneof(fc.constantFrom(...keys, 'key', '__proto__'), fc.string({ maxLength: 6 })),
    fc.oneof(
      fc.constantFrom('1', 'cpu', '24h', 'denied', 'talos-0', 'a/b/c', '2025-12-19T13:00:00Z', '-1', '9999999999'),
      fc.string({ maxLength: 12 }),
    ),
  )
  .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
const query = fc.array(pair, { maxLength: 3 }).map(pairs => (pairs.length === 0 ? '' : `?${pairs.join('&')}`))
const method = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE')
const headers = fc.record(
  {
    accept: fc.constantFrom('text/html', 'text/plain', '*/*', ''),
    'accept-encoding': fc.constantFrom('br', 'gzip;q=0.1', 'q', ';;', '*'),
    cookie: fc.constantFrom('__Host-ballast=x', 'a; b=c;;', '='),
    'ballast-action': fc.constantFrom('1', '0'),
    'content-type': fc.constantFrom('application/json', 'text/plain'),
    'sec-fetch-site': fc.constantFrom('same-origin', 'cross-site', 'none'),
    origin: fc.constantFrom('null', 'http://localhost', 'x', 'own'),
    'idempotency-key': fc.constantFrom('a', 'b c', 'x'.repeat(300)),
  },
  { requiredKeys: [] },
)
const body = fc.oneof(fc.constant(undefined), fc.json({ maxDepth: 3 }), fc.string({ maxLength: 50 }))

test('no request is a fault of ours, and none is left without an answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(routed, anywhere), query, method, headers, body, async (path, asked, verb, given, sent) => {
      const own = `http://127.0.0.1:${dashboard.port}`
      const more = given.origin === 'own' ? { ...given, origin: own } : given
      // Node sends a body of other methods without saying so: that would be another request.
      const text = ['POST', 'PUT', 'PATCH'].includes(verb) ? sent : undefined
      const answer = await ask(dashboard.port, `${path}${asked}`, {
        method: verb,
        headers: { ...more },
        ...(text === undefined ? {} : { body: text }),
      })
      expect(answer.status).not.toBe(500)
      expect(answer.status).toBeLessThan(504)
      expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'/)
      if (answer.status >= 400 && path.startsWith('/api/') && verb !== 'HEAD')
        expect(answer.json).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
    }),
    { numRuns: 600 },
  )
  expect(faults).toEqual([])
})

test('an address is read or refused, never both, and its segments are what was encoded', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 10 }), { minLength: 1, maxLength: 5 }), segments => {
      const url = `/ballast/${segments.map(encodeURIComponent).join('/')}`
      const read = readTarget(url, '/ballast/')
      expect(read.kind === 'target' ? read.target.segments : read.kind).toEqual(
        segments.join('') === '' && segments.length === 1 ? [] : segments,
      )
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      expect(['target', 'slash-missing', 'elsewhere', 'bad', 'too-long']).toContain(readTarget(text, '/').kind)
    }),
  )
})

test('a route is found by every name in its place', () => {
  fc.assert(
    fc.property(fc.constantFrom(...routes), fc.string({ minLength: 1 }), (route, given) => {
      const segments: Asked['segments'] = route.segments.map(part => (part.startsWith('{') ? given : part))
      expect(matched(routes, 'GET', segments)).toMatchObject({ kind: 'route' })
    }),
  )
})

test('an encoding is one that was offered and accepted', () => {
  fc.assert(
    fc.property(fc.string(), accept => {
      expect([undefined, 'br', 'gzip']).toContain(encodingFor(accept))
    }),
  )
  expect(encodingFor('gzip, br')).toBe('br')
  expect(encodingFor('gzip;q=1, br;q=0.1')).toBe('gzip')
  expect(encodingFor('br;q=0')).toBeUndefined()
  expect(encodingFor('*')).toBe('br')
  expect(encodingFor(undefined)).toBeUndefined()
})
