// The programs in the place of the HTTP add-on's interceptor and scaler, on the twin, with upstream's roles and no other right: a request waits for
// its target, the scaler hears of it from the interceptor, and both end in order.
import { once } from 'node:events'
import { request as ask, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'
import { Gauge, Registry } from 'prom-client'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { externalApi } from '#coordination/external-scaler-api.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { loopFront } from '#kube/server/front/loop-front.ts'
import { type MetricsGuard, startGuardedMetrics } from '#kube/server/serving/guarded-metrics.ts'
import { TestCluster, testNodes } from '#twin/components/cluster-for-tests.ts'
import { autoscale } from '../src/capabilities/autoscale/capability.ts'
import { runHttpOperator } from '../src/capabilities/gateway/commands/http-operator.ts'
import { runInterceptor } from '../src/capabilities/gateway/commands/interceptor.ts'
import { runScaler } from '../src/capabilities/gateway/commands/scaler.ts'
import { parseInterceptor, parseScaler } from '../src/capabilities/gateway/flags/add-on-settings.ts'
import { parseHttpOperator } from '../src/capabilities/gateway/flags/operator-settings.ts'
import { servedKinds } from '../src/capabilities/gateway/kinds/served-kinds.ts'

const namespace = 'keda'
const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'patch', 'update']
const rules = {
  interceptor: [
    { apiGroups: [''], resources: ['configmaps', 'services'], verbs: read },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
    { apiGroups: ['http.keda.sh'], resources: ['httpscaledobjects', 'interceptorroutes'], verbs: read },
  ],
  scaler: [
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
    { apiGroups: ['http.keda.sh'], resources: ['httpscaledobjects', 'interceptorroutes'], verbs: read },
  ],
  operator: [
    { apiGroups: ['http.keda.sh'], resources: ['httpscaledobjects', 'interceptorroutes'], verbs: [...read, ...write] },
    {
      apiGroups: ['http.keda.sh'],
      resources: ['httpscaledobjects/finalizers', 'interceptorroutes/finalizers'],
      verbs: ['update'],
    },
    {
      apiGroups: ['http.keda.sh'],
      resources: ['httpscaledobjects/status', 'interceptorroutes/status'],
      verbs: ['get', 'patch', 'update'],
    },
    { apiGroups: ['keda.sh'], resources: ['scaledobjects'], verbs: [...read, ...write] },
  ],
} as const
/** In the add-on's own namespace alone. */
const leaseRules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: [...read, ...write] }]

const bound = (name: string, role: string, account = name) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
})

/** Roles as the add-on's manifests give them. */
const roles = Object.entries(rules).flatMap(([name, granted]) => [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: granted },
  bound(name, name),
])

const leaseRole = [
  bound('operator-auth-delegator', 'system:auth-delegator', 'operator'),
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'operator', namespace }, rules: leaseRules },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'operator', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'operator' },
    subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace }],
  },
]

