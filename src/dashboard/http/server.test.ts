import { connect } from 'node:net'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plan } from '#coordination/plans/testdata/objects.ts'
import { hostClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { pictureAt } from '../views/moment.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { ask, startTestDashboard, type TestDashboard, TestStream } from './dashboard-for-tests.ts'
import { contentSecurityPolicy } from './security-headers.ts'

const proposed = { ...plan(), status: { phase: 'Proposed' as const } }
const ballastNamespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } }
const picture = pictureOf(homelab(), { book: bookWith({ plans: [proposed] }) })

let dashboard: TestDashboard
const own = () => ({
  origin: `http://127.0.0.1:${dashboard.port}`,
  'ballast-action': '1',
  'content-type': 'application/json',
})
const freezeAll = JSON.stringify({ revision: 'e1.1', scope: null, reason: 'update night' })
const freezeOf = async () => {
  const [found] = dashboard.twin.dump().filter(({ kind, metadata }) => kind === 'Namespace' && metadata.name === 'ballast-system')
  return found?.metadata.annotations?.['ballast.dev/freeze']
}
const metric = async (text: string) => (await dashboard.registry.metrics()).split('\n').filter(line => line.startsWith(text))

beforeAll(async () => {
  dashboard = await startTestDashboard({ picture, objects: [ballastNamespace] })
})
afterAll(() => dashboard[Symbol.asyncDispose]())

describe('every answer', () => {
  test.each(['/', '/api/v1/overview', '/nowhere', '/api/v1/nothing', '/healthz', '/assets/old-1.js', '/api/v1/nodes?x=1'])(
    '%s carries the headers of 3.9, the revision and the time of the cluster',
    async path => {
      const { headers } = await dashboard.ask(path)
      expect(headers).toMatchObject({
        'content-security-policy': contentSecurityPolicy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'ballast-revision': 'e1.1',
        'ballast-now': '2025-12-19T13:03:20Z',
      })
      expect(headers['access-control-allow-origin']).toBeUndefined()
    },
  )

  test('has exactly the policy of the spec', () =>
    expect(contentSecurityPolicy).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ))
})

