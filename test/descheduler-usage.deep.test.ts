// Usage from the twin's metrics.k8s.io and from servers that answer, or do not, as a Prometheus might.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { node, pod } from '#cluster/testdata/objects.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { closed, listening } from '#kube/server/listening.ts'
import { startTwin } from '#twin/twin.ts'
import { readPolicy } from '../src/capabilities/deschedule/compat/policy/read-policy.ts'
import { oneCycle } from '../src/capabilities/deschedule/compat/strategies/testdata/one-cycle.ts'
import { UsageProviders } from '../src/capabilities/deschedule/compat/usage/usage-providers.ts'

const nowMs = Date.UTC(2026, 10, 1)
const nodes = ['n1', 'n2', 'n3'].map(name => node(name, { cpu: '10', memory: '100Gi', pods: '110' }))
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }
const pods = Array.from({ length: 4 }, (_, at) => pod(`x/n1-${at}`, { cpu: '100m', node: 'n1', owner }))
const cluster = [...nodes, ...pods]

/** A policy with LowNodeUtilization by one source of usage. */
function policyOf(provider: object, args: object): string {
  return JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    metricsProviders: [provider],
    profiles: [
      {
        name: 'p',
        pluginConfig: [{ name: 'LowNodeUtilization', args }],
        plugins: { balance: { enabled: ['LowNodeUtilization'] } },
      },
    ],
  })
}

const byMetrics = policyOf(
  { source: 'KubernetesMetrics' },
  { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 }, metricsUtilization: { source: 'KubernetesMetrics' } },
)

function byQuery(prometheus: object, query = 'instance:cpu:ratio', args: object = {}): string {
  return policyOf(
    { source: 'Prometheus', prometheus },
    {
      thresholds: { MetricResource: 30 },
      targetThresholds: { MetricResource: 50 },
      metricsUtilization: { source: 'Prometheus', prometheus: { query } },
      ...args,
    },
  )
}

function read(text: string) {
  const reading = readPolicy(text, { file: 'policy.yaml', priorityOf: () => undefined })
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems))
  return reading.policy
}

const nodeMetrics = (name: string, cpu: string): KubeObject & { usage: object } => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'NodeMetrics',
  metadata: { name },
  usage: { cpu, memory: '1Gi' },
})

const podMetrics = (name: string, cpu: string): KubeObject & { containers: object } => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'PodMetrics',
  metadata: { name, namespace: 'x' },
  containers: [{ name: 'main', usage: { cpu, memory: '1Mi' } }],
})

async function measuredTwin(objects: readonly KubeObject[]) {
  const clock = new VirtualClock(nowMs)
  const twin = await startTwin({ clock, objects: [...cluster, ...objects], components: false })
  onTestFinished(() => twin.stop())
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const providers = new UsageProviders({ api, clock, log: silentLog, environment: {}, serviceAccountDirectory: '/not/there' })
  onTestFinished(() => providers[Symbol.asyncDispose]())
  const { signal } = new AbortController()
  /** Follows a policy; the clock is driven. */
  const follow = async (text: string) => {
    let isDone = false
    const following = providers.follow(read(text), signal).then(() => (isDone = true))
    await vi.waitUntil(
      async () => {
        await clock.advance(100)
        return isDone
      },
      { timeout: 200_000, interval: 2 },
    )
    await following
  }
  return { clock, twin, api, providers, follow, signal }
}

test('nodes are sampled, and each cycle sees what pods use then', async () => {
  const { providers, follow, signal } = await measuredTwin([
    ...[nodeMetrics('n1', '8'), nodeMetrics('n2', '1'), nodeMetrics('n3', '3')],
    ...pods.map(({ metadata }) => podMetrics(metadata.name, '1500m')),
  ])
  await follow(byMetrics)
  const measured = await providers.figures(signal)
  expect(measured.metrics?.averages.get('n1')).toEqual(
    new Map([
      ['cpu', 8_000n],
      ['memory', 2n ** 30n],
    ]),
  )
  // 8 to 6.5 and to 5 cores, which is not above half of ten.
  expect(oneCycle(cluster, byMetrics, { nowMs, measured }).evicted.map(({ key }) => key)).toEqual(['x/n1-0', 'x/n1-1'])
})

test('later samples weigh a tenth, and come every five seconds', async () => {
  const { clock, twin, providers, follow, signal } = await measuredTwin([nodeMetrics('n1', '1')])
  await follow(byMetrics)
  twin.load([nodeMetrics('n1', '2')])
  const average = async () => (await providers.figures(signal)).metrics?.averages.get('n1')?.get('cpu')
  expect(await average()).toBe(1_000n)
  await vi.waitUntil(
    async () => {
      await clock.advance(100)
      return (await average()) === 1_100n
    },
    { timeout: 200_000, interval: 2 },
  )
  const startMs = clock.elapsed()
  await vi.waitUntil(
    async () => {
      await clock.advance(100)
      return (await average()) === 1_190n
    },
    { timeout: 200_000, interval: 2 },
  )
  expect(clock.elapsed() - startMs).toBeGreaterThanOrEqual(4_000)
})

