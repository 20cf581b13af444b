// Resource metrics as a part of `ballast apiserver`, with the rights that are installed for it: real TLS to kubelets, and a twin that asks it
// for metrics.k8s.io as an API server does.
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { metrics } from '#capabilities/metrics'
import { type Capability, capability } from '#coordination/capability.ts'
import { type UsageSource, usagePort } from '#coordination/ports/usage.ts'
import { accountToken, installBallast, installServices } from '#deployment/install-ballast.ts'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { systemClock } from '#kube/clock.ts'
import { tokenConfig } from '#kube/credentials/cluster-config.ts'
import { silentLog } from '#kube/log.ts'
import { apiServices } from '#kube/objects/api-service.ts'
import { at, listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { SharedApis } from '#process/apiserver/shared-apis.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { apiserverAccount } from '#process/own-names.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { servedApi } from '../src/capabilities/metrics/names.ts'
import { namespace } from './controlled-cluster.ts'
import { FakeKubelets } from './fake-kubelets.ts'
import { nodeObject, openKubelets, podObjects, story } from './metrics-cluster.ts'

const podMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' } as const
/** A container that started forty seconds ago is old enough, and young enough, to be served from one scrape. */
const startedMs = story.starts
const stop = new AbortController()
const { signal } = stop
const stack = new AsyncDisposableStack()
const health = new ControllerHealth()
let twin: Twin
let admin: Api
let apis: SharedApis
let taken: UsageSource | undefined

/** Another capability of the process, that reads what is measured. */
const reader: Capability = {
  ...capability({ name: 'reader', config: metrics.config, kinds: [], replaces: [], disrupts: [], leaves: [], parts: [] }),
  parts: [
    {
      process: 'apiserver',
      presence: 'always',
      trust: 'edge',
      needs: [],
      permissions: [],
      listeners: [],
      offers: [],
      takes: [{ port: usagePort, without: 'wait' }],
      start: async ({ ports }) => {
        taken = ports.take(usagePort)
        return { health: () => [], reconfigure: async () => 'applied', [Symbol.asyncDispose]: async () => undefined }
      },
    },
  ],
}

beforeAll(async () => {
  const fakes = stack.use(await FakeKubelets.start(() => Date.now()))
  const kubelets = await openKubelets(fakes, Date.now() - startedMs - 40_000)
  const nodes = [...kubelets].map(([name, { port }]) => nodeObject(name, port))
  twin = stack.use(
    await startTwin({
      clock: systemClock,
      objects: [...nodes, ...podObjects()],
      components: false,
      listen: { port: 0, bind: '127.0.0.1' },
    }),
  )
  admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  stack.defer(() => admin.close())
  const capabilities = [metrics, reader]
  const installed = { capabilities, namespace, signal }
  await installBallast(admin, installed)
  const token = await accountToken(admin, apiserverAccount, { namespace, seconds: 86_400, signal })
  const registry = new Registry()
  const around = { clock: systemClock, log: silentLog, metrics: registry }
  apis = new SharedApis({
    ...around,
    service: apiserverAccount,
    port: 0,
    bind: '127.0.0.1',
    version: '0.1.0',
    token: async () => token,
    // No EndpointSlice may name loopback.
    dial: async (_, port) => ({ host: '127.0.0.1', port }),
  })
  const running = runApiserver({
    ...around,
    transport: twin.transport({ token }),
    random: seededRandom(1),
    identity: { name: 'test', namespace },
    capabilities,
    // A second scrape is far away.
    configurations: { metrics: metrics.config.parse({ resolution: '600s' }) },
    health,
    apis,
    kubelets: {
      config: tokenConfig({ server: 'https://127.0.0.1:1', token, authority: fakes.authority.certificate, source: 'test' }),
      environment: {},
    },
    signal,
  })
  stack.defer(async () => {
    stop.abort(new DOMException('the test is over', 'AbortError'))
    await running
  })
  await vi.waitUntil(() => apis.port !== undefined, { timeout: 20_000 })
  await installServices(admin, { ...installed, service: apiserverAccount, endpoint: `https://127.0.0.1:${apis.port}` })
  const isAvailable = async () => {
    const { conditions } = Object((await admin.resource<KubeObject>(apiServices).get(servedApi.name, { signal }))['status'])
    return Array.isArray(conditions) && conditions.some(({ type, status }) => type === 'Available' && status === 'True')
  }
  await vi.waitUntil(isAvailable, { timeout: 20_000 })
})

afterAll(() => stack.disposeAsync())

const listed = async (resource: typeof podMetrics) => (await admin.resource<KubeObject>(resource).list({ signal })).items

const said = () => health.ready().map(({ group, name, state }) => `${group}/${name}: ${state}`)

describe('metrics as a part', () => {
  test('API servers send their callers there; a container that is new is served from its first scrape', async () => {
    const names = async () => (await listed(podMetrics)).map(({ metadata }) => metadata.name)
    await expect.poll(names, { timeout: 20_000 }).toContain('starting')
    const starting = (await listed(podMetrics)).find(({ metadata }) => metadata.name === 'starting')
    expect(starting).toMatchObject({ containers: [{ name: 'app', usage: { memory: '20484Ki' } }] })
  })

  test('others in the process read the same', () => {
    const { resolutionMs, scrapes, pods } = taken ?? { resolutionMs: 0, scrapes: () => [], pods: () => [] }
    expect([...scrapes()].map(({ node, failure }) => [node, failure?.reason]).sort()).toEqual([
      ['n1', undefined],
      ['n2', undefined],
      ['silent', 'status'],
    ])
    expect(resolutionMs).toBe(600_000)
    expect([...pods()].map(({ metadata }) => metadata.name)).toContain('starting')
  })

  test('what another serves is left to it, and said', async () => {
    await admin.resource<KubeObject>(apiServices).apply(
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: servedApi.name },
        spec: { service: { name: 'metrics-server', namespace: 'kube-system' } },
      },
      { signal, fieldManager: 'helm', force: true },
    )
    await expect
      .poll(said)
      .toEqual(
        expect.arrayContaining([
          'metrics/metrics-kubelets: 2 of 3 answered (silent: status)',
          'metrics/metrics-api: kube-system/metrics-server serves it: see ballast migrate plan metrics-server',
        ]),
      )
  })
})

