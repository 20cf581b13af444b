// The drop-in metrics-server on a twin, with kubelets of the test: it answers as upstream was recorded, and goes on under faults.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { runMetricsServer } from '../src/capabilities/metrics/commands/run-metrics-server.ts'
import { parseMetricsServerFlags } from '../src/capabilities/metrics/flags/metrics-server-flags.ts'
import { KubeletClient } from '../src/capabilities/metrics/scrape/kubelet-client.ts'
import { type FakeKubelet, FakeKubelets } from './fake-kubelets.ts'
import { nodeObject, openKubelets, podObjects } from './metrics-cluster.ts'
import { comparable } from './metrics-server-differences.ts'
import { metricsAccount, upstreamMetricsRole } from './metrics-server-role.ts'
import { type MetricsAnswer, metricsRequests, steadyAnswer } from './real/metrics/requests.ts'

const beganMs = Date.UTC(2026, 2, 1)
const limitMs = 300_000
const stepMs = 250
const api = '/apis/metrics.k8s.io/v1beta1'
const { signal } = new AbortController()

let authority: KeyPair
let frontProxy: KeyPair
let admin: KeyPair
let directory: string
beforeAll(async () => {
  const nowMs = systemClock.now()
  ;[authority, frontProxy] = await Promise.all([
    issueAuthority({ commonName: 'clients', nowMs }),
    issueAuthority({ commonName: 'front', nowMs }),
  ])
  admin = await issueLeaf(authority, { commonName: 'jane', organizations: ['system:masters'], usages: ['client'], nowMs })
  directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-server-'))
  writeFileSync(join(directory, 'clients.pem'), authority.certificate)
  writeFileSync(join(directory, 'front.pem'), frontProxy.certificate)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface AskOptions {
  readonly method?: 'GET' | 'POST'
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly isAnonymous?: boolean
  /** Shown instead of the administrator's. */
  readonly certificate?: KeyPair
}

class Site implements AsyncDisposable {
  readonly clock = new VirtualClock(beganMs)
  readonly stop = new AbortController()
  readonly #stack = new AsyncDisposableStack()
  twin!: Twin
  kubelets!: ReadonlyMap<string, FakeKubelet>
  port = 0
  end: { readonly error?: unknown } | undefined
  /** While it is there a scrape waits for it, whatever its signal says. */
  hung: Promise<void> | undefined
  /** What the API server behind it does to requests. */
  between: ((transport: Transport) => Transport['request']) | undefined

  async start(flags: readonly string[] = [], more: readonly KubeObject[] = []): Promise<this> {
    const { clock } = this
    const fakes = this.#stack.use(await FakeKubelets.start(() => clock.now()))
    // The story of its containers begins after the test.
    this.kubelets = await openKubelets(fakes, beganMs + 1_800_000)
    const nodes = [...this.kubelets].map(([name, { port }]) => nodeObject(name, port))
    this.twin = this.#stack.use(
      await startTwin({
        clock,
        wire: clock,
        objects: [...nodes, ...podObjects(), ...upstreamMetricsRole, ...more],
        components: false,
      }),
    )
    const token = await this.twin.issueToken({
      namespace: metricsAccount.namespace,
      serviceAccount: metricsAccount.name,
      seconds: 86_400,
    })
    const inner = this.twin.transport({ token })
    const transport: Transport = {
      request: asked => (this.between?.(inner) ?? inner.request.bind(inner))(asked),
      stream: asked => inner.stream(asked),
      close: () => inner.close(),
    }
    const client: Api = openApi(transport, { clock, userAgent: 'metrics-server' })
    this.#stack.defer(() => client.close())
    const parsed = parseMetricsServerFlags([
      ...[
        '--metric-resolution=15s',
        '--kubelet-use-node-status-port',
        '--kubelet-preferred-address-types=InternalIP',
        '--bind-address=127.0.0.1',
        '--cert-dir=',
      ],
      ...[
        '--authentication-skip-lookup',
        `--client-ca-file=${join(directory, 'clients.pem')}`,
        `--requestheader-client-ca-file=${join(directory, 'front.pem')}`,
        '--requestheader-allowed-names=front-proxy',
      ],
      ...flags,
    ])
    if (!parsed.ok || parsed.settings.serving === undefined) throw new Error('flags')
    const { settings } = parsed
    const trust = { authority: fakes.authority.certificate, isInsecure: false }
    const kubelets = this.#stack.use(
      new KubeletClient({
        clock,
        trust,
        token: async () => token,
        timeoutMs: settings.kubelet.requestTimeoutMs,
        format: 'text',
        gzip: settings.kubelet.gzip,
      }),
    )
    const serving = Promise.withResolvers<number>()
    runMetricsServer(
      {
        settings: { ...settings, serving: { ...parsed.settings.serving, port: 0 } },
        ...{ api: client, authenticationApi: client, authorizationApi: client, clock },
        kubelets: {
          scrape: async (...asked) => {
            await this.hung
            return await kubelets.scrape(...asked)
          },
        },
        ...{ random: seededRandom(1), log: silentLog, host: 'test', version: '0.1.0', registry: new Registry() },
        onServing: ({ port }) => serving.resolve(port),
      },
      this.stop.signal,
    ).then(
      () => (this.end = {}),
      (error: unknown) => {
        this.end = { error }
        serving.reject(error)
      },
    )
    this.port = await serving.promise
    return this
  }

  /** All nodes have been asked twice. */
  async measured(): Promise<void> {
    await this.clock.advance(31_000)
    await this.until(async () => (await this.ask('/readyz')).status === 200)
  }

  /** Time goes on until it holds; what goes over sockets is not seen by the clock. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; !(await holds()); waitedMs += stepMs) {
      if (waitedMs > limitMs) throw new Error('waited in vain')
      await this.clock.advance(stepMs)
    }
  }

  async ask(
    path: string,
    { method = 'GET', accept = 'application/json', headers = {}, isAnonymous = false, certificate = admin }: AskOptions = {},
  ) {
    const shown = isAnonymous ? {} : { cert: certificate.certificate, key: certificate.key }
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false, ...shown } })
    try {
      const answer = await request(`https://127.0.0.1:${this.port}${path}`, {
        method,
        dispatcher,
        headers: { accept, ...headers, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) },
        ...(method === 'POST' ? { body: '{}' } : {}),
      })
      return {
        status: answer.statusCode,
        contentType: String(answer.headers['content-type'] ?? ''),
        text: await answer.body.text(),
        headers: answer.headers,
      }
    } finally {
      await dispatcher.destroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new DOMException('the test is over', 'AbortError'))
    await this.until(() => this.end !== undefined)
    await this.#stack.disposeAsync()
  }
}

const recording: { readonly answers: readonly MetricsAnswer[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'metrics-server', 'answers.json'), 'utf8'),
)

let shared: Site
beforeAll(async () => {
  shared = await new Site().start()
  await shared.measured()
})
afterAll(() => shared[Symbol.asyncDispose]())

test('answers are those of metrics-server, as recorded', async () => {
  const site = shared
  const ours: MetricsAnswer[] = []
  for (const { name, path, ...more } of metricsRequests) ours.push(comparable(steadyAnswer(name, await site.ask(path, more))))
  expect(ours).toEqual(recording.answers.map(comparable))
  const [asked] = site.kubelets.get('n1')?.asked ?? []
  expect(asked).toMatchObject({ path: '/metrics/resource', accept: 'text/plain;version=0.0.4' })
  expect(asked?.['authorization']).toMatch(/^Bearer /)
  const counted = (await site.ask('/metrics')).text.matchAll(/^apiserver_request_total\{(.*component="apiserver".*)\} \d+$/gm)
  expect([...counted].map(([, labels = '']) => countedLabels(labels)).toSorted()).toEqual(countedByUpstream)
})

const countedLabels = (text: string) => {
  const labels = Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  return `${labels['verb']} ${labels['resource']}${labels['subresource']} ${labels['scope']} ${labels['code']}`
}

/** What metrics-server 0.9.0 counted of the same requests; a check with the real one compares. */
const countedByUpstream = [
  'GET apis  200',
  'GET nodes resource 200',
  'GET nodes resource 404',
  'GET pods resource 200',
  'GET pods resource 404',
  'LIST nodes cluster 200',
  'LIST nodes cluster 400',
  'LIST pods cluster 200',
  'LIST pods cluster 400',
  'LIST pods namespace 200',
  'WATCH nodes cluster 405',
  'WATCH pods namespace 405',
]

test('before anything is measured it is not ready, and answers with empty lists', async () => {
  const site = new Site()
  await using _ended = site
  await site.start()
  await site.until(async () => (await site.ask(`${api}/nodes`)).status === 200)
  expect(JSON.parse((await site.ask(`${api}/nodes`)).text).items).toEqual([])
  const { status, text } = await site.ask('/readyz?verbose', { isAnonymous: true })
  expect([status, text]).toEqual([
    500,
    expect.stringContaining('[-]metric-storage-ready failed: reason withheld\n[+]metric-informer-sync ok'),
  ])
  expect((await site.ask('/livez')).status).toBe(200)
})

test('case 25: a tick that hangs fails liveness after one and a half resolutions', async () => {
  await using site = await new Site().start()
  await site.measured()
  const hung = Promise.withResolvers<void>()
  site.hung = hung.promise
  // A tick begins at the next multiple of the resolution.
  await site.clock.advance(15_000 - (site.clock.now() % 15_000))
  await site.clock.advance(22_000)
  expect(await statusOf(site.ask('/livez', { isAnonymous: true }))).toBe(200)
  await site.clock.advance(1_000)
  const { status, text } = await site.ask('/livez?verbose', { isAnonymous: true })
  expect([status, text]).toEqual([500, expect.stringContaining('[-]metric-collection-timely failed: reason withheld')])
  expect(await statusOf(site.ask('/healthz', { isAnonymous: true }))).toBe(200)
  site.hung = undefined
  hung.resolve()
  await site.clock.advance(15_000)
  expect(await statusOf(site.ask('/livez', { isAnonymous: true }))).toBe(200)
})

test('a kubelet that fails keeps its last answer for a while, and no other waits for it', async () => {
  await using site = await new Site().start()
  await site.measured()
  const names = async () => JSON.parse((await site.ask(`${api}/nodes`)).text).items.map((item: KubeObject) => item.metadata.name)
  const n1 = site.kubelets.get('n1')
  if (n1 === undefined) throw new Error('no n1')
  n1.fault = { status: 200, body: '<html>sign in</html>' }
  await site.clock.advance(16_000)
  expect(await names()).toEqual(['n1', 'n2'])
  await site.clock.advance(45_000)
  expect(await names()).toEqual(['n2'])
  expect((await site.ask('/metrics')).text).toMatch(/^ballast_metrics_scrape_errors_total\{reason="format"\} [1-9]/m)
  n1.fault = undefined
  await site.clock.advance(31_000)
  expect(await names()).toEqual(['n1', 'n2'])
})

describe('case 26: who is not the front proxy', () => {
  const api26 = `${api}/nodes`
  const forged = { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' }
  test('and says it is speaks for nobody', async () => {
    const site = shared
    const nowMs = systemClock.now()
    const leaf = (of: KeyPair, commonName: string) => issueLeaf(of, { commonName, usages: ['client'], nowMs })
    const stranger = await issueAuthority({ commonName: 'stranger', nowMs })
    const [other, jane, proxy, foreign] = await Promise.all([
      leaf(frontProxy, 'other'),
      leaf(authority, 'jane'),
      leaf(frontProxy, 'front-proxy'),
      leaf(stranger, 'front-proxy'),
    ])
    expect(await statusOf(site.ask(api26, { headers: forged, isAnonymous: true }))).toBe(403)
    expect(await statusOf(site.ask(api26, { headers: forged, certificate: jane }))).toBe(403)
    expect(await statusOf(site.ask(api26, { headers: forged, certificate: other }))).toBe(401)
    expect(await statusOf(site.ask(api26, { headers: forged, certificate: foreign }))).toBe(401)
    expect(await statusOf(site.ask(api26, { headers: { ...forged, authorization: 'Bearer nonsense' }, isAnonymous: true }))).toBe(
      401,
    )
    expect(await statusOf(site.ask(api26, { headers: forged, certificate: proxy }))).toBe(200)
    expect(await statusOf(site.ask(api26, { headers: { 'x-remote-user': 'nobody' }, certificate: proxy }))).toBe(403)
    expect(await statusOf(site.ask('/metrics', { isAnonymous: true }))).toBe(403)
    expect((await site.ask('/metrics', { headers: forged, certificate: proxy })).text).toContain(
      'metrics_server_kubelet_request_total{success="true"}',
    )
  })
})

async function statusOf(answer: Promise<{ readonly status: number }>): Promise<number> {
  return (await answer).status
}

test('case 27: a pod that ended is not listed, whatever its kubelet still says of it', async () => {
  const site = shared
  expect((await site.ask(`${api}/namespaces/shop/pods`)).text).not.toContain('"done"')
  expect(JSON.parse((await site.ask(`${api}/namespaces/shop/pods/done`)).text).message).toBe('pods "done" not found')
})

test('paths that are always allowed are nobody’s question, and only they', async () => {
  await using site = await new Site().start(['--authorization-always-allow-paths=/livez,/readyz,/metrics'])
  await site.measured()
  expect(await statusOf(site.ask('/metrics', { isAnonymous: true }))).toBe(200)
  expect(await statusOf(site.ask('/readyz/ping', { isAnonymous: true }))).toBe(200)
  expect(await statusOf(site.ask('/healthz', { isAnonymous: true }))).toBe(403)
  expect(await statusOf(site.ask('/healthz'))).toBe(200)
})

test('while the API server cannot be asked, what was known is served to whom certificates tell, and to nobody else', async () => {
  await using site = await new Site().start()
  await site.measured()
  const nowMs = systemClock.now()
  const proxy = await issueLeaf(frontProxy, { commonName: 'front-proxy', usages: ['client'], nowMs })
  site.between = () => async () => {
    throw new Error('connection refused')
  }
  let [token, unknown] = [0, 0]
  void statusOf(site.ask(`${api}/nodes`, { isAnonymous: true, headers: { authorization: 'Bearer any' } })).then(
    code => (token = code),
  )
  void statusOf(site.ask(`${api}/nodes`, { headers: { 'x-remote-user': 'jane' }, certificate: proxy })).then(
    code => (unknown = code),
  )
  await site.until(() => token > 0 && unknown > 0)
  expect([token, unknown]).toEqual([401, 500])
  await site.clock.advance(120_000)
  // Masters are asked about nowhere, and what is scraped meanwhile is as fresh as ever.
  const { items } = JSON.parse((await site.ask(`${api}/nodes`)).text)
  expect(items).toHaveLength(2)
  expect(site.clock.now() - Date.parse(items[0].timestamp)).toBeLessThan(45_000)
  site.between = undefined
  expect(
    await statusOf(
      site.ask(`${api}/nodes`, { headers: { 'x-remote-user': 'jane', 'x-remote-group': 'system:masters' }, certificate: proxy }),
    ),
  ).toBe(200)
})

test('beyond the requests that may be in flight others are put off with a time', async () => {
  await using site = await new Site().start(['--max-requests-inflight=3'])
  await site.measured()
  const waiting = Promise.withResolvers<never>()
  site.between = inner => asked => (asked.path.includes('subjectaccessreviews') ? waiting.promise : inner.request(asked))
  const flood = Array.from({ length: 3 }, (_, at) => site.ask(`${api}/nodes?n=${at}`, { isAnonymous: true }))
  await expect.poll(async () => (await site.ask(`${api}/nodes`)).status).toBe(429)
  const { status, headers } = await site.ask(`${api}/nodes`)
  expect([status, headers['retry-after']]).toEqual([429, '1'])
  expect(await statusOf(site.ask('/livez', { isAnonymous: true }))).toBe(200)
  waiting.reject(new Error('connection refused'))
  const over: number[] = []
  for (const one of flood) void statusOf(one).then(code => over.push(code))
  await site.until(() => over.length === 3)
  expect(over).toEqual([500, 500, 500])
})

test('asked to end it is not ready any more, answers for the delay, and ends', async () => {
  await using site = await new Site().start(['--shutdown-delay-duration=5s'])
  await site.measured()
  site.stop.abort(new DOMException('stopped', 'AbortError'))
  await expect.poll(async () => (await site.ask('/readyz?verbose')).text).toContain('[-]shutdown failed')
  expect(await statusOf(site.ask(`${api}/nodes`))).toBe(200)
  await site.until(() => site.end !== undefined)
  expect(site.end).toEqual({})
  await expect(site.ask('/readyz')).rejects.toThrow()
})

// Upstream writes no Events, and its role allows none: with it alone the log is all that tells.
const rbac = 'rbac.authorization.k8s.io'
const eventsRole: KubeObject = {
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRole',
  metadata: { name: 'events' },
  rules: [{ apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }],
}
const eventsBinding: KubeObject = {
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name: 'events' },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'events' },
  subjects: [{ kind: 'ServiceAccount', ...metricsAccount }],
}

test('case 31: a path that leads elsewhere is not asked for, and an Event says so', async () => {
  const site = new Site()
  await using _ended = site
  await site.start([], [eventsRole, eventsBinding])
  await site.measured()
  const admin31 = openApi(site.twin.transport({ admin: true }), { clock: site.clock, userAgent: 'admin' })
  const annotations = { 'metrics.k8s.io/resource-metrics-path': '../x' }
  await admin31.resource(builtIn.nodes).patch('n1', { type: 'merge', body: { metadata: { annotations } } }, { signal })
  await site.clock.advance(31_000)
  const told = () => site.twin.access.list('events').filter(event => event['reason'] === 'InvalidMetricsPath')
  await site.until(() => told().length > 0)
  expect(JSON.stringify(told())).toContain('"type":"Warning"')
  expect(site.kubelets.get('n1')?.asked.every(({ path }) => path === '/metrics/resource')).toBe(true)
})