test('a node without a sample keeps what it had, and after two minutes fails the plugin', async () => {
  const { clock, twin, providers, follow, signal } = await measuredTwin(['n1', 'n2', 'n3'].map(name => nodeMetrics(name, '5')))
  await follow(byMetrics)
  const fault = twin.fault({ match: { group: 'metrics.k8s.io', resource: 'nodes' }, status: { code: 503 } })
  await clock.advance(60_000)
  expect((await providers.figures(signal)).metrics?.averages.size).toBe(3)
  await clock.advance(61_000)
  const measured = await providers.figures(signal)
  expect(measured.metrics?.averages.size).toBe(0)
  const { report } = oneCycle(cluster, byMetrics, { nowMs, measured })
  expect(report.errors.map(({ error }) => error)).toEqual([
    'plugin "LowNodeUtilization" finished with error: unable to find node "n1" in the collected metrics',
  ])
  fault.remove()
  // It begins anew, with what is.
  twin.load([nodeMetrics('n1', '9')])
  await vi.waitUntil(
    async () => {
      await clock.advance(1_000)
      return (await providers.figures(signal)).metrics?.averages.get('n1')?.get('cpu') === 9_000n
    },
    { timeout: 200_000, interval: 2 },
  )
})

test('where metrics.k8s.io is away the start goes on, and the plugin alone fails', async () => {
  const { twin, providers, follow, signal } = await measuredTwin([])
  twin.fault({ match: { group: 'metrics.k8s.io' }, status: { code: 503 } })
  await follow(byMetrics)
  const measured = await providers.figures(signal)
  const { report, evicted } = oneCycle(cluster, byMetrics, { nowMs, measured })
  expect(evicted).toEqual([])
  expect(report.errors).toHaveLength(1)
})

test('pods without figures are skipped', async () => {
  const { providers, follow, signal } = await measuredTwin([
    ...[nodeMetrics('n1', '8'), nodeMetrics('n2', '1'), nodeMetrics('n3', '3')],
    podMetrics('n1-2', '1500m'),
  ])
  await follow(byMetrics)
  const measured = await providers.figures(signal)
  expect(oneCycle(cluster, byMetrics, { nowMs, measured }).evicted.map(({ key }) => key)).toEqual(['x/n1-2'])
})

test('a provider that no strategy asks is left alone', async () => {
  const { twin, providers, follow, signal } = await measuredTwin([nodeMetrics('n1', '8')])
  await follow(JSON.stringify({ ...JSON.parse(byMetrics), profiles: [] }))
  expect(await providers.figures(signal)).toEqual({})
  expect(twin.requests.entries.filter(({ path }) => path.includes('metrics.k8s.io'))).toEqual([])
})

/** What came, in the order in which it came. */
interface Asked {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly query: string | null
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function prometheus(answer: Handler) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://prometheus')
      const { method = '', headers } = request
      const query = method === 'POST' ? new URLSearchParams(body).get('query') : url.searchParams.get('query')
      asked.push({ method, path: url.pathname, authorization: headers.authorization, query })
      answer(request, response)
    })
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    server.closeAllConnections()
    await closed(server)
  })
  return { url: `http://127.0.0.1:${port}`, port, asked }
}

const vectorOf = (shares: Readonly<Record<string, string>>) => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: Object.entries(shares).map(([instance, value]) => ({ metric: { instance }, value: [0, value] })),
  },
})

const says =
  (body: unknown, status = 200): Handler =>
  (_, response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body))

const good = { n1: '0.81', n2: '0.29', n3: '0.5' }

async function queryingTwin(objects: readonly KubeObject[] = [], directory = '/not/there') {
  const twin = await startTwin({ clock: systemClock, objects: [...cluster, ...objects], components: false })
  onTestFinished(() => twin.stop())
  const api = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  const providers = new UsageProviders({
    api,
    clock: systemClock,
    log: silentLog,
    environment: {},
    serviceAccountDirectory: directory,
  })
  onTestFinished(() => providers[Symbol.asyncDispose]())
  const { signal } = new AbortController()
  /** One cycle of a policy. */
  const cycle = async (text: string) => {
    await providers.follow(read(text), signal)
    const { evicted, report } = oneCycle(cluster, text, { nowMs, measured: await providers.figures(signal) })
    return { evicted: evicted.map(({ key }) => key), errors: report.errors.map(({ error }) => error) }
  }
  return { api, cycle, signal }
}

