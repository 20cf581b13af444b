// Our servers behind an API server, over real TLS; the API server behind them is a few lines.
import { connect } from 'node:tls'
import { Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { answer, broken, Feed, type Scripted, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { systemClock, VirtualClock } from '../clock.ts'
import { Informers } from '../informers/informer.ts'
import { silentLog } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { seededRandom } from '../random.ts'
import { type AggregatedApi, aggregatedApi } from './aggregated-api.ts'
import { type AggregatedServer, startAggregatedServer } from './aggregated-server.ts'
import { issueAuthority, issueLeaf, type KeyPair } from './certificates.ts'
import type { HealthCheck } from './health.ts'

const names = ['cluster', 'proxy', 'newProxy', 'stranger', 'server'] as const
type Name = (typeof names)[number]

let authorities: Readonly<Record<Name, KeyPair>>
let serverLeaf: KeyPair

beforeAll(async () => {
  const nowMs = systemClock.now()
  const pairs = await Promise.all(names.map(async name => [name, await issueAuthority({ commonName: name, nowMs })] as const))
  authorities = Object.fromEntries(pairs) as Record<Name, KeyPair>
  serverLeaf = await issueLeaf(authorities.server, { commonName: 's', dnsNames: ['localhost'], usages: ['server'], nowMs })
})

const client = (by: Name, commonName: string, organizations: readonly string[] = [], more: object = {}) =>
  issueLeaf(authorities[by], { commonName, organizations, usages: ['client'], nowMs: systemClock.now(), ...more })

const frontProxy = () => client('proxy', 'front-proxy-client')

function configMap(proxyAuthorities: readonly Name[] = ['proxy'], data: Readonly<Record<string, string>> = {}) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system', uid: 'u1', resourceVersion: '5' },
    data: {
      'client-ca-file': authorities.cluster.certificate,
      'requestheader-client-ca-file': proxyAuthorities.map(name => authorities[name].certificate).join('\n'),
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      ...data,
    },
  }
}

interface Behind {
  readonly transport: ScriptedTransport
  readonly changes: Feed
  /** Answers of reviews, which a test may exchange. */
  reviews: {
    token(token: string): Scripted
    access(spec: Readonly<Record<string, unknown>>): Scripted
  }
}

const allowed = answer(201, { status: { allowed: true } })

/** An API server that knows one ConfigMap and reviews. */
function behindUs(first: object | undefined): Behind {
  const changes = new Feed()
  const behind: Behind = {
    changes,
    reviews: {
      token: token =>
        answer(201, {
          status: token === 'good' ? { authenticated: true, user: { username: 'robot', uid: '7', groups: ['g'] } } : { user: {} },
        }),
      access: () => allowed,
    },
    transport: new ScriptedTransport(({ path, query, body }) => {
      if (path.endsWith('/configmaps')) {
        if (query['watch'] === 'true') return { kind: 'feed', feed: changes }
        return answer(200, {
          kind: 'ConfigMapList',
          apiVersion: 'v1',
          metadata: { resourceVersion: '5' },
          items: first === undefined ? [] : [first],
        })
      }
      const { spec } = Object(body) as { readonly spec: Readonly<Record<string, unknown>> }
      return path.endsWith('/tokenreviews') ? behind.reviews.token(String(spec['token'])) : behind.reviews.access(spec)
    }),
  }
  return behind
}

const object = (name: string, zone: string): KubeObject => ({
  apiVersion: 'things.example.io/v1',
  kind: 'Thing',
  metadata: { name, labels: { zone }, creationTimestamp: '2026-01-01T00:00:00Z' },
  size: 3,
})

interface Running extends AsyncDisposable {
  readonly server: AggregatedServer
  readonly behind: Behind
  readonly clock: VirtualClock
  /** Whom the last request to `things` came from. */
  readonly callers: unknown[]
}

interface StartOptions {
  readonly config?: object | 'absent'
  readonly ready?: () => readonly HealthCheck[]
  readonly limits?: { readonly answerMs?: number; readonly inFlight?: number }
  /** Whether somebody serves the API by now. */
  readonly isRegistered?: () => boolean
  /** Whatever else is said to the server. */
  readonly more?: Partial<Parameters<typeof startAggregatedServer>[0]>
  /** Before a list is answered. */
  readonly before?: (signal: AbortSignal) => Promise<void>
}

const none: readonly AggregatedApi[] = []

async function start({
  config = configMap(),
  ready,
  limits,
  before,
  more = {},
  isRegistered = () => true,
}: StartOptions = {}): Promise<Running> {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const random = seededRandom(1)
  const behind = behindUs(config === 'absent' ? undefined : config)
  const stop = new AbortController()
  const api = openApi(behind.transport, { clock, userAgent: 'test' })
  const informers = new Informers(api, { clock, random, watchList: 'off', signal: stop.signal })
  const callers: unknown[] = []
  const things = [object('a', 'x'), object('b', 'y')]
  const apis = [
    aggregatedApi({
      group: 'things.example.io',
      version: 'v1',
      resources: [
        {
          name: 'things',
          singularName: 'thing',
          shortNames: ['th'],
          kind: 'Thing',
          namespaced: false,
          async list({ caller, signal }) {
            callers.push(caller)
            await before?.(signal)
            return things
          },
          get: ({ name }) => things.find(thing => thing.metadata.name === name),
          columns: [{ name: 'Name', cell: thing => thing.metadata.name }],
          schema: { properties: { size: { type: 'integer' } } },
        },
      ],
    }),
  ]
  const server = await startAggregatedServer({
    apis: () => (isRegistered() ? apis : none),
    awaited: [{ group: 'things.example.io', version: 'v1' }],
    tls: serverLeaf,
    port: 0,
    host: 'localhost',
    api,
    informers,
    clock,
    random,
    log: silentLog,
    metrics: new Registry(),
    version: 'v1.2.3',
    ...(ready === undefined ? {} : { ready }),
    ...(limits === undefined ? {} : { limits }),
    ...more,
  })
  await clock.quiet()
  return {
    server,
    behind,
    clock,
    callers,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      stop.abort(new Error('the test is over'))
      await informers[Symbol.asyncDispose]()
    },
  }
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