test('callers that are led here again are answered by metrics-server’s rules for ten minutes, which is said', async () => {
  const lead = (service: object) =>
    admin.resource<KubeObject>(apiServices).apply(
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: servedApi.name },
        spec: { service },
      },
      { signal, fieldManager: 'helm', force: true },
    )
  await lead({ name: apiserverAccount, namespace, port: 8081 })
  const elsewhere = `metrics/metrics-api: its APIService names port 8081 of ${namespace}/${apiserverAccount}, where it is served at 443`
  await expect.poll(said).toContain(elsewhere)
  await lead({ name: apiserverAccount, namespace, port: 443 })
  const here = /^metrics\/metrics-api: served here, by metrics-server's rules until 20.*Z, as it was just led here$/
  await expect.poll(said).toContainEqual(expect.stringMatching(here))
  const leftMs = (taken?.strictUntilMs?.() ?? 0) - Date.now()
  expect(leftMs > 500_000 && leftMs <= 600_000).toBe(true)
})

test.each([
  [10_250, {}],
  [10_255, { kubelet: { port: 10_255 } }],
])('a policy of the network lets it out to kubelets at %d', (port, section) => {
  const preset = { networkPolicy: { enabled: true }, capabilities: { metrics: section } }
  const made = objects(installationValues({ preset, enable: ['metrics'] }, [metrics]), {
    capabilities: [metrics],
    release: plainRelease('ballast', namespace),
  })
  const policy = made.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'ballast-apiserver')
  expect(at(policy, 'spec', 'egress')).toContainEqual({ ports: [{ port, protocol: 'TCP' }] })
})

