// The whole path of resource metrics in one process: the twin's usage model, its kubelets over TLS, Measuring, the twin's aggregator.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { everything } from '#kube/objects/selector.ts'
import { seededRandom } from '#kube/random.ts'
import { startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { issueAuthority, issueLeaf, serviceDnsNames } from '#kube/server/certificates.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { quantity } from '#kube/values/quantity.ts'
import { makeAuthority } from '#twin/authority.ts'
import { startMs, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { itemsAt, textAt } from '#twin/json-value.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { TestClient } from '#twin/twin-for-tests.ts'
import { KnownContainers } from '../src/capabilities/metrics/decode/known-containers.ts'
import { Measuring } from '../src/capabilities/metrics/measuring.ts'
import { isFailure, KubeletClient } from '../src/capabilities/metrics/scrape/kubelet-client.ts'
import { metricsAccount, upstreamMetricsRole } from './metrics-server-role.ts'

const api = '/apis/metrics.k8s.io/v1beta1'
const resolutionMs = 15_000
const person = { manager: 'kubectl', user: 'ballast-admin' } as const
const apiServer = { namespace: 'kube-system', name: 'metrics' } as const
/** Its ServiceAccount and the rights to scrape, without those of the API's own delegation. */
const scraper = upstreamMetricsRole.filter(
  ({ kind, metadata }) => kind === 'ServiceAccount' || metadata.name === 'system:metrics-server',
)
const stranger: KubeObject = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'stranger', namespace: 'kube-system' },
}

const autoscaler: KubeObject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 3,
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 126 } } }],
  },
}

interface Usage {
  readonly nanocores: number
  readonly bytes: number
}

class Site implements AsyncDisposable {
  readonly clock = new VirtualClock(startMs)
  readonly client: TestClient
  readonly twin: Twin
  readonly #stack = new AsyncDisposableStack()
  readonly #stop = new AbortController()
  #asked = 0