type Headers = Readonly<Record<string, string | readonly string[]>>

/** One request on a connection of its own. */
async function ask(
  running: Running,
  path: string,
  options: { readonly as?: KeyPair; readonly headers?: Headers; readonly method?: 'GET' | 'POST' } = {},
): Promise<Reply> {
  const { as, headers = {}, method = 'GET' } = options
  const agent = new Agent({
    connect: { ca: authorities.server.certificate, ...(as === undefined ? {} : { cert: as.certificate, key: as.key }) },
  })
  try {
    return await askBy(agent, running, path, headers, method)
  } finally {
    await agent.destroy()
  }
}

async function askBy(
  agent: Agent,
  running: Running,
  path: string,
  headers: Headers,
  method: 'GET' | 'POST' = 'GET',
): Promise<Reply> {
  const lists = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )
  const response = await request(`https://localhost:${running.server.port}${path}`, { method, dispatcher: agent, headers: lists })
  const text = await response.body.text()
  return { status: response.statusCode, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
}

/** The reply, with virtual time going on once the request has arrived. */
async function driven(running: Running, reply: Promise<Reply>, hasArrived: () => boolean): Promise<Reply> {
  let found: Reply | undefined
  void reply.then(settled => {
    found = settled
  })
  while (!hasArrived()) await running.clock.quiet()
  while (found === undefined) await running.clock.advance(500)
  return found
}

const things = '/apis/things.example.io/v1/things'
const janesHeaders = {
  'x-remote-user': 'jane',
  'x-remote-group': ['dev', 'ops,more'],
  'x-remote-extra-scopes%2fa': 'x',
  'x-remote-uid': '12',
}
const jane = { name: 'jane', uid: '12', groups: ['dev', 'ops,more', 'system:authenticated'], extra: { 'scopes/a': ['x'] } }
const nobody = { name: 'system:anonymous', groups: ['system:unauthenticated'], extra: {} }