const slice = (service: string, of: string, port: number, portName?: string): KubeObject =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-own`, namespace: of, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ ...(portName === undefined ? {} : { name: portName }), port, protocol: 'TCP' }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  }) as KubeObject

const objects = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  ...roles,
  ...leaseRole,
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { ports: [{ name: 'http', port: 80 }] },
  },
  ...servedKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition])),
  {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      target: { service: 'web', port: 80 },
      rules: [{ hosts: ['web.test'] }],
      scalingMetric: { concurrency: { targetValue: 4 } },
    },
  },
] as KubeObject[]

type Begun<Ports> = Omit<Parameters<typeof runInterceptor>[1], 'onServing'> & { readonly onServing: (ports: Ports) => void }

/** The program, until the test is over. */
async function launched<Ports>(
  cluster: TestCluster,
  account: keyof typeof rules,
  run: (started: Begun<Ports>, signal: AbortSignal) => Promise<void>,
) {
  const { clock, twin } = cluster
  const token = await twin.issueToken({ namespace, serviceAccount: account, seconds: 86_400 })
  const stop = new AbortController()
  const serving = Promise.withResolvers<Ports>()
  const started: Begun<Ports> = {
    ...{ transport: twin.transport({ token }), clock, random: seededRandom(1), log: silentLog, registry: new Registry() },
    ...{ name: account, userAgent: `ballast ${account}`, listen: async () => undefined, listenGuarded: async () => undefined },
    onServing: serving.resolve,
  }
  const ended = { isSo: false }
  const running = run(started, stop.signal).finally(() => {
    ended.isSo = true
  })
  running.catch((error: unknown) => serving.reject(error))
  const ready = { isSo: false }
  void serving.promise.then(
    () => (ready.isSo = true),
    () => (ready.isSo = true),
  )
  for (let step = 0; step < 200 && !ready.isSo; step++) await clock.advance(100)
  const ports = await serving.promise
  const end = () => stop.abort(new DOMException('the test is over', 'AbortError'))
  return {
    ports,
    end,
    async [Symbol.asyncDispose]() {
      end()
      for (let step = 0; step < 500 && !ended.isSo; step++) await clock.advance(100)
      await running
    },
  }
}

test('interceptor and scaler: a request waits, is counted by both, and is answered', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), ...objects])
  const { clock, twin } = cluster
  const interceptorEnvironment = { KEDA_HTTP_PROXY_PORT: '0', KEDA_HTTP_ADMIN_PORT: '0', KEDA_HTTP_SHUTDOWN_DELAY: '1s' }
  const interceptor = parseInterceptor([], interceptorEnvironment)
  if (!interceptor.ok) throw new Error('the environment is not taken')
  expect(interceptor.refused).toEqual([])
  await using gate = await launched<{ traffic: number; admin: number }>(cluster, 'interceptor', (started, signal) =>
    runInterceptor(interceptor.settings, started, signal),
  )
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const { signal } = new AbortController()
  const slices = api.resource<KubeObject>(builtIn.endpointslices)
  await slices.create(slice('interceptor-admin', namespace, gate.ports.admin), { namespace, signal })
  const scaler = parseScaler([], {
    KEDA_HTTP_SCALER_PORT: '0',
    KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE: namespace,
    KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE: 'interceptor-admin',
    KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT: 'interceptor',
    KEDA_HTTP_SCALER_TARGET_ADMIN_PORT: String(gate.ports.admin),
  })
  if (!scaler.ok) throw new Error('the environment is not taken')
  await using metrics = await launched<{ scaler: number }>(cluster, 'scaler', (started, until) =>
    runScaler(scaler.settings, started, until),
  )
  const client = new Client(`127.0.0.1:${metrics.ports.scaler}`, credentials.createInsecure())
  const isActive = () => {
    const { path, request, response } = externalApi.isActive
    const scalerMetadata = new Map([['interceptorRoute', 'web']])
    return new Promise<boolean>((resolve, reject) =>
      client.makeUnaryRequest(
        path,
        (value: object) => request.encode(value),
        (bytes: Buffer) => response.decode(bytes),
        { name: 'web', namespace: 'default', scalerMetadata },
        (error: Error | null, answer?: { result: boolean }) =>
          error === null ? resolve(answer?.result === true) : reject(error),
      ),
    )
  }
  expect(await isActive()).toBe(false)
  const asked = ask({ port: gate.ports.traffic, host: '127.0.0.1', headers: { host: 'web.test' }, agent: false })
  const answered = once(asked, 'response')
  asked.end()
  for (let step = 0; step < 100 && !(await isActive()); step++) await clock.advance(500)
  expect(await isActive()).toBe(true)
  const target = createServer((_request, response) => response.end('here'))
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const { port } = target.address() as AddressInfo
  await slices.create(slice('web', 'default', port, 'http'), { namespace: 'default', signal })
  await clock.advance(1_000)
  const [response] = await answered
  expect(response.statusCode).toBe(200)
  response.resume()
  await once(response, 'end')
  for (let step = 0; step < 100 && (await isActive()); step++) await clock.advance(500)
  expect(await isActive()).toBe(false)
  client.close()
  target.close()
  await api.close()
})

test('an interceptor that is told to end takes requests for a while, and answers those that wait', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), ...objects])
  const { clock, twin } = cluster
  const { signal } = new AbortController()
  const parsed = parseInterceptor([], {
    ...{ KEDA_HTTP_PROXY_PORT: '0', KEDA_HTTP_ADMIN_PORT: '0' },
    ...{ KEDA_HTTP_SHUTDOWN_DELAY: '5s', KEDA_HTTP_DRAIN_TIMEOUT: '30s' },
  })
  if (!parsed.ok) throw new Error('the environment is not taken')
  await using gate = await launched<{ traffic: number; admin: number }>(cluster, 'interceptor', (started, until) =>
    runInterceptor(parsed.settings, started, until),
  )
  const counted = async () => (await fetch(`http://127.0.0.1:${gate.ports.admin}/queue`)).text()
  const asking = async () => {
    const asked = ask({ port: gate.ports.traffic, host: '127.0.0.1', headers: { host: 'web.test' }, agent: false })
    const answered = once(asked, 'response')
    asked.end()
    const [response] = await answered
    response.resume()
    return response.statusCode
  }
  const first = asking()
  await expect.poll(counted).toContain('"Concurrency":1')
  gate.end()
  await clock.advance(4_000)
  expect((await fetch(`http://127.0.0.1:${gate.ports.admin}/readyz`)).status).toBe(503)
  // Not everybody knows yet that it ends.
  const second = asking()
  await expect.poll(counted).toContain('"Concurrency":2')
  await clock.advance(10_000)
  await expect(asking()).rejects.toThrow(/ECONNREFUSED/)
  const target = createServer((_request, response) => response.end('here'))
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const { port } = target.address() as AddressInfo
  await api
    .resource<KubeObject>(builtIn.endpointslices)
    .create(slice('web', 'default', port, 'http'), { namespace: 'default', signal })
  await clock.advance(1_000)
  expect(await Promise.all([first, second])).toEqual([200, 200])
  target.close()
  await api.close()
})