test('case 11: a server is asked for the query, and one pod goes, or three', async () => {
  const { url, asked } = await prometheus(says(vectorOf(good)))
  const { cycle } = await queryingTwin()
  expect(await cycle(byQuery({ url: `${url}/prefix/` }))).toEqual({ evicted: ['x/n1-0'], errors: [] })
  expect(asked).toEqual([{ method: 'POST', path: '/prefix/api/v1/query', authorization: undefined, query: 'instance:cpu:ratio' }])
  const three = byQuery({ url }, 'q', { evictionLimits: { node: 3 } })
  expect((await cycle(three)).evicted).toEqual(['x/n1-0', 'x/n1-1', 'x/n1-2'])
})

test('where POST is not allowed GET is tried', async () => {
  const { url, asked } = await prometheus((request, response) =>
    request.method === 'POST' ? says('no', 405)(request, response) : says(vectorOf(good))(request, response),
  )
  const { cycle } = await queryingTwin()
  expect((await cycle(byQuery({ url }, 'up == 1'))).evicted).toEqual(['x/n1-0'])
  expect(asked.map(({ method, query }) => [method, query])).toEqual([
    ['POST', 'up == 1'],
    ['GET', 'up == 1'],
  ])
})

test.each<readonly [string, Handler, string]>([
  ['a node that is missing', says(vectorOf({ n1: '0.8', n2: '0.1' })), 'unable to find metric entry for n3'],
  ['a value above 1', says(vectorOf({ ...good, n2: '1.2' })), 'outside of <0; 1> interval'],
  ['no number', says(vectorOf({ ...good, n2: 'NaN' })), 'outside of <0; 1> interval'],
  ['nothing', says(vectorOf({})), 'unable to find metric entry for n1'],
  [
    'its own error',
    says({ status: 'error', errorType: 'bad_data', error: 'parse error' }, 400),
    'prometheus metrics: parse error',
  ],
  ['another status', says('<html>no</html>', 502), 'server answered 502: <html>no</html>'],
  ['no JSON', says('<html>'), 'the answer is none of Prometheus'],
  [
    'a way elsewhere',
    (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'server answered 302',
  ],
  [
    'an end in the middle',
    (_, response) => void response.writeHead(200, { 'content-length': 10 }).write('{', () => response.destroy()),
    'unable to capture prometheus metrics',
  ],
  ['more than is read', (_, response) => void response.writeHead(200).end('a'.repeat(17 * 2 ** 20)), 'the answer is larger than'],
])('case 11: %s fails the plugin, and nothing is evicted', async (_, answer, message) => {
  const { url } = await prometheus(answer)
  const { cycle } = await queryingTwin()
  const { evicted, errors } = await cycle(byQuery({ url }))
  expect(evicted).toEqual([])
  expect(errors).toEqual([expect.stringContaining(message)])
})

test('nobody there: the plugin fails', async () => {
  const { cycle } = await queryingTwin()
  const { evicted, errors } = await cycle(byQuery({ url: 'http://127.0.0.1:1' }))
  expect(evicted).toEqual([])
  expect(errors).toEqual([expect.stringContaining('unable to capture prometheus metrics')])
})

test('a token of a Secret is sent, and its successor in the next cycle', async () => {
  const { url, asked } = await prometheus(says(vectorOf(good)))
  const secret = (token: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'prom', namespace: 'monitoring' },
    data: { prometheusAuthToken: Buffer.from(token).toString('base64') },
  })
  const { cycle, api, signal } = await queryingTwin([secret('first\n')])
  const policy = byQuery({ url, authToken: { secretReference: { namespace: 'monitoring', name: 'prom' } } })
  await cycle(policy)
  await api.resource<KubeObject>(builtIn.secrets).update(secret('second'), { namespace: 'monitoring', signal })
  await cycle(policy)
  expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second'])
})

test.each([
  ['no Secret', undefined, 'unable to get monitoring/prom secret: not found'],
  ['no such key', {}, 'missing "prometheusAuthToken" data or empty'],
  ['an empty one', { prometheusAuthToken: '' }, 'missing "prometheusAuthToken" data or empty'],
  [
    'what no header holds',
    { prometheusAuthToken: Buffer.from('a\r\nb: c').toString('base64') },
    'has characters that no token has',
  ],
])('%s: the plugin fails, and the server is not asked', async (_, data, message) => {
  const { url, asked } = await prometheus(says(vectorOf(good)))
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'prom', namespace: 'monitoring' }, data }
  const { cycle } = await queryingTwin(data === undefined ? [] : [secret])
  const { errors } = await cycle(byQuery({ url, authToken: { secretReference: { namespace: 'monitoring', name: 'prom' } } }))
  expect(errors).toEqual([expect.stringContaining(message)])
  expect(asked).toEqual([])
})

test("the service account's token does not go over plain HTTP; user and password of the address do", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-account-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'token'), 'own-token\n')
  const { port, url, asked } = await prometheus(says(vectorOf(good)))
  const { cycle } = await queryingTwin([], directory)
  await cycle(byQuery({ url }))
  await cycle(byQuery({ url: `http://me:p%40ss@127.0.0.1:${port}` }))
  expect(asked.map(({ authorization }) => authorization)).toEqual([
    undefined,
    `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
  ])
})