describe('who asks', () => {
  const cases: readonly (readonly [string, () => Promise<{ readonly as?: KeyPair; readonly headers?: Headers }>, unknown])[] = [
    ['the front proxy speaks for others', async () => ({ as: await frontProxy(), headers: janesHeaders }), jane],
    [
      'jane, of two groups and an extra scope (case 29)',
      async () => ({
        as: await frontProxy(),
        headers: { 'x-remote-user': 'jane', 'x-remote-group': ['dev', 'ops'], 'x-remote-extra-scopes%2fa': 'x' },
      }),
      { name: 'jane', groups: ['dev', 'ops', 'system:authenticated'], extra: { 'scopes/a': ['x'] } },
    ],
    ['the same headers without a certificate mean nothing', async () => ({ headers: janesHeaders }), nobody],
    [
      'a certificate of the front proxy with another name',
      async () => ({ as: await client('proxy', 'other'), headers: janesHeaders }),
      401,
    ],
    [
      'a certificate of the cluster does not speak for others',
      async () => ({ as: await client('cluster', 'bob', ['dev']), headers: janesHeaders }),
      { name: 'bob', groups: ['dev', 'system:authenticated'], extra: {} },
    ],
    [
      'a certificate of strangers',
      async () => ({ as: await client('stranger', 'front-proxy-client'), headers: janesHeaders }),
      401,
    ],
    [
      'a certificate for servers',
      async () => ({ as: await client('proxy', 'front-proxy-client', [], { usages: ['server'] }), headers: janesHeaders }),
      401,
    ],
    [
      'a certificate that is over',
      async () => ({
        as: await client('proxy', 'front-proxy-client', [], { nowMs: systemClock.now() - 9e6, lifeMs: 6e6 }),
        headers: janesHeaders,
      }),
      401,
    ],
    ['the front proxy without a user', async () => ({ as: await frontProxy() }), 401],
    [
      'a good token',
      async () => ({ headers: { authorization: 'Bearer good' } }),
      { name: 'robot', uid: '7', groups: ['g', 'system:authenticated'], extra: {} },
    ],
    ['a bad token', async () => ({ headers: { authorization: 'Bearer bad' } }), 401],
    [
      'a bad certificate and a good token',
      async () => ({ as: await client('stranger', 'x'), headers: { authorization: 'bearer good' } }),
      { name: 'robot', uid: '7', groups: ['g', 'system:authenticated'], extra: {} },
    ],
    [
      'an anonymous user of the front proxy stays one',
      async () => ({
        as: await frontProxy(),
        headers: { 'x-remote-user': 'system:anonymous', 'x-remote-group': 'system:unauthenticated' },
      }),
      nobody,
    ],
  ]
  test.each(cases)('%s', async (_what, credentials, expected) => {
    await using running = await start()
    const reply = await ask(running, things, await credentials())
    if (typeof expected === 'number') {
      expect(reply).toMatchObject({ status: expected, body: { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' } })
      expect(reply.headers['www-authenticate']).toBe('Bearer')
      expect(running.callers).toEqual([])
    } else {
      expect(reply.status).toBe(200)
      expect(running.callers).toEqual([expected])
    }
  })

  test.each([
    ['any name, where none is named', { 'requestheader-allowed-names': '[]' }, 200],
    ['nobody, without an authority', { 'requestheader-client-ca-file': '', 'requestheader-allowed-names': '[]' }, 401],
  ])('may speak for others: %s', async (_what, data, status) => {
    await using running = await start({ config: configMap(['proxy'], data) })
    expect((await ask(running, things, { as: await client('proxy', 'whoever'), headers: janesHeaders })).status).toBe(status)
  })
})

describe('new authorities of the front proxy', () => {
  test('are believed as soon as the ConfigMap names them, the old ones as long as it does, on open connections too', async () => {
    await using running = await start()
    const [old, fresh] = [await frontProxy(), await client('newProxy', 'front-proxy-client')]
    await using kept = disposable(
      new Agent({ connect: { ca: authorities.server.certificate, cert: old.certificate, key: old.key } }),
    )
    const statuses = async () => [
      (await askBy(kept.agent, running, things, janesHeaders)).status,
      (await ask(running, things, { as: old, headers: janesHeaders })).status,
      (await ask(running, things, { as: fresh, headers: janesHeaders })).status,
    ]
    const change = async (version: string, trusted: readonly Name[]) => {
      const next = configMap(trusted)
      running.behind.changes.say({
        type: 'MODIFIED',
        object: { ...next, metadata: { ...next.metadata, resourceVersion: version } },
      })
      await running.clock.quiet()
    }
    expect(await statuses()).toEqual([200, 200, 401])
    await change('6', ['proxy', 'newProxy'])
    expect(await statuses()).toEqual([200, 200, 200])
    await change('7', ['newProxy'])
    expect(await statuses()).toEqual([401, 401, 200])
  })

  test('that cannot be read leave the last good ones in force', async () => {
    await using running = await start()
    const bad = configMap(['proxy'], { 'requestheader-allowed-names': 'front-proxy-client' })
    running.behind.changes.say({ type: 'MODIFIED', object: { ...bad, metadata: { ...bad.metadata, resourceVersion: '9' } } })
    await running.clock.quiet()
    expect((await ask(running, things, { as: await frontProxy(), headers: janesHeaders })).status).toBe(200)
  })
})

const disposable = (agent: Agent) => ({ agent, [Symbol.asyncDispose]: () => agent.destroy() })

describe('tokens', () => {
  const asked = ({ behind }: Running) =>
    behind.transport.seen.filter(({ path }: SeenRequest) => path.endsWith('/tokenreviews')).length

  test('are reviewed once in ten seconds, good and bad, and once for all who come together', async () => {
    await using running = await start()
    const come = (token: string) => ask(running, things, { headers: { authorization: `Bearer ${token}` } })
    await Promise.all([come('good'), come('good'), come('good')])
    expect(asked(running)).toBe(1)
    await come('bad')
    await come('bad')
    expect(asked(running)).toBe(2)
    await running.clock.advance(10_000)
    await come('good')
    expect(asked(running)).toBe(3)
  })

  test('that nobody reviews are refused after five tries, and those reviewed before live out their time', async () => {
    await using running = await start()
    const come = (token: string) => ask(running, things, { headers: { authorization: `Bearer ${token}` } })
    expect((await come('good')).status).toBe(200)
    running.behind.reviews = { ...running.behind.reviews, token: () => broken('ECONNREFUSED') }
    expect((await come('good')).status).toBe(200)
    const reply = await driven(running, come('another'), () => asked(running) > 1)
    expect(reply.status).toBe(401)
    expect(asked(running)).toBe(6)
    running.behind.reviews = {
      ...running.behind.reviews,
      token: () => answer(201, { status: { authenticated: true, user: { username: 'late' } } }),
    }
    expect((await come('another')).status).toBe(200)
  })
})

describe('what a caller may do', () => {
  test('is asked of the API server with all it needs to know', async () => {
    await using running = await start()
    const specs: unknown[] = []
    running.behind.reviews.access = spec => {
      specs.push(spec)
      return allowed
    }
    const as = await frontProxy()
    await ask(running, `${things}/a`, { as, headers: janesHeaders })
    await ask(running, '/metrics', { as, headers: janesHeaders })
    const user = { user: 'jane', uid: '12', groups: jane.groups, extra: jane.extra }
    const resourceAttributes = {
      namespace: '',
      verb: 'get',
      group: 'things.example.io',
      version: 'v1',
      resource: 'things',
      subresource: '',
      name: 'a',
    }
    expect(specs).toEqual([
      { resourceAttributes, ...user },
      { nonResourceAttributes: { path: '/metrics', verb: 'get' }, ...user },
    ])
  })

  test('is refused in the words of an API server', async () => {
    await using running = await start()
    running.behind.reviews.access = () => answer(201, { status: { allowed: false, reason: 'because' } })
    const as = await frontProxy()
    expect(await ask(running, `${things}/a`, { as, headers: janesHeaders })).toMatchObject({
      status: 403,
      body: {
        reason: 'Forbidden',
        message:
          'things.things.example.io "a" is forbidden: User "jane" cannot get resource "things" in API group "things.example.io" at the cluster scope: because',
      },
    })
    expect(await ask(running, '/apis', { as, headers: janesHeaders })).toMatchObject({
      status: 403,
      body: { message: 'forbidden: User "jane" cannot get path "/apis": because' },
    })
  })

  test('is not asked of masters, nor of health', async () => {
    await using running = await start()
    running.behind.reviews.access = () => broken('ECONNREFUSED')
    const headers = { 'x-remote-user': 'system:kube-aggregator', 'x-remote-group': 'system:masters' }
    expect((await ask(running, things, { as: await frontProxy(), headers })).status).toBe(200)
    for (const path of ['/healthz', '/livez', '/readyz', '/readyz/client-authorities'])
      expect((await ask(running, path)).body).toBe('ok')
  })

  test('is an error and forbidden where it cannot be told; what was told before lives out its ten seconds', async () => {
    await using running = await start()
    const as = await frontProxy()
    const come = () => ask(running, things, { as, headers: janesHeaders })
    expect((await come()).status).toBe(200)
    let count = 0
    running.behind.reviews.access = () => {
      count++
      return answer(500, { kind: 'Status', status: 'Failure', code: 500, reason: 'InternalError' })
    }
    expect((await come()).status).toBe(200)
    await running.clock.advance(10_000)
    const reply = await driven(running, come(), () => count > 0)
    expect(reply).toMatchObject({ status: 500, body: { reason: 'InternalError' } })
    // Ours five times; the client repeats what a server failed at, each of them.
    expect(count).toBeGreaterThanOrEqual(5)
  })

  test('is not remembered for what is too long', async () => {
    await using running = await start()
    let count = 0
    running.behind.reviews.access = () => {
      count++
      return allowed
    }
    const as = await frontProxy()
    const long = `${things}/${'n'.repeat(10_001)}`
    for (const path of [long, long, `${things}/b`, `${things}/b`]) await ask(running, path, { as, headers: janesHeaders })
    expect(count).toBe(3)
  })
})

describe('readiness', () => {
  test('waits for the ConfigMap, and until then no API counts as there', async () => {
    await using running = await start({ config: 'absent' })
    expect((await ask(running, '/readyz')).status).toBe(500)
    expect((await ask(running, '/livez')).status).toBe(200)
    running.behind.changes.say({
      type: 'ADDED',
      object: { ...configMap(), metadata: { ...configMap().metadata, resourceVersion: '6' } },
    })
    await running.clock.quiet()
    expect((await ask(running, '/readyz')).status).toBe(200)
  })

  test('says why where the first ConfigMap cannot be read', async () => {
    await using running = await start({ config: configMap(['proxy'], { 'requestheader-username-headers': '{}' }) })
    expect((await ask(running, '/readyz?verbose')).body).toContain('[-]client-authorities failed')
    expect((await ask(running, things, { as: await frontProxy(), headers: janesHeaders })).status).toBe(401)
  })

  test('of the resources holds back the aggregator’s probe and every answer', async () => {
    let problem: string | undefined = 'not synced'
    await using running = await start({ ready: () => [{ name: 'nodes', check: () => problem }] })
    const as = await frontProxy()
    const headers = { 'x-remote-user': 'system:kube-aggregator', 'x-remote-group': 'system:masters' }
    const probe = () => ask(running, '/apis/things.example.io/v1', { as, headers })
    expect(await probe()).toMatchObject({ status: 503, body: { reason: 'ServiceUnavailable', message: 'not ready yet: nodes' } })
    expect((await ask(running, things, { as, headers })).status).toBe(503)
    problem = undefined
    expect(await probe()).toMatchObject({
      status: 200,
      body: {
        kind: 'APIResourceList',
        groupVersion: 'things.example.io/v1',
        resources: [
          { name: 'things', singularName: 'thing', namespaced: false, kind: 'Thing', verbs: ['get', 'list'], shortNames: ['th'] },
        ],
      },
    })
  })

  test('is not served, and not absent, before somebody registered it', async () => {
    let isRegistered = false
    await using running = await start({ isRegistered: () => isRegistered })
    const as = await frontProxy()
    const headers = { 'x-remote-user': 'system:kube-aggregator', 'x-remote-group': 'system:masters' }
    const statuses = async () => [
      (await ask(running, '/apis/things.example.io/v1', { as, headers })).status,
      (await ask(running, things, { as, headers })).status,
      (await ask(running, '/apis/others.example.io/v1', { as, headers })).status,
    ]
    expect(await statuses()).toEqual([503, 503, 404])
    isRegistered = true
    expect(await statuses()).toEqual([200, 200, 404])
  })

  test('ends with draining, while answers go on', async () => {
    await using running = await start()
    running.server.drain()
    expect((await ask(running, '/readyz')).status).toBe(500)
    expect((await ask(running, things, { as: await frontProxy(), headers: janesHeaders })).status).toBe(200)
  })
})

describe('documents', () => {
  const master = { 'x-remote-user': 'root', 'x-remote-group': 'system:masters' }
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

  test.each([
    ['/apis', '', { kind: 'APIGroupList', groups: [{ name: 'things.example.io', preferredVersion: { version: 'v1' } }] }],
    [
      '/apis',
      aggregated,
      {
        kind: 'APIGroupDiscoveryList',
        apiVersion: 'apidiscovery.k8s.io/v2',
        items: [
          { versions: [{ freshness: 'Current', resources: [{ resource: 'things', scope: 'Cluster', shortNames: ['th'] }] }] },
        ],
      },
    ],
    ['/apis/things.example.io', '', { kind: 'APIGroup', name: 'things.example.io' }],
    [
      '/openapi/v3/apis/things.example.io/v1',
      '',
      {
        openapi: '3.0.0',
        components: {
          schemas: {
            'io.example.things.v1.Thing': {
              properties: { size: { type: 'integer' } },
              'x-kubernetes-group-version-kind': [{ kind: 'Thing' }],
            },
          },
        },
      },
    ],
    ['/openapi/v2', '', { swagger: '2.0', paths: { [`${things}/{name}`]: { get: { 'x-kubernetes-action': 'get' } } } }],
    ['/version', '', { gitVersion: 'v1.2.3' }],
  ])('%s %s', async (path, accept, expected) => {
    await using running = await start()
    const as = await frontProxy()
    const reply = await ask(running, path, { as, headers: { ...master, ...(accept === '' ? {} : { accept }) } })
    expect(reply).toMatchObject({ status: 200, body: expected })
    expect(reply.headers['content-type']).toBe(accept === '' ? 'application/json' : accept)
    if (path === '/version') return
    const again = await ask(running, path, {
      as,
      headers: { ...master, ...(accept === '' ? {} : { accept }), 'if-none-match': String(reply.headers['etag']) },
    })
    expect([again.status, again.body]).toEqual([304, ''])
  })

  test('name each other: the index of OpenAPI has the document’s hash', async () => {
    await using running = await start()
    const as = await frontProxy()
    const index = await ask(running, '/openapi/v3', { as, headers: master })
    const { etag } = (await ask(running, '/openapi/v3/apis/things.example.io/v1', { as, headers: master })).headers
    const serverRelativeURL = `/openapi/v3/apis/things.example.io/v1?hash=${String(etag).replaceAll('"', '')}`
    expect(index.body).toEqual({ paths: { 'apis/things.example.io/v1': { serverRelativeURL } } })
  })
})

describe('answers', () => {
  const headers = { 'x-remote-user': 'root', 'x-remote-group': 'system:masters' }
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

  test.each([
    [
      'a list',
      things,
      '',
      200,
      {
        kind: 'ThingList',
        apiVersion: 'things.example.io/v1',
        items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }],
      },
    ],
    ['of a label', `${things}?labelSelector=zone%3Dy`, '', 200, { items: [{ metadata: { name: 'b' } }] }],
    ['of a name', `${things}?fieldSelector=metadata.name%21%3Db`, '', 200, { items: [{ metadata: { name: 'a' } }] }],
    ['of an unknown field', `${things}?fieldSelector=spec.x%3Db`, '', 400, { reason: 'BadRequest' }],
    [
      'of a bad selector',
      `${things}?labelSelector=a%20b`,
      '',
      400,
      { message: "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" },
    ],
    ['an object', `${things}/a`, '', 200, { kind: 'Thing', size: 3 }],
    ['none', `${things}/z`, '', 404, { reason: 'NotFound', message: 'things.things.example.io "z" not found' }],
    [
      'another resource',
      '/apis/things.example.io/v1/others',
      '',
      404,
      { message: 'the server could not find the requested resource' },
    ],
    ['in a namespace', '/apis/things.example.io/v1/namespaces/n/things', '', 404, { reason: 'NotFound' }],
    [
      'a watch',
      `${things}?watch=1`,
      '',
      405,
      { reason: 'MethodNotAllowed', message: 'watch is not supported on resources of kind "things.things.example.io"' },
    ],
    [
      'a table (case 33)',
      things,
      table,
      200,
      {
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        columnDefinitions: [{ name: 'Name', type: 'string' }],
        rows: [{ cells: ['a'], object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } }, { cells: ['b'] }],
      },
    ],
    [
      'a table with objects',
      `${things}?includeObject=Object`,
      table,
      200,
      { rows: [{ object: { kind: 'Thing', size: 3 } }, {}] },
    ],
    ['a table of odd objects', `${things}?includeObject=Some`, table, 400, { reason: 'BadRequest' }],
    [
      'metadata',
      things,
      'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
      200,
      { kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }, {}] },
    ],
    ['protobuf first', things, 'application/vnd.kubernetes.protobuf,application/json', 200, { kind: 'ThingList' }],
    ['protobuf alone', things, 'application/vnd.kubernetes.protobuf', 406, expect.stringMatching(/^k8s\0.*NotAcceptable/s)],
    ['text', things, 'text/html', 406, { reason: 'NotAcceptable' }],
    [
      'YAML',
      `${things}/a`,
      'application/yaml',
      200,
      expect.stringContaining('kind: Thing\nmetadata:\n  creationTimestamp: 2026'),
    ],
    ['a table in YAML', things, 'application/yaml;as=Table;v=v1;g=meta.k8s.io', 200, expect.stringContaining('kind: Table')],
    ['nobody in YAML', `${things}/c`, 'application/yaml', 404, expect.stringContaining('reason: NotFound')],
    [
      'metadata in protobuf',
      things,
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      200,
      expect.stringMatching(/^k8s\0.*PartialObjectMetadataList/s),
    ],
    ['what is below an object', `${things}/a/status`, '', 404, { message: 'the server could not find the requested resource' }],
    ['far below an object', `${things}/a/x/y`, '', 404, { reason: 'NotFound' }],
    [
      'what is wanted most',
      `${things}/a`,
      'application/json;q=0.5, */*;q=0.1, application/yaml;q=0.8',
      200,
      expect.stringContaining('kind: Thing'),
    ],
    [
      'what is named before all else',
      `${things}/a`,
      '*/*, application/*, application/yaml',
      200,
      expect.stringContaining('kind: Thing'),
    ],
    [
      'what cannot be weighed',
      `${things}/a`,
      'application/yaml;q=much, application/json',
      200,
      expect.stringContaining('kind: Thing'),
    ],
    ['a path that is not encoded', '/apis/things.example.io/v1/things/%zz', '', 400, { reason: 'BadRequest' }],
    ['nowhere', '/nowhere', '', 404, { kind: 'Status' }],
    ['too long a path', `/${'x'.repeat(16_384)}`, '', 414, { kind: 'Status' }],
  ])('%s', async (_what, path, accept, status, body) => {
    await using running = await start()
    const reply = await ask(running, path, {
      as: await frontProxy(),
      headers: { ...headers, ...(accept === '' ? {} : { accept }) },
    })
    expect(reply).toMatchObject({ status, body })
  })

  test.each(['impersonate-user', 'Impersonate-Group', 'impersonate-extra-a'])(
    'to %s are refused: nobody is taken for another',
    async name => {
      await using running = await start()
      const reply = await ask(running, things, { as: await frontProxy(), headers: { ...headers, [name]: 'x' } })
      expect(reply).toMatchObject({ status: 403, body: { message: expect.stringContaining('impersonation is not served here') } })
    },
  )

  test('to writes are refused', async () => {
    await using running = await start()
    const as = await frontProxy()
    expect(await ask(running, things, { as, headers, method: 'POST' })).toMatchObject({
      status: 405,
      body: { message: 'the server does not allow this method on the requested resource' },
    })
    expect((await ask(running, '/apis', { as, headers, method: 'POST' })).status).toBe(405)
  })

  test('that take too long are given up, and the resource is told', async () => {
    let isAborted = false
    await using running = await start({
      limits: { answerMs: 5_000 },
      before: signal =>
        new Promise(resolve => {
          signal.addEventListener('abort', () => {
            isAborted = true
            resolve()
          })
        }),
    })
    const reply = await driven(
      running,
      ask(running, things, { as: await frontProxy(), headers }),
      () => running.callers.length > 0,
    )
    expect(reply).toMatchObject({ status: 504, body: { reason: 'Timeout' } })
    expect(isAborted).toBe(true)
  })

  test('beyond the limit are put off, health is not', async () => {
    const gate = Promise.withResolvers<void>()
    await using running = await start({ limits: { inFlight: 1 }, before: () => gate.promise })
    const as = await frontProxy()
    const first = ask(running, things, { as, headers })
    while (running.callers.length === 0) await running.clock.quiet()
    const second = await ask(running, things, { as, headers })
    expect(second).toMatchObject({ status: 429, body: { reason: 'TooManyRequests' } })
    expect(second.headers['retry-after']).toBe('1')
    expect((await ask(running, '/livez')).status).toBe(200)
    gate.resolve()
    expect((await first).status).toBe(200)
  })
})