describe('reading', () => {
  test.each([
    ['/api/v1/overview', { cluster: 'talos-homelab', mode: 'twin' }],
    ['/api/v1/nodes/talos00', { row: { name: 'talos00' } }],
    ['/api/v1/nodes/talos00/pods?limit=2&sort=memory&dir=asc', { total: 59 }],
    ['/api/v1/nodes?limit=3', { total: 4, next: 'talos02-gpu' }],
    ['/api/v1/plans', [{ name: 'talos-0' }]],
    ['/api/v1/plans/talos-0', { head: { name: 'talos-0' } }],
    ['/api/v1/plans/talos-0/moves', { total: 1 }],
    ['/api/v1/permits?since=24h', { permits: [] }],
    ['/api/v1/permits/counts', { byDecision: {} }],
    ['/api/v1/workloads?q=sonarr', {}],
    ['/api/v1/search?q=talos', {}],
    ['/api/v1/twin', { source: 'examples/talos-homelab' }],
    ['/api/v1/me', { name: 'local', can: { approve: { allowed: true, because: null } } }],
    ['/api/v1/settings', {}],
    ['/api/v1/version', { schema: 1, bundle: 'ready' }],
  ])('%s', async (path, value) => {
    const { status, json } = await dashboard.ask(path)
    expect(json).toMatchObject(value)
    expect(status).toBe(200)
  })

  test.each([
    ['/api/v1/nodes/talos9', 404, 'not-there', /There is no node talos9\. Did you mean talos/],
    ['/api/v1/plans/talos-1', 404, 'not-there', /There is no plan talos-1\. Did you mean talos-0\?/],
    ['/api/v1/workloads/media/Deployment/sonar', 404, 'not-there', /sonar/],
    ['/api/v1/nothing', 404, 'no-such-address', /nothing/],
    ['/api/v1/nodes/talos00/pods?sort=colour', 400, 'bad-query', /sort/],
    ['/api/v1/permits?decision=maybe', 400, 'bad-query', /decision/],
    ['/api/v1/permits?decission=denied', 400, 'unknown-query-key', /decission/],
    ['/api/v1/permits?since=yesterday', 400, 'bad-query', /since/],
    ['/api/v1/nodes?limit=0', 400, 'bad-query', /limit/],
    ['/api/v1/nodes?limit=1&limit=2', 400, 'bad-query', /limit/],
    ['/api/v1/overview?at=noon', 400, 'bad-query', /at/],
    ['/api/v1/overview?at=2035-01-01T00:00:00Z', 400, 'bad-query', /at/],
    [`/api/v1/search?q=${'x'.repeat(3_000)}`, 400, 'address-too-long', /2048/],
    ['/api/v1/nodes/%ff', 400, 'bad-address', /UTF-8/],
    ['/api/v1/stream?topics=nothing', 400, 'bad-query', /topics/],
    ['/api/v1/session', 405, 'wrong-method', /GET/],
    ['/elsewhere', 404, undefined, /./],
  ])('%s is %i %s', async (path, status, code, words) => {
    const answer = await dashboard.ask(path)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(answer.text).toMatch(words)
  })

  test('says what would be right', async () => {
    expect((await dashboard.ask('/api/v1/permits?decision=maybe')).json).toEqual({
      error: {
        code: 'bad-query',
        message: `The query's decision is "maybe".`,
        remedy: 'Expected one of "granted", "queued", "denied", "no-op", "coalesced", "observed", "dropped".',
      },
    })
    expect((await dashboard.ask('/api/v1/permits?decission=denied')).json).toMatchObject({
      error: { remedy: expect.stringMatching(/^Did you mean "decision"\? Known are since, until, decision, rule,/) },
    })
  })

  test('HEAD has the head alone, OPTIONS the methods, others 405', async () => {
    const head = await dashboard.ask('/api/v1/overview', { method: 'HEAD' })
    expect([head.status, head.bytes.length, Number(head.headers['content-length']) > 100]).toEqual([200, 0, true])
    const options = await dashboard.ask('/api/v1/overview', { method: 'OPTIONS' })
    expect([options.status, options.headers.allow]).toEqual([204, 'GET, HEAD, OPTIONS'])
    const put = await dashboard.ask('/api/v1/overview', { method: 'PUT', headers: own(), body: '{}' })
    expect([put.status, put.code, put.headers.allow]).toEqual([405, 'wrong-method', 'GET, HEAD, OPTIONS'])
    expect((await dashboard.ask('/', { method: 'PATCH' })).status).toBe(405)
  })

  test('is compressed as the reader takes it, from 1 KiB on', async () => {
    const plain = await dashboard.ask('/api/v1/overview')
    const gzip = await dashboard.ask('/api/v1/overview', { headers: { 'accept-encoding': 'gzip' } })
    const brotli = await dashboard.ask('/api/v1/overview', { headers: { 'accept-encoding': 'gzip, deflate, br' } })
    expect([gzip, brotli].map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', 'br'])
    expect(gunzipSync(gzip.bytes).toString()).toBe(plain.text)
    expect(brotliDecompressSync(brotli.bytes).toString()).toBe(plain.text)
    expect(plain.bytes.length).toBeGreaterThan(brotli.bytes.length)
    const small = await dashboard.ask('/api/v1/version', { headers: { 'accept-encoding': 'br' } })
    expect(small.headers['content-encoding']).toBeUndefined()
  })
})

describe('D27: the past', () => {
  const then = pictureAt(picture, Date.parse('2025-12-19T13:00:00Z'))
  test.skipIf('picture' in then && then.picture === picture)(
    'is shown as of then, or it is said from when on there is something',
    async () => {
      const answer = await dashboard.ask('/api/v1/overview?at=2025-12-19T13:00:00Z')
      if (answer.status === 410)
        expect(answer.json).toMatchObject({ error: { code: 'moment-not-kept', keptFrom: expect.any(String) } })
      else expect(answer.json).toMatchObject({ now: expect.stringMatching(/^2025-12-19T13:00:00/), buttons: [] })
      const before = await dashboard.ask('/api/v1/overview?at=1999-01-01T00:00:00Z')
      expect([before.status, before.code]).toEqual([410, 'moment-not-kept'])
    },
  )

  test('has no stream', async () => {
    const answer = await dashboard.ask('/api/v1/stream?topics=overview&at=2025-12-19T13:00:00Z')
    expect([answer.status, answer.code]).toEqual([400, 'unknown-query-key'])
  })
})

describe('pages', () => {
  test('are HTML with no script but the data and our own files', async () => {
    const page = await dashboard.ask('/', { headers: { accept: 'text/html,*/*' } })
    expect([page.status, page.headers['content-type'], page.headers['cache-control']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store',
    ])
    const scripts = page.text.match(/<script\b[^>]*>/g) ?? []
    for (const script of scripts) expect(script).toMatch(/type="application\/json"|src="/)
    expect(page.text).not.toMatch(/\son[a-z]+=|javascript:|\sstyle=/i)
  })

  test('D34: are plain text for who asks for that, ending with a newline', async () => {
    const page = await dashboard.ask('/', { headers: { accept: 'text/plain' } })
    expect([page.headers['content-type'], page.text]).toEqual(['text/plain; charset=utf-8', 'talos-homelab as text\n'])
  })

  test('what is not there is a 404, of which our page alone is told by a header', async () => {
    const path = '/api/v1/workloads/media/Deployment/sonar'
    const links = [{ text: 'media/sonarr', path: '/workload/media/Deployment/sonarr' }]
    const message = expect.stringContaining('Did you mean media/sonarr?')
    const body = { error: { code: 'not-there', message, remedy: null, links } }
    const program = await dashboard.ask(path)
    expect([program.status, program.json]).toEqual([404, body])
    const page = await dashboard.ask(path, { headers: { 'ballast-page': '1' } })
    expect([page.status, page.headers['ballast-missing'], page.json]).toEqual([200, '1', body])
    expect((await dashboard.ask('/api/v1/nothing', { headers: { 'ballast-page': '1' } })).status).toBe(404)
    const there = await dashboard.ask('/api/v1/overview', { headers: { 'ballast-page': '1' } })
    expect([there.status, there.headers['ballast-missing']]).toEqual([200, undefined])
    const html = { accept: 'text/html', 'sec-fetch-dest': 'document' }
    expect((await dashboard.ask('/workload/media/Deployment/sonar', { headers: html })).status).toBe(404)
    expect((await dashboard.ask('/a/b/c', { headers: html })).status).toBe(404)
  })

  test.each([
    ['/plan', 200],
    ['/plan/talos-0', 200],
    ['/plan/talos-9', 404],
    ['/plan/talos-0/replay', 200],
    ['/plan/talos-0/replay?pool=blue', 404],
    ['/plan/talos-9/replay', 404],
    ['/plan/talos-0/other', 404],
    ['/api/v1/plans/talos-0/replay', 200],
    ['/api/v1/plans/talos-0/replay?pool=blue', 404],
    ['/api/v1/plans/talos-9/replay', 404],
    ['/api/v1/plans/talos-0/replay?pools=blue', 400],
    ['/node/talos00', 200],
    ['/node/talos77', 404],
    ['/permits', 200],
    ['/workload/media/Deployment/sonar', 404],
    ['/autoscaling', 404],
    ['/pod/media/nobody', 404],
    ['/a/b/c', 404],
  ])('%s is %i', async (path, status) => expect((await dashboard.ask(path)).status).toBe(status))

  test('of a pod lead to its workload', async () => {
    const pod = [...picture.state.pods.values()].find(({ workload }) => workload !== undefined)
    const page = await dashboard.ask(`/pod/${pod?.namespace}/${pod?.name}?at=`)
    expect([400, 302]).toContain(page.status)
    const now = await dashboard.ask(`/pod/${pod?.namespace}/${pod?.name}`)
    expect([now.status, now.headers.location]).toEqual([
      302,
      `/workload/${pod?.workload?.namespace}/${pod?.workload?.kind}/${pod?.workload?.name}`,
    ])
  })
})

describe('assets', () => {
  test.each([
    ['br', 'br', 'br'],
    ['gzip', 'gzip', 'gz'],
    ['identity', undefined, 'let a'],
    ['br;q=0, gzip;q=0.5', 'gzip', 'gz'],
  ])('%s are sent as %s and kept for ever', async (accept, encoding, body) => {
    const file = await dashboard.ask('/assets/main-a1.js', { headers: { 'accept-encoding': accept } })
    expect([file.status, file.headers['content-encoding'], file.text]).toEqual([200, encoding, body])
    expect(file.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  test('of another version are 404 and not kept', async () => {
    const file = await dashboard.ask('/assets/main-0.js')
    expect([file.status, file.headers['cache-control']]).toEqual([404, 'no-store'])
    expect((await dashboard.ask('/assets/../package.json')).status).toBe(404)
  })
})

describe('D25: writes', () => {
  test.each([
    ['without Ballast-Action', { 'ballast-action': '' }, 403, 'action-header-missing'],
    ['from another origin', { origin: 'http://evil.test' }, 403, 'foreign-origin'],
    ['with the host of somebody else', { host: 'evil.test' }, 421, 'foreign-host'],
    ['from another site by its own word', { 'sec-fetch-site': 'cross-site' }, 403, 'foreign-origin'],
    ['of a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'not-json'],
  ])('%s are refused, counted and not done', async (_name, headers, status, code) => {
    const counted = `ballast_dashboard_actions_total{action="freeze",result="${code}"}`
    const before = (await metric(counted)).map(line => Number(line.split(' ').at(-1)))[0] ?? 0
    const answer = await dashboard.ask('/api/v1/actions/freeze', {
      method: 'POST',
      headers: { ...own(), ...headers },
      body: freezeAll,
    })
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(await freezeOf()).toBeUndefined()
    expect(await metric(counted)).toEqual([`${counted} ${before + 1}`])
  })

  test.each([
    ['no JSON', '{', 400, 'bad-body'],
    ['nothing', '', 400, 'bad-body'],
    ['an unknown field', '{"revision":"e1.1","scop":null}', 400, 'bad-body'],
    ['a long reason', JSON.stringify({ revision: 'e1.1', scope: null, reason: 'x'.repeat(201) }), 400, 'bad-body'],
    ['too much', JSON.stringify({ revision: 'e1.1', reason: 'x'.repeat(20_000) }), 413, 'body-too-large'],
  ])('with %s are refused', async (_name, body, status, code) => {
    const answer = await dashboard.ask('/api/v1/actions/freeze', { method: 'POST', headers: own(), body })
    expect([answer.status, answer.code]).toEqual([status, code])
  })

  test('of unknown actions are 404', async () => {
    const answer = await dashboard.ask('/api/v1/actions/explode', { method: 'POST', headers: own(), body: '{}' })
    expect([answer.status, answer.code]).toEqual([404, 'action-unknown'])
  })

  test('of our own page are done once for each key, as the viewer `local`', async () => {
    const send = (body: string) =>
      dashboard.ask('/api/v1/actions/freeze', { method: 'POST', headers: { ...own(), 'idempotency-key': 'k1' }, body })
    const [first, second] = await Promise.all([send(freezeAll), send(freezeAll)])
    expect([first?.status, first?.json]).toEqual([200, second?.json])
    expect(first?.json).toMatchObject({
      done: true,
      kubectl: expect.stringContaining('kubectl annotate namespace ballast-system'),
    })
    expect(await freezeOf()).toBe('update night')
    const other = await send(JSON.stringify({ revision: 'e1.1', scope: null, reason: 'another' }))
    expect([other.status, other.code]).toEqual([409, 'idempotency-key-used'])
    expect(await freezeOf()).toBe('update night')
    const thaw = JSON.stringify({ revision: 'e1.1', scope: null })
    await dashboard.ask('/api/v1/actions/thaw', { method: 'POST', headers: own(), body: thaw })
    expect(await freezeOf()).toBeUndefined()
    expect(await metric('ballast_dashboard_actions_total{action="thaw",result="done"}')).toHaveLength(1)
  })
})

describe('where a request comes from', () => {
  test.each([
    ['/', { 'sec-fetch-site': 'cross-site' }, 200],
    ['/api/v1/me', { 'sec-fetch-site': 'cross-site' }, 403],
    ['/api/v1/me', { 'sec-fetch-site': 'same-origin' }, 200],
    ['/api/v1/stream?topics=overview', { 'sec-fetch-site': 'same-site' }, 403],
    ['/', { host: 'evil.test' }, 421],
    ['/api/v1/me', { host: 'evil.test:80' }, 421],
    ['/assets/main-a1.js', { host: 'evil.test' }, 421],
    ['/healthz', { host: '10.0.0.7:8080' }, 200],
  ])('%s with %j is %i', async (path, headers, status) => expect((await dashboard.ask(path, { headers })).status).toBe(status))
})

describe('the stream', () => {
  test('begins with hello and snapshots, carries changes, and ends with bye when the dashboard ends', async () => {
    await using own = await startTestDashboard({ picture })
    using stream = await TestStream.open(own.port, '/api/v1/stream?topics=overview,plan:talos-0')
    await stream.until(({ name, data }) => name === 'snapshot' && JSON.stringify(data).includes('"topic":"plan:talos-0"'))
    expect(stream.events[0]?.name).toBe('hello')
    own.source.change({ cluster: 'renamed' })
    await stream.until(({ name, data }) => name === 'delta' && JSON.stringify(data).includes('renamed'))
    await own[Symbol.asyncDispose]()
    expect(await stream.until(({ name }) => name === 'bye')).toMatchObject({ data: { reason: 'shutdown' } })
  })

  test('beyond the limit is 503 with Retry-After', async () => {
    await using own = await startTestDashboard({ picture, section: { limits: { streams: 2 } } })
    using _one = await TestStream.open(own.port, '/api/v1/stream?topics=overview')
    using _two = await TestStream.open(own.port, '/api/v1/stream?topics=overview')
    const third = await own.ask('/api/v1/stream?topics=overview')
    expect([third.status, third.code, third.headers['retry-after']]).toEqual([503, 'too-many-streams', '5'])
  })
})

test('20 requests a second are answered, and 60 at once', async () => {
  // So slow that nothing is refilled while a busy machine sends them.
  await using own = await startTestDashboard({ picture, clock: hostClock({ speed: 0.001 }) })
  const answers = await Promise.all(Array.from({ length: 75 }, () => own.ask('/api/v1/version')))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused).toHaveLength(15)
  expect(refused[0]).toMatchObject({ code: 'too-many-requests', headers: { 'retry-after': '1' } })
})

test('without actions there is no endpoint at all', async () => {
  await using own = await startTestDashboard({ picture, section: { actions: false } })
  const headers = { origin: `http://127.0.0.1:${own.port}`, 'ballast-action': '1', 'content-type': 'application/json' }
  const answer = await own.ask('/api/v1/actions/freeze', { method: 'POST', headers, body: freezeAll })
  expect([answer.status, answer.code]).toEqual([404, 'actions-off'])
  expect((await own.ask('/api/v1/me')).json).toMatchObject({
    can: { freeze: { allowed: false, because: 'Actions are switched off.' } },
  })
})

test('under a base path everything lies below it', async () => {
  await using own = await startTestDashboard({ picture, section: { basePath: '/ballast/' } })
  expect((await own.ask('/ballast/api/v1/version')).status).toBe(200)
  expect((await own.ask('/api/v1/version')).status).toBe(404)
  const bare = await own.ask('/ballast?at=x')
  expect([bare.status, bare.headers.location]).toEqual([308, '/ballast/?at=x'])
  expect(own.url).toBe(`http://127.0.0.1:${own.port}/ballast/`)
})

test('a taken port is told, and the next free one is used', async () => {
  const told: unknown[] = []
  const section = { listen: `127.0.0.1:${dashboard.port}` }
  await using own = await startTestDashboard({ picture, section, options: { onOtherPort: ports => told.push(ports) } })
  expect(own.port).toBeGreaterThan(dashboard.port)
  expect(told).toEqual([{ wanted: dashboard.port, used: own.port }])
})

test('what is no request of a browser is answered or cut off in time', async () => {
  const said = async (text: string): Promise<string> => {
    const socket = connect(dashboard.port, '127.0.0.1')
    socket.write(text)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer
  }
  expect(await said(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /)
  expect(await said('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  expect(await said('GET http://evil.test/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  expect(await said('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  // Headers that never end: ten seconds, and it is over.
  expect(await said('GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')).toMatch(/^HTTP\/1.1 408 /)
})

test('another source is shown from then on', async () => {
  await using own = await startTestDashboard({ picture })
  own.show({ current: () => ({ ...picture, epoch: 'e2', cluster: 'other' }), onChange: () => () => undefined })
  const { json, headers } = await ask(own.port, '/api/v1/overview')
  expect([json, headers['ballast-revision']]).toMatchObject([{ cluster: 'other' }, 'e2.1'])
})