const operatorEnvironment = {
  KEDA_HTTP_OPERATOR_NAMESPACE: namespace,
  KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE: 'keda-add-ons-http-external-scaler',
  KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_PORT: '9090',
}
const httpScaledObject = {
  apiVersion: 'http.keda.sh/v1alpha1',
  kind: 'HTTPScaledObject',
  metadata: { name: 'shop', namespace: 'default' },
  spec: {
    hosts: ['shop.test'],
    scaleTargetRef: { name: 'shop', kind: 'Deployment', apiVersion: 'apps/v1', service: 'shop', port: 80 },
  },
} as unknown as KubeObject
const leaseOf = (holder: string, renewTime: string): KubeObject =>
  ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'http-add-on.keda.sh', namespace },
    spec: { holderIdentity: holder, leaseDurationSeconds: 15, renewTime, acquireTime: renewTime, leaseTransitions: 0 },
  }) as unknown as KubeObject

test("the operator writes ScaledObjects once it has upstream's Lease, not before, and gives it back", async () => {
  const definitions = autoscale.kinds?.flatMap(({ definition }) => (definition === undefined ? [] : [definition])) ?? []
  await using cluster = await TestCluster.start([...testNodes(1), ...objects, ...definitions, httpScaledObject])
  const { clock, twin } = cluster
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const { signal } = new AbortController()
  const leases = api.resource<KubeObject>(builtIn.leases)
  const scaled = api.resource<KubeObject>({ group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' })
  await leases.create(leaseOf('upstream_1', new Date(clock.now()).toISOString().replace('Z', '000Z')), { namespace, signal })
  const parsed = parseHttpOperator(['--leader-elect', '--zap-encoder=console'], operatorEnvironment)
  if (!parsed.ok) throw new Error('flags are fine')
  expect(parsed.refused).toEqual([])
  const listened: string[] = []
  {
    await using _operator = await launched<void>(cluster, 'operator', (started, until) => {
      const { onServing, ...begun } = started
      onServing()
      return runHttpOperator(
        parsed.settings,
        {
          ...begun,
          listen: async (address, flag) => void listened.push(`${flag} ${address}`),
          listenGuarded: () => Promise.reject(new Error('no guard was asked for')),
        },
        until,
      )
    })
    await clock.advance(5_000)
    expect((await scaled.list({ signal })).items).toEqual([])
    // Nobody renews it any more: it is over.
    await clock.advance(30_000)
    const [found] = (await scaled.list({ signal })).items
    expect(found?.metadata.name).toBe('shop')
    expect(JSON.stringify(found)).toContain('keda-add-ons-http-external-scaler.keda:9090')
    const held = await leases.get('http-add-on.keda.sh', { namespace, signal })
    expect(textAt(held, 'spec', 'holderIdentity')).toMatch(/^operator_/)
  }
  expect(listened).toEqual(['--metrics-bind-address :8080', '--health-probe-bind-address :8081'])
  const left = await leases.get('http-add-on.keda.sh', { namespace, signal })
  expect(textAt(left, 'spec', 'holderIdentity') ?? '').toBe('')
  await api.close()
})

test("the operator's metrics by its chart's flags: by TLS, for who may read them, with the role that it has", async () => {
  const readers = [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'metrics-reader' },
      rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
    },
    bound('prometheus', 'metrics-reader', 'prometheus'),
    ...['prometheus', 'onlooker'].map(name => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } })),
  ] as KubeObject[]
  await using cluster = await TestCluster.start([...testNodes(1), ...objects, ...readers])
  const { clock, twin } = cluster
  const parsed = parseHttpOperator(['--metrics-bind-address=:8443', '--metrics-secure=true', '--metrics-auth=true'], {
    ...operatorEnvironment,
    TMPDIR: '/nowhere',
  })
  if (!parsed.ok) throw new Error('flags are fine')
  expect([parsed.warnings, parsed.refused]).toEqual([[], []])
  const metrics = new Registry()
  new Gauge({ name: 'one', help: 'One.', registers: [metrics] }).set(1)
  const around = { metrics, clock: systemClock, log: silentLog, front: loopFront({ clock: systemClock, log: silentLog }) }
  await using stack = new AsyncDisposableStack()
  const at: number[] = []
  await using _operator = await launched<void>(cluster, 'operator', (started, until) => {
    const { onServing, ...begun } = started
    const listenGuarded = async (address: string, _flag: string, guard: MetricsGuard) => {
      expect(address).toBe(':8443')
      const server = stack.use(await startGuardedMetrics({ ...guard, ...around, host: '127.0.0.1', port: 0 }))
      at.push(server.port)
      onServing()
    }
    return runHttpOperator(parsed.settings, { ...begun, listenGuarded }, until)
  })
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  stack.defer(() => dispatcher.destroy())
  const got = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await request(`https://127.0.0.1:${at[0]}/metrics`, { dispatcher, headers })
    return `${statusCode} ${(await body.text()).trim()}`
  }
  const tokenOf = (serviceAccount: string) => twin.issueToken({ namespace, serviceAccount, seconds: 86_400 })
  expect(await got()).toBe('401 Unauthorized')
  expect(await got('none')).toBe('500 Authentication failed')
  expect(await got(await tokenOf('onlooker'))).toBe('403 Authorization denied for user system:serviceaccount:keda:onlooker')
  expect(await got(await tokenOf('prometheus'))).toMatch(/^200 # HELP one One\.\n# TYPE one gauge\none 1$/)
  await clock.advance(1_000)
})