describe('a list that is longer than what is sent at once', () => {
  const headers = { ...janesHeaders, accept: 'application/json' }
  /** Ten thousand objects of a kilobyte; what was made of them is counted. */
  const long = (state: { made: number }, failsAt = Number.POSITIVE_INFINITY) =>
    aggregatedApi({
      group: 'things.example.io',
      version: 'v1',
      resources: [
        {
          name: 'things',
          kind: 'Thing',
          namespaced: false,
          sharedMs: 250,
          *list() {
            while (state.made < 10_000) {
              if (state.made === failsAt) throw new Error('broken')
              yield { ...object(`t-${state.made++}`, 'x'), text: 'x'.repeat(1_000) }
            }
          },
          schema: {},
        },
      ],
    })
  const startLong = (state: { made: number }, failsAt?: number) => {
    const apis = [long(state, failsAt)]
    return start({ more: { apis: () => apis } })
  }

  test('comes whole, and without its length', async () => {
    await using running = await startLong({ made: 0 })
    const reply = await ask(running, things, { as: await frontProxy(), headers })
    expect(reply.status).toBe(200)
    expect(reply.headers['content-length']).toBeUndefined()
    const { items } = Object(reply.body) as { readonly items: readonly KubeObject[] }
    expect(items.map(({ metadata }) => metadata.name)).toEqual(Array.from({ length: 10_000 }, (_, at) => `t-${at}`))
  })

  test.each([
    ['who reads no further', false],
    ['who goes away', true],
  ])('is made no further for one %s', async (_what, goes) => {
    const state = { made: 0 }
    await using running = await startLong(state)
    const { certificate, key } = await frontProxy()
    const agent = new Agent({ connect: { ca: authorities.server.certificate, cert: certificate, key } })
    const reply = await request(`https://localhost:${running.server.port}${things}`, { dispatcher: agent, headers })
    if (goes) {
      reply.body.on('error', () => undefined)
      reply.body.destroy()
    }
    // Buffers of both ends are filled; then it stands still.
    for (let before = -1; before !== state.made; ) {
      before = state.made
      await systemClock.after(50)
    }
    expect(state.made).toBeGreaterThan(500)
    expect(state.made).toBeLessThan(9_000)
    await agent.destroy()
  })

  test('is a refusal where it fails at once, and breaks off where it fails late', async () => {
    const as = await frontProxy()
    await using early = await startLong({ made: 0 }, 100)
    expect(await ask(early, things, { as, headers })).toMatchObject({ status: 500, body: { reason: 'InternalError' } })
    await using late = await startLong({ made: 0 }, 5_000)
    await expect(ask(late, things, { as, headers })).rejects.toThrow()
  })
})