  static async start(listen?: { readonly port: number }): Promise<Site> {
    const clock = new VirtualClock(startMs)
    const served = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: apiServer }
    const objects = [
      ...[...testNodes(2), testWorkload('Deployment', 'web', { replicas: 3 }), ...scraper, stranger],
      ...[served, ...delegationObjects(apiServer)],
    ]
    const twin = await startTwin({ clock, seed: 1, objects, ...(listen === undefined ? {} : { listen }) })
    const site = new Site(clock, twin)
    await twin.settle({ limitMs: 60_000 })
    site.use('125500321n', '40Mi')
    return site
  }

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = this.#stack.use(twin)
    this.client = new TestClient(twin.transport({ admin: true }))
  }

  /** What each container uses from now on. */
  use(cpu: string, memory: string): void {
    this.twin.components?.usage.set({ cpu: { constant: cpu }, memory: { constant: memory } }, { name: 'all' })
  }

  open(token: string): Api {
    const opened = openApi(this.twin.transport({ token }), { clock: this.clock, userAgent: 'test' })
    this.#stack.defer(() => opened.close())
    return opened
  }

  token(serviceAccount: string): Promise<string> {
    return this.twin.issueToken({ namespace: 'kube-system', serviceAccount, seconds: 86_400 })
  }

  async kubelets(
    changed: Partial<ConstructorParameters<typeof KubeletClient>[0]> = {},
    account: string = metricsAccount.name,
  ): Promise<KubeletClient> {
    const { dial, authority } = this.twin.kubelets
    const token = await this.token(account)
    return this.#stack.use(
      new KubeletClient({
        clock: this.clock,
        trust: { authority: (await authority()).certificate, isInsecure: false },
        token: async () => token,
        timeoutMs: 5_000,
        format: 'text',
        // As kubelets pack it.
        gzip: changed.format === 'protobuf',
        dial,
        ...changed,
      }),
    )
  }

  /** Scrapes at each multiple of the resolution from now on. */
  async measuring(format: 'text' | 'protobuf' = 'text', exposed = { swap: false, storage: false }): Promise<Measuring> {
    const { clock } = this
    const around = { clock, random: seededRandom(1), log: silentLog, signal: this.#stop.signal }
    const informers = this.#stack.use(new Informers(this.open(await this.token(metricsAccount.name)), around))
    // Another watch, which may not be read, is nobody's concern here.
    informers.of<KubeObject>(builtIn.secrets)
    const measuring = new Measuring({
      settings: {
        points: { resolutionMs, staleAfterMs: 2.5 * resolutionMs, isStrict: false },
        address: { addressTypes: ['InternalIP'], port: 10_250, useNodeStatusPort: true, scheme: 'https' },
        nodeSelector: everything,
        exposed,
      },
      informers,
      client: await this.kubelets({ format }),
      events: { emit: () => undefined },
      registry: new Registry(),
      clock,
      log: silentLog,
    })
    const run = measuring.run(this.#stop.signal)
    run.catch(() => undefined)
    return measuring
  }

  /** Puts what was measured behind the twin's aggregator. */
  async serve(measuring: Measuring): Promise<void> {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'metrics', nowMs })
    const dnsNames = serviceDnsNames(apiServer.name, apiServer.namespace)
    const opened = this.open(await this.token(apiServer.name))
    const around = { clock: systemClock, random: seededRandom(1), log: silentLog }
    const apis = [measuring.api]
    const server = this.#stack.use(
      await startAggregatedServer({
        ...around,
        apis: () => apis,
        tls: await issueLeaf(authority, { commonName: 'metrics', dnsNames, usages: ['server'], nowMs }),
        ...{ port: 0, host: '127.0.0.1', api: opened, metrics: new Registry(), version: 'v0.1.0' },
        informers: this.#stack.use(new Informers(opened, { ...around, signal: this.#stop.signal })),
      }),
    )
    const annotations = { 'ballast.dev/twin-endpoint': `https://127.0.0.1:${server.port}` }
    const service = { metadata: { ...apiServer, annotations }, spec: { ports: [{ port: 443 }] } }
    this.twin.access.create('services', { apiVersion: 'v1', kind: 'Service', ...service }, person)
    const leading = registration(authority.certificate)
    this.twin.access.create('apiservices.apiregistration.k8s.io', leading, person)
    // It is asked over sockets, which take the host's time, before anybody is led there.
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/${leading.metadata.name}`
    const available = async () => {
      const { body } = await this.client.get(path)
      return itemsAt(body, 'status', 'conditions').some(one => one['type'] === 'Available' && one['status'] === 'True')
    }
    await expect.poll(available).toBe(true)
  }

  /** What metrics.k8s.io says of nodes, and of containers as `pod/container`: billionths of a core, bytes. */
  async usage(): Promise<ReadonlyMap<string, Usage>> {
    const found = new Map<string, Usage>()
    const nanos = (usage: unknown, of: string) => Number(quantity(textAt(usage, of) ?? '').nanos)
    const put = (what: string, usage: unknown) =>
      found.set(what, { nanocores: nanos(usage, 'cpu'), bytes: nanos(usage, 'memory') / 1e9 })
    for (const node of itemsAt(await this.list('nodes'), 'items')) put(textAt(node, 'metadata', 'name') ?? '', node['usage'])
    for (const pod of itemsAt(await this.list('pods'), 'items'))
      for (const container of itemsAt(pod, 'containers'))
        put(`${textAt(pod, 'metadata', 'name')}/${textAt(container, 'name')}`, container['usage'])
    return found
  }

  /** How often discovery lists the group. */
  async metricsGroups(): Promise<number> {
    const { body } = await this.client.get('/apis')
    return itemsAt(body, 'groups').filter(group => textAt(group, 'name') === 'metrics.k8s.io').length
  }

  async list(resource: 'nodes' | 'pods'): Promise<unknown> {
    // What was just told may be told again to whoever asks the same, for a moment of the host's time.
    const { status, text, body } = await this.client.get(`${api}/${resource}?timeoutSeconds=${++this.#asked}`)
    if (status !== 200) throw new Error(`${status} ${text}`)
    return body
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the test is over', 'AbortError'))
    await this.#stack.disposeAsync()
  }
}

function registration(authority: string): KubeObject {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: {
      ...{ group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 },
      caBundle: Buffer.from(authority).toString('base64'),
      service: { ...apiServer, port: 443 },
    },
  }
}