test.each<[string, readonly string[], Record<string, string>, object]>([
  ['as its manifests have it', ['--leader-elect'], operatorEnvironment, { metricsAddress: ':8080', namespaces: [] }],
  [
    'as its chart has it',
    ['--metrics-bind-address=:8443', '--metrics-secure=true', '--metrics-auth=true', '--leader-elect'],
    { ...operatorEnvironment, KEDA_HTTP_OPERATOR_WATCH_NAMESPACE: 'media' },
    {
      metricsAddress: ':8443',
      metricsGuard: { isAsked: true, certificateDirectory: '/tmp/k8s-metrics-server/serving-certs' },
      namespaces: ['media'],
    },
  ],
  [
    'by TLS alone, which has its own port whatever is said',
    ['--metrics-bind-address=:9443', '--metrics-secure', '--metrics-cert-dir=/certs'],
    operatorEnvironment,
    { metricsAddress: ':8443', metricsGuard: { isAsked: false, certificateDirectory: '/certs' } },
  ],
  [
    'by tokens alone',
    ['--metrics-bind-address=', '--metrics-auth'],
    operatorEnvironment,
    { metricsAddress: ':8080', metricsGuard: { isAsked: true } },
  ],
  [
    'times of the Lease',
    ['--leader-elect'],
    { ...operatorEnvironment, KEDA_HTTP_OPERATOR_LEADER_ELECTION_LEASE_DURATION: '30s' },
    { election: { name: 'http-add-on.keda.sh', times: { leaseDurationMs: 30_000 } } },
  ],
  ['without an election', [], operatorEnvironment, { election: undefined }],
])('the operator, %s', (_name, words, environment, settings) => {
  const parsed = parseHttpOperator(words, environment)
  if (!parsed.ok) throw new Error('flags are fine')
  expect(parsed.refused).toEqual([])
  expect(parsed.settings).toMatchObject(settings)
  expect(parsed.settings.gateway.scalerAddress).toBe('keda-add-ons-http-external-scaler.keda:9090')
})