test('a certificate is exchanged while it runs', async () => {
  await using running = await start()
  const nowMs = systemClock.now()
  running.server.setCertificate(
    await issueLeaf(authorities.stranger, { commonName: 's', dnsNames: ['localhost'], usages: ['server'], nowMs }),
  )
  await expect(ask(running, '/livez')).rejects.toThrow(/certificate/)
})

test.each([
  ['no group', { group: '', version: 'v1', resources: [] }],
  ['an odd version', { group: 'a.b', version: '1', resources: [] }],
  ['nothing to read', { group: 'a.b', version: 'v1', resources: [{ name: 'xs', kind: 'X', namespaced: true, schema: {} }] }],
])('an API with %s is refused', (_what, api) => {
  expect(() => aggregatedApi(api)).toThrow(/API /)
})

describe('what is said besides', () => {
  const given = (front: Name, header = 'x-user') => ({
    'requestheader-client-ca-file': authorities[front].certificate,
    'requestheader-username-headers': JSON.stringify([header]),
    'requestheader-allowed-names': '[]',
  })

  test('authorities that are given stand in the place of the ConfigMap’s, with their own headers, and may be exchanged', async () => {
    await using running = await start({ more: { trust: { given: given('stranger') } } })
    const stranger = await client('stranger', 'anybody')
    const come = (as: KeyPair, headers: Headers) => ask(running, things, { as, headers }).then(({ status }) => status)
    expect(await come(stranger, { 'x-user': 'jane' })).toBe(200)
    expect(running.callers).toMatchObject([{ name: 'jane' }])
    expect(await come(stranger, { 'x-remote-user': 'jane' })).toBe(401)
    expect(await come(await frontProxy(), { 'x-user': 'jane', 'x-remote-user': 'jane' })).toBe(401)
    // What is not given is still the ConfigMap's.
    expect(await come(await client('cluster', 'mary'), {})).toBe(200)
    running.server.setGivenTrust(given('newProxy', 'x-other'))
    expect(await come(stranger, { 'x-user': 'jane' })).toBe(401)
    expect(await come(await client('newProxy', 'anybody'), { 'x-other': 'jane' })).toBe(200)
    running.server.setGivenTrust({
      ...given('proxy'),
      'requestheader-client-ca-file': 'no certificate',
      'requestheader-username-headers': '{',
    })
    expect(await come(await client('newProxy', 'anybody'), { 'x-other': 'jane' })).toBe(200)
  })

  test.each([
    ['required', 503],
    ['tolerated', 200],
    ['off', 200],
  ] as const)('a ConfigMap that is not there, where it is %s: %i', async (lookup, expected) => {
    await using running = await start({ config: 'absent', more: { trust: { lookup, given: given('stranger') } } })
    const { status } = await ask(running, things, { as: await client('stranger', 'p'), headers: { 'x-user': 'jane' } })
    expect(status).toBe(expected === 503 ? 401 : 200)
    expect((await ask(running, things)).status).toBe(expected)
    const isAsked = running.behind.transport.seen.some(({ path }) => path.endsWith('/configmaps'))
    expect(isAsked).toBe(lookup !== 'off')
  })

  test('answers of reviews live as long as is said', async () => {
    const lives = { tokenMs: 0, allowedMs: 30_000, refusedMs: 0 }
    await using running = await start({ more: { reviews: { lives } } })
    const asked = (resource: string) => running.behind.transport.seen.filter(({ path }) => path.endsWith(resource)).length
    const come = async () => (await ask(running, things, { headers: { authorization: 'Bearer good' } })).status
    expect([await come(), await come()]).toEqual([200, 200])
    expect([asked('/tokenreviews'), asked('/subjectaccessreviews')]).toEqual([2, 1])
    await running.clock.advance(30_000)
    running.behind.reviews.access = () => answer(201, { status: { allowed: false } })
    expect([await come(), await come()]).toEqual([403, 403])
    expect([asked('/tokenreviews'), asked('/subjectaccessreviews')]).toEqual([4, 3])
  })

  test.each([
    ['/metrics', ['/metrics'], 200],
    ['/metrics', ['/healthz'], 403],
    ['/openapi/v3', ['/openapi/*'], 200],
    ['/readyz/ping', ['/readyz'], 200],
    ['/livez', ['/readyz'], 403],
    ['/metricsx', ['/metrics'], 403],
    [things, ['/apis/*'], 403],
  ])('%s, where nobody is asked about %j: %i', async (path, openPaths, expected) => {
    const ping = { name: 'ping', check: () => undefined }
    await using running = await start({ more: { openPaths, probes: () => ({ live: () => [ping], ready: () => [ping] }) } })
    running.behind.reviews.access = () => answer(201, { status: { allowed: false } })
    expect((await ask(running, path)).status).toBe(expected)
  })

  test('probes of its own fail without holding up answers, and have our end among them', async () => {
    const bad = { name: 'empty', check: () => 'nothing yet' }
    await using running = await start({
      more: { probes: ({ shutdown }) => ({ live: () => [], healthy: () => [bad], ready: () => [bad, shutdown] }) },
    })
    expect((await ask(running, '/readyz?verbose')).body).toBe(
      '[-]empty failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n',
    )
    expect((await ask(running, '/healthz')).status).toBe(500)
    expect((await ask(running, '/livez')).status).toBe(200)
    expect((await ask(running, things)).status).toBe(200)
    running.server.drain()
    expect((await ask(running, '/readyz/shutdown')).status).toBe(500)
  })

  test('headers, title and the pair of the name that is asked for', async () => {
    const nowMs = systemClock.now()
    const pair = await issueLeaf(authorities.stranger, { commonName: 'n', dnsNames: ['localhost'], usages: ['server'], nowMs })
    const names = ['*.example.io']
    const running = await start({
      more: {
        headers: { 'strict-transport-security': 'max-age=1' },
        title: 'Things',
        namedPairs: () => [{ pair, names }],
        wire: { minVersion: 'TLSv1.3' },
      },
    })
    const { body, headers } = await ask(running, '/openapi/v2')
    expect(body).toMatchObject({ info: { title: 'Things', version: 'v1.2.3' } })
    expect(headers['strict-transport-security']).toBe('max-age=1')
    const issuerOf = async (servername: string, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') => {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const socket = connect({ host: 'localhost', port: running.server.port, servername, rejectUnauthorized: false, maxVersion })
      socket.once('secureConnect', () => resolve(String(socket.getPeerCertificate().issuer.CN)))
      socket.once('error', reject)
      return await promise.finally(() => socket.destroy())
    }
    expect(await issuerOf('a.example.io')).toBe('stranger')
    expect(await issuerOf('a.b.example.io')).toBe('server')
    expect(await issuerOf('localhost')).toBe('server')
    await expect(issuerOf('localhost', 'TLSv1.2')).rejects.toThrow(/alert protocol version|EPROTO|version/)
    // Connections on which nothing was asked have a second.
    const over = running[Symbol.asyncDispose]()
    await running.clock.advance(2_000)
    await over
  })
})