test('what kubelets say is what the twin’s model has, and is served in the place of its own', async () => {
  await using site = await Site.start({ port: 0 })
  const model = await site.usage()
  expect([...model.keys()].filter(name => name.includes('/'))).toHaveLength(3)
  const measuring = await site.measuring('text')
  await site.clock.advance(2 * resolutionMs)
  await site.serve(measuring)
  await site.clock.quiet()
  // What is used changes, and nobody has looked yet: the twin's own answer would tell it.
  site.use('900m', '80Mi')
  expectSame(await site.usage(), model)
  const [item] = itemsAt(await site.list('pods'), 'items')
  expect([textAt(item, 'window'), textAt(item, 'timestamp')]).toEqual(['15s', expect.stringMatching(/Z$/)])
  expect(await site.metricsGroups()).toBe(1)
  site.twin.access.create('horizontalpodautoscalers.autoscaling', autoscaler, person)
  // No kubelet can be asked any more, so that what was measured stands.
  for (const node of ['n1', 'n2']) site.twin.components?.nodes.kill(node)
  await site.clock.advance(resolutionMs)
  // 125.5m, rounded up, of the 100m that each pod requests; by what is used now it would be 900.
  expect(site.twin.access.get('horizontalpodautoscalers.autoscaling', 'default', 'web')?.['status']).toMatchObject({
    currentMetrics: [{ resource: { current: { averageUtilization: 126 } } }],
  })
  site.twin.access.remove('horizontalpodautoscalers.autoscaling', 'default', 'web', person)

  site.twin.access.remove('apiservices.apiregistration.k8s.io', undefined, 'v1beta1.metrics.k8s.io', person)
  await site.clock.quiet()
  const own = [...(await site.usage())].filter(([name]) => name.includes('/'))
  expect(own.map(([, { nanocores }]) => nanocores)).toEqual([9e8, 9e8, 9e8])
  expect((await site.client.get(api)).body).toMatchObject({ kind: 'APIResourceList', groupVersion: 'metrics.k8s.io/v1beta1' })
  expect(await site.metricsGroups()).toBe(1)
})

const mayAskDisks: readonly KubeObject[] = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'disks' },
    rules: [{ apiGroups: [''], resources: ['nodes/stats'], verbs: ['get'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'disks' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'disks' },
    subjects: [{ kind: 'ServiceAccount', name: metricsAccount.name, namespace: metricsAccount.namespace }],
  },
]