test.each([
  [{}, false],
  [{ exposeEphemeralStorage: true }, true],
])('with %j it may ask for local disks: %s', (section, may) => {
  const values = installationValues({ preset: { capabilities: { metrics: section } }, enable: ['metrics'] }, [metrics])
  const made = objects(values, { capabilities: [metrics], release: plainRelease('ballast', namespace) })
  const rules = made.flatMap(object => listAt(object, 'rules')).filter(rule => listAt(rule, 'resources').includes('nodes/stats'))
  expect(rules).toEqual(may ? [{ apiGroups: [''], resources: ['nodes/stats'], verbs: ['get'] }] : [])
})

test('where kubelets are pinned it may keep pins under one name, and else not', () => {
  const rulesOf = (section: object) => {
    const values = installationValues({ preset: { capabilities: { metrics: section } }, enable: ['metrics'] }, [metrics])
    const made = objects(values, { capabilities: [metrics], release: plainRelease('ballast', namespace) })
    return made
      .flatMap(object => listAt(object, 'rules'))
      .filter(rule => listAt(rule, 'resourceNames').includes('ballast-kubelet-pins'))
  }
  expect(rulesOf({})).toEqual([])
  expect(rulesOf({ kubelet: { tls: 'pin' } })).toEqual([
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['ballast-kubelet-pins'], verbs: ['get', 'update'] },
  ])
})

describe('replicas', () => {
  const ask = { mostBytes: 65_536, signal }
  const points = '/ballast/points'
  const own = () => ({ name: 'test', address: '10.0.0.1', port: apis.port ?? 0 })
  const slice = (pod: string, port: number) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: pod, namespace, labels: { 'kubernetes.io/service-name': apiserverAccount } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', namespace, name: pod } }],
    ports: [{ name: 'aggregated', port, protocol: 'TCP' }],
  })
  const apply = (object: KubeObject) =>
    admin.resource<KubeObject>(builtIn.endpointslices).apply(object, { signal, namespace, fieldManager: 'test', force: true })

  test('ask each other by the shared certificate and our own token; a stranger is refused', async () => {
    expect((await apis.askReplica(own(), points, ask)).status).toBe(200)
    const strangers = new SharedApis({
      clock: systemClock,
      log: silentLog,
      metrics: new Registry(),
      service: apiserverAccount,
      port: 0,
      version: '0.1.0',
    })
    await expect(strangers.askReplica(own(), points, ask)).rejects.toThrow(/token/)
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'stranger', namespace } }
    await admin.resource<KubeObject>(builtIn.serviceaccounts).create(account, { signal, namespace })
    const stranger = await accountToken(admin, 'stranger', { namespace, seconds: 3_600, signal })
    await using http = new OutgoingHttp({ clock: systemClock, tls: { isInsecure: true } })
    const url = `https://127.0.0.1:${apis.port}${points}`
    const headers = { authorization: `Bearer ${stranger}` }
    expect((await http.ask({ url, headers, mostBytes: 65_536, signal })).status).toBe(403)
  })

  test('one that does not listen is told by name, and is asked when it does', async () => {
    await apply(slice('test', own().port))
    await expect.poll(said).toContain('metrics/metrics-replicas: asks 3 of 3, no other replica is ready')
    await apply(slice('test-2', 9))
    await expect
      .poll(said, { timeout: 20_000 })
      .toContainEqual(expect.stringMatching(/metrics-replicas: asks 3 of 3, nothing from test-2: .*REFUSED/))
    // It is ourselves in truth, which answer over TLS all the same.
    await apply(slice('test-2', own().port))
    await expect.poll(said, { timeout: 20_000 }).toContain('metrics/metrics-replicas: asks 3 of 3')
  })
})