describe('a path for replicas of this process', () => {
  const path = '/ballast/things'
  const token = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })
  /** Robots have the same name, but for one that was made anew under it. */
  const users: Readonly<Record<string, object>> = {
    own: { username: 'system:serviceaccount:b:robot', uid: '7' },
    another: { username: 'system:serviceaccount:b:robot', uid: '7', extra: { pod: ['2'] } },
    later: { username: 'system:serviceaccount:b:robot', uid: '8' },
    stranger: { username: 'system:serviceaccount:b:robot2', uid: '9' },
    admin: { username: 'admin', groups: ['system:masters'] },
  }
  const startPrivate = async (own: () => string | undefined) => {
    const running = await start({
      more: {
        privatePaths: {
          all: () => [{ path, contentType: 'x/y', answer: async query => Buffer.from(`after ${query.get('after')}`) }],
          token: async () => own(),
        },
      },
    })
    running.behind.reviews.token = value =>
      answer(201, { status: users[value] === undefined ? { user: {} } : { authenticated: true, user: users[value] } })
    return running
  }

  const robot = { 'x-remote-user': 'system:serviceaccount:b:robot', 'x-remote-uid': '7' }
  test.each([
    ['our own token', async () => token('own'), 200],
    ['the token of another pod of ours', async () => token('another'), 200],
    ['an account that was made anew', async () => token('later'), 403],
    ['another account', async () => token('stranger'), 403],
    ['an administrator', async () => token('admin'), 403],
    ['a token that is not good', async () => token('made up'), 401],
    ['nobody', async () => ({}), 403],
    ['a front proxy that speaks for us', async () => ({ as: await frontProxy(), headers: robot }), 403],
    ['a certificate in our name', async () => ({ as: await client('cluster', 'system:serviceaccount:b:robot') }), 403],
    ['another method', async () => ({ ...token('own'), method: 'POST' as const }), 405],
    ['another method of a stranger', async () => ({ ...token('stranger'), method: 'POST' as const }), 403],
  ])('%s', async (_, asked, status) => {
    await using running = await startPrivate(() => 'own')
    const reply = await ask(running, `${path}?after=7`, await asked())
    expect(reply.status).toBe(status)
    if (status === 200) expect(reply.body).toBe('after 7')
    // Rights in the cluster do not count here.
    expect(running.behind.transport.seen.filter(seen => seen.path.endsWith('/subjectaccessreviews'))).toEqual([])
  })

  test.each([
    ['we have no token', () => undefined],
    ['our token is not good', () => 'gone'],
  ])('while %s nobody is one of us', async (_, own) => {
    await using running = await startPrivate(own)
    expect((await ask(running, path, token('own'))).status).toBe(503)
  })

  test('it is told of nowhere, and what is below it is none', async () => {
    await using running = await startPrivate(() => 'own')
    for (const place of ['/apis', '/openapi/v2', '/openapi/v3'])
      expect(JSON.stringify((await ask(running, place, token('admin'))).body)).not.toContain('ballast')
    expect((await ask(running, `${path}/x`, token('admin'))).status).toBe(404)
  })
})