test('local disks come by a second question, where the right to it is there', async () => {
  await using site = await Site.start({ port: 0 })
  const measuring = await site.measuring('text', { swap: false, storage: true })
  await site.clock.advance(2 * resolutionMs)
  await site.serve(measuring)
  await site.clock.quiet()
  const disks = async () => {
    const amount = (usage: unknown) => textAt(usage, 'ephemeral-storage') ?? 'unknown'
    const nodes = itemsAt(await site.list('nodes'), 'items').map(node => amount(node['usage']))
    const pods = itemsAt(await site.list('pods'), 'items').flatMap(pod =>
      itemsAt(pod, 'containers').map(one => amount(one['usage'])),
    )
    return [...nodes, ...pods]
  }
  expect(new Set(await disks())).toEqual(new Set(['unknown']))
  expect([...measuring.scraper.asked].map(node => measuring.scraper.lastStorage(node)?.failure?.reason)).toEqual([
    'forbidden',
    'forbidden',
  ])
  for (const object of mayAskDisks)
    site.twin.access.create(`${object.kind.toLowerCase()}s.rbac.authorization.k8s.io`, object, person)
  let told = await disks()
  // Sockets take the host's time: which tick it is told in is not certain.
  for (let ticks = 0; ticks < 12 && told.includes('unknown'); ticks++) {
    await site.clock.advance(resolutionMs)
    told = await disks()
  }
  // By the twin: 16 MiB each, and of a node also a twentieth of its disk.
  expect(told.slice(2)).toEqual(['16Mi', '16Mi', '16Mi'])
  expect(told.slice(0, 2).every(node => /^\d+(Mi|Ki)?$/.test(node))).toBe(true)
  const { body } = await site.client.get(`${api}/pods`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
  expect(itemsAt(body, 'columnDefinitions').map(column => column['name'])).toEqual([
    'Name',
    'cpu',
    'ephemeral-storage',
    'memory',
    'Window',
  ])
})

test('families of protobuf say the same', async () => {
  await using site = await Site.start()
  const model = await site.usage()
  const measuring = await site.measuring('protobuf')
  await site.clock.advance(2 * resolutionMs)
  const said = new Map<string, Usage>()
  for (const name of ['n1', 'n2']) {
    const usage = measuring.points.nodeUsage(name, site.clock.elapsed())
    if (usage !== undefined) said.set(name, { nanocores: usage.cpuNanocores, bytes: usage.memoryBytes })
  }
  expectSame(said, new Map([...model].filter(([name]) => !name.includes('/'))))
})

function expectSame(found: ReadonlyMap<string, Usage>, wanted: ReadonlyMap<string, Usage>): void {
  expect([...found].map(([what, { bytes }]) => [what, bytes]).toSorted()).toEqual(
    [...wanted].map(([what, { bytes }]) => [what, bytes]).toSorted(),
  )
  // Kubelets count in seconds with a fraction, and rates are cut off.
  for (const [what, { nanocores }] of wanted)
    expect(Math.abs((found.get(what)?.nanocores ?? 0) - nanocores)).toBeLessThanOrEqual(2)
}

test('what goes wrong has its reason', async () => {
  await using site = await Site.start()
  const { dial, authority } = site.twin.kubelets
  const reason = async (client: KubeletClient, host = '10.0.0.11:10250') => {
    const answer = await client.scrape(`https://${host}/metrics/resource`, new KnownContainers(), new AbortController().signal)
    return isFailure(answer) ? answer.reason : 'none'
  }
  const strange = await makeAuthority(systemClock.now(), [])
  const { certificate } = await authority()
  const trust = (of: string) => ({ authority: of, isInsecure: false })
  expect(await reason(await site.kubelets())).toBe('none')
  expect(
    await reason(
      await site.kubelets({
        trust: { ...trust(certificate), ...(await (await authority()).issueClient('root', ['system:masters'])) },
        token: async () => undefined,
      }),
    ),
  ).toBe('none')
  expect(await reason(await site.kubelets({}, 'stranger'))).toBe('forbidden')
  expect(await reason(await site.kubelets({ token: async () => 'nonsense' }))).toBe('unauthorized')
  expect(await reason(await site.kubelets({ token: async () => undefined }))).toBe('unauthorized')
  expect(await reason(await site.kubelets({ trust: trust(strange.certificate) }))).toBe('tls')
  expect(await reason(await site.kubelets({ dial: (_host, port) => dial('10.0.0.12', port) }))).toBe('tls')
  expect(
    await reason(
      await site.kubelets({ trust: { authority: undefined, isInsecure: true }, dial: (_host, port) => dial('10.0.0.12', port) }),
    ),
  ).toBe('none')
  expect(await reason(await site.kubelets(), '10.0.0.11:10255')).toBe('connection')
  expect(await reason(await site.kubelets(), '10.0.0.99:10250')).toBe('connection')
  site.twin.components?.nodes.kill('n1')
  expect(await reason(await site.kubelets())).toBe('timeout')
})

test('a node that falls silent is served by its last answer until that is stale, and again when it is back', async () => {
  await using site = await Site.start()
  const measuring = await site.measuring()
  await site.clock.advance(2 * resolutionMs)
  const served = () => ['n1', 'n2'].filter(name => measuring.points.nodeUsage(name, site.clock.elapsed()) !== undefined)
  const before = measuring.points.nodeUsage('n1', site.clock.elapsed())
  site.twin.components?.nodes.kill('n1')
  await site.clock.advance(2 * resolutionMs)
  expect(measuring.scraper.lastScrape('n1')?.failure?.reason).toBe('timeout')
  expect(measuring.points.nodeUsage('n1', site.clock.elapsed())).toEqual(before)
  expect(served()).toEqual(['n1', 'n2'])
  await site.clock.advance(resolutionMs)
  expect(served()).toEqual(['n2'])
  site.twin.components?.nodes.revive('n1')
  await site.clock.advance(3 * resolutionMs)
  expect(measuring.scraper.lastScrape('n1')?.failure).toBeUndefined()
  expect(served()).toEqual(['n1', 'n2'])
})