test("the operator's older names count where the newer are not set, and what is missing is named", () => {
  const old = parseHttpOperator([], {
    KEDA_HTTP_OPERATOR_NAMESPACE: namespace,
    KEDAHTTP_OPERATOR_EXTERNAL_SCALER_SERVICE: 'scaler',
  })
  if (!old.ok) throw new Error('flags are fine')
  expect(old.settings.gateway.scalerAddress).toBe('scaler.keda:8091')
  expect(old.warnings.join()).toMatch(/KEDAHTTP_OPERATOR_EXTERNAL_SCALER_SERVICE is deprecated/)
  const bare = parseHttpOperator([], {})
  if (!bare.ok) throw new Error('flags are fine')
  expect(bare.refused.map(({ message }) => message)).toEqual([
    'KEDA_HTTP_OPERATOR_NAMESPACE cannot be used',
    'KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE cannot be used',
  ])
})

test.each<[string, Record<string, string>, RegExp]>([
  ['ports are required', {}, /KEDA_HTTP_PROXY_PORT cannot be used.*KEDA_HTTP_ADMIN_PORT cannot be used/],
  ['a port that is none', { KEDA_HTTP_PROXY_PORT: 'x', KEDA_HTTP_ADMIN_PORT: '1' }, /KEDA_HTTP_PROXY_PORT cannot be used/],
  [
    'a time that is none',
    { KEDA_HTTP_PROXY_PORT: '1', KEDA_HTTP_ADMIN_PORT: '2', KEDA_HTTP_REQUEST_TIMEOUT: '5' },
    /KEDA_HTTP_REQUEST_TIMEOUT cannot be used/,
  ],
])('%s: the start ends, by name', (_name, environment, why) => {
  const parsed = parseInterceptor([], environment)
  if (!parsed.ok) throw new Error('flags are fine')
  expect(parsed.refused.map(({ message }) => message).join(' ')).toMatch(why)
})

test('older names count more, and empty is not set', () => {
  const ports = { KEDA_HTTP_PROXY_PORT: '8080', KEDA_HTTP_ADMIN_PORT: '9090' }
  const parsed = parseInterceptor(['--zap-log-level=error'], {
    ...ports,
    KEDA_HTTP_READINESS_TIMEOUT: '25s',
    KEDA_CONDITION_WAIT_TIMEOUT: '31s',
    KEDA_HTTP_RESPONSE_HEADER_TIMEOUT: '9s',
    KEDA_RESPONSE_HEADER_TIMEOUT: '',
    KEDA_HTTP_WATCH_NAMESPACE: '',
  })
  if (!parsed.ok) throw new Error('flags are fine')
  expect(parsed.refused).toEqual([])
  expect(parsed.settings.gateway.timeouts).toEqual({ request: '0s', responseHeader: '9s', readiness: '31s', connect: '500ms' })
  expect(parsed.settings.namespace).toBeUndefined()
  expect(parsed.settings.log.level).toBe('error')
  expect(parsed.warnings.join()).toMatch(/KEDA_CONDITION_WAIT_TIMEOUT is deprecated/)
})
