// docs/install.md, *What is ours and what is yours*, row by row: somebody adds to what we write in a cluster and edits what is ours in it.
// Then we run on, start anew, end, and are uninstalled. What was added stays, or its loss is named in that table.
import { describe, expect, test } from 'vitest'
import type { RebalancePolicy } from '#coordination/api.ts'
import { standardAgentNamespace, type WebhookEndpoint } from '#coordination/capability.ts'
import { holdWave, releaseHold } from '#coordination/plans/landing/landing-gate.ts'
import { plan } from '#coordination/plans/testdata/objects.ts'
import { certificatePlaces } from '#coordination/rbac.ts'
import { installBallast } from '#deployment/install-ballast.ts'
import { type Removal, remove } from '#deployment/removal/removal.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Lease, LeaseRecord } from '#kube/leases/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import { startTwin } from '#twin/twin.ts'
import { TolerationKeeper } from '../src/capabilities/isolate/toleration-keeper.ts'
import { PeerListKeeper } from '../src/capabilities/mirror/peer-list-keeper.ts'
import { RuleAges } from '../src/capabilities/readiness/rules/rule-ages.ts'
import { WebhookKeeper } from '../src/capabilities/readiness/webhooks/webhook-keeper.ts'
import { BaselineStore, baselineNames, shardOf } from '../src/capabilities/reload/baseline/baseline-store.ts'
import { publishMetaInfo } from '../src/capabilities/reload/commands/reloader-meta-info.ts'
import { MigrationRecord } from '../src/migration/record.ts'
import { keepEndpoint } from '../src/process/apiserver/apiserver-endpoint.ts'
import { enabledCapabilities as capabilities } from '../src/process/enabled-capabilities.ts'
import { ballastNamespace as own } from '../src/process/own-names.ts'
import { writeStatus } from '../src/process/parts/capability-status.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const slices = builtIn.endpointslices
const leadership = {
  transitions: 1,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}
const mine = 'example.com/mine'

class Cluster implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly api: Api
  readonly user: Api
  readonly #stack: AsyncDisposableStack

  constructor(clock: VirtualClock, [api, user]: readonly [Api, Api], stack: AsyncDisposableStack) {
    this.clock = clock
    this.api = api
    this.user = user
    this.#stack = stack
  }

  static async start(objects: readonly KubeObject[] = []): Promise<Cluster> {
    const stack = new AsyncDisposableStack()
    // Certificates are judged by the host's clock.
    const clock = new VirtualClock(systemClock.now())
    const namespaces = [own, standardAgentNamespace].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
    const twin = stack.use(await startTwin({ clock, seed: 1, objects: [...namespaces, ...objects] }))
    const apis = ['ballast', 'kubectl'].map(userAgent => openApi(twin.transport({ admin: true }), { clock, userAgent }))
    for (const api of apis) stack.defer(() => api.close())
    const [api, user] = apis
    if (api === undefined || user === undefined) throw new Error('unreachable: two were opened')
    return new Cluster(clock, [api, user], stack)
  }

  get effects() {
    return { api: this.api, clock: this.clock, leadership }
  }

  /** What `work` comes to, while time goes on. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const ended = work.finally(() => {
      isOver = true
    })
    ended.catch(() => undefined)
    await this.clock.runUntil(() => isOver, { limitMs: 600_000 })
    return ended
  }

  async get({ resource, name, namespace }: Place): Promise<KubeObject | undefined> {
    try {
      return await this.user.resource<KubeObject>(resource).get(name, { signal, namespace })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** With kubectl, as a manager of its own. */
  async edit({ resource, name, namespace }: Place, type: 'merge' | 'json', body: unknown): Promise<void> {
    await this.user.resource(resource).patch(name, { type, body }, { signal, namespace, fieldManager: 'kubectl-edit' })
  }

  uninstall(): Promise<Removal> {
    const keep = new Set(['crds'] as const)
    const { user: api, clock } = this
    return this.during(remove({ api, clock, capabilities, namespace: own, release: 'ballast', keep, dryRun: false, signal }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

interface Place {
  readonly resource: GroupVersionResource
  readonly name: string
  readonly namespace?: string
}

/** A process that writes it. Called again it is another process. */
type Writer = (cluster: Cluster) => Promise<{
  /** It runs on, and has a reason to write again. */
  readonly again: () => Promise<unknown>
  /** It ends in order: with what it takes away by itself. */
  readonly end: () => Promise<unknown>
}>

interface Row {
  readonly what: string
  readonly place: Place
  readonly writer: Writer
  /** How somebody adds something, how it is found again, and how something of ours is edited. */
  readonly added: Content
  readonly edit?: { readonly body: unknown; readonly isPutBack: (object: KubeObject) => boolean }
}

interface Content {
  readonly body: unknown
  readonly type: 'merge' | 'json'
  readonly in: (object: KubeObject) => boolean
  /** In what way it may go with an object of ours that ends: the named exceptions of the table. */
  readonly goesWith?: 'end' | 'uninstall'
}

const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((found, key) => (typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined), value)

const endpoint: WebhookEndpoint = {
  clientConfig: path => ({ url: `https://ballast.example${path}`, caBundle: '' }),
  annotations: () => ({ 'ballast.dev/cabundle-inject': `${own}/ballast-tls` }),
  serve: () => ({ [Symbol.dispose]: () => undefined }),
}

const theirs = {
  name: 'theirs.example.com',
  clientConfig: { url: 'https://theirs.example.com/x', caBundle: 'dGhlaXJz' },
  rules: [{ operations: ['CREATE'], apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['xs'] }],
  failurePolicy: 'Ignore',
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
}
const webhooksIn = (object: KubeObject) => (Array.isArray(object['webhooks']) ? object['webhooks'] : [])
const anotherWebhook: Content = {
  type: 'json',
  body: [{ op: 'add', path: '/webhooks/-', value: theirs }],
  in: object =>
    webhooksIn(object).some(one => at(one, 'name') === theirs.name && at(one, 'clientConfig', 'caBundle') === 'dGhlaXJz'),
}
const slower = {
  body: [{ op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 29 }],
  isPutBack: (object: KubeObject) => webhooksIn(object).every(one => at(one, 'timeoutSeconds') !== 29),
}
const dataKey: Content = {
  type: 'merge',
  body: { data: { mine: 'bWluZQ==' } },
  in: object => at(object, 'data', 'mine') === 'bWluZQ==',
}
const marks: Content = {
  type: 'merge',
  body: { metadata: { labels: { [mine]: 'yes' }, annotations: { [mine]: 'yes' } } },
  in: ({ metadata }) => metadata.labels?.[mine] === 'yes' && metadata.annotations?.[mine] === 'yes',
  goesWith: 'end',
}

const policy = (): RebalancePolicy => ({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'RebalancePolicy',
  metadata: { name: 'core' },
  spec: JSON.parse(
    JSON.stringify({
      trigger: 'manual',
      mode: 'Auto',
      isolation: { enabled: true, tolerations: 'webhook', coreNamespaces: ['kube-system'] },
    }),
  ),
})

const wave = { plan: plan({ name: 'core-0' }), moves: [] }
const view = { pod: () => undefined }
const holdsWaves: Writer = async cluster => {
  const { effects } = cluster
  const again = () => cluster.during(holdWave({ effects, view, webhooks: endpoint }, wave, signal))
  await again()
  return { again, end: () => releaseHold(effects, 'deschedule', signal) }
}
const isolates: Writer = async cluster => {
  const keeper = new TolerationKeeper({ effects: cluster.effects, webhooks: endpoint, instance: 'one' })
  const keep = async (policies: readonly RebalancePolicy[]) => {
    await cluster.clock.advance(61_000)
    await cluster.during(keeper.keep(policies, signal))
  }
  await keep([policy()])
  return { again: () => keep([policy()]), end: () => keep([]) }
}
const asksForNodes: Writer = async cluster => {
  const keeper = new WebhookKeeper(cluster.effects, endpoint)
  const keep = async (are: boolean) => {
    await cluster.clock.advance(601_000)
    await cluster.during(keeper.keep({ nodes: are, rules: are }, signal))
  }
  await keep(true)
  return { again: () => keep(true), end: () => keep(false) }
}
const nothing = async () => undefined

const certifies: Writer = async cluster => {
  const stop = new AbortController()
  const { api, clock } = cluster
  const random = seededRandom(1)
  const informers = new Informers(api, { clock, random, signal: stop.signal })
  let told = 0
  const keeper = new CertificateKeeper({
    ...{ api, clock, random, informers, log: silentLog },
    secret: { namespace: own, name: 'ballast-tls' },
    places: certificatePlaces(capabilities.flatMap(one => one.parts)),
    names: { authorityName: 'ours', leaf: { commonName: 'ours', dnsNames: ['ours'], usages: ['server'] } },
    onCertificate: () => void told++,
  })
  const running = keeper.run(stop.signal).catch((error: unknown) => (stop.signal.aborted ? undefined : Promise.reject(error)))
  await clock.runUntil(() => told > 0, { limitMs: 60_000 })
  await clock.quiet()
  return {
    // It is written again where it was spoilt.
    again: async () => {
      await cluster.edit({ resource: builtIn.secrets, name: 'ballast-tls', namespace: own }, 'merge', {
        data: { 'ca.crt': 'c3BvaWx0' },
      })
      await clock.advance(120_000)
    },
    end: async () => {
      stop.abort(new DOMException('the end', 'AbortError'))
      await running
      await informers[Symbol.asyncDispose]()
    },
  }
}

const leads: Writer = async cluster => {
  const { api, clock } = cluster
  const ports = [{ name: 'https', port: 8443, protocol: 'TCP' as const }]
  await keepEndpoint(
    { slice: 'ballast-dashboard', service: 'ballast', namespace: own, address: '10.0.0.1', pod: 'a', ports },
    { api, clock, log: silentLog, signal },
  )
  await clock.quiet()
  return { again: nothing, end: nothing }
}

const publishes: Writer = async ({ api }) => {
  const again = () =>
    publishMetaInfo({ api, log: silentLog }, { namespace: own, deployment: 'reloader', version: '1', options: {} }, signal)
  await again()
  return { again, end: nothing }
}

const swaps: Writer = async ({ api, clock }) => {
  const again = async () => {
    const record = await MigrationRecord.read({ api, clock, component: 'reloader', namespace: own, holder: 'one', signal })
    await record.take('forth')
    await record.write({ done: ['step'] })
    await record.release()
  }
  await again()
  return { again, end: nothing }
}

const tellsStatus: Writer = async cluster => {
  const stop = new AbortController()
  const running = writeStatus(
    { api: cluster.api, clock: cluster.clock, log: silentLog, namespace: own, records: [] },
    stop.signal,
  )
  await cluster.clock.advance(5_000)
  return {
    again: () => cluster.clock.advance(5_000),
    end: async () => {
      stop.abort(new DOMException('the end', 'AbortError'))
      await running
    },
  }
}

const workload = 'Deployment/shop/web'
const remembers: Writer = async ({ api, clock }) => {
  const store = new BaselineStore({
    ...{ api, clock, leadership, log: silentLog, namespace: own },
    unreadable: () => undefined,
    full: () => undefined,
  })
  await store.load(signal)
  let mark = 0
  const again = () => {
    store.set(workload, { uid: '12345678', marks: new Map([['configmap/shop/a', `${++mark}`.padStart(40, '0')]]) })
    return store.flush(signal)
  }
  await again()
  return { again, end: nothing }
}

const ages: Writer = async ({ api, clock }) => {
  const kept = new RuleAges({ api, clock, namespace: own, assertLeading: () => undefined })
  let rules = ['a']
  const again = () => {
    rules = [...rules, `r${rules.length}`]
    return kept.of(rules, signal)
  }
  await again()
  return { again, end: nothing }
}

const lists: Writer = async ({ api, clock }) => {
  const keeper = new PeerListKeeper({ api, clock, identity: { name: 'one', instance: 'one', namespace: own } })
  const again = async () => {
    await clock.advance(301_000)
    await keeper.keep([], signal)
  }
  await again()
  return { again, end: nothing }
}

const holdsLease: Writer = async ({ api, clock }) => {
  const record = new LeaseRecord({
    ...{ clock, log: silentLog, namespace: own, name: 'ballast-controller', identity: 'one' },
    leases: api.resource<Lease>(builtIn.leases),
    leaseDurationMs: 15_000,
    timeoutMs: 5_000,
  })
  await record.take(signal)
  return { again: () => record.take(signal), end: () => record.release() }
}

const planned = capabilities.filter(({ name }) => name === 'deschedule')
const installs: Writer = async ({ user }) => {
  const again = () => installBallast(user, { capabilities: planned, namespace: own, signal })
  await again()
  return { again, end: nothing }
}

const configMap = (name: string, namespace: string = own): Place => ({ resource: builtIn.configmaps, name, namespace })
const mutating = (name: string): Place => ({ resource: builtIn.mutatingwebhookconfigurations, name })
const definition: Place = { resource: builtIn.customresourcedefinitions, name: 'rebalanceplans.ballast.dev' }
const conversion = {
  strategy: 'Webhook',
  webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://theirs.example.com/convert' } },
}

const rows: readonly Row[] = [
  { what: 'landing webhook', place: mutating('ballast-landing'), writer: holdsWaves, added: anotherWebhook, edit: slower },
  { what: 'toleration webhook', place: mutating('ballast-isolation'), writer: isolates, added: anotherWebhook, edit: slower },
  { what: 'node webhook', place: mutating('ballast-readiness'), writer: asksForNodes, added: anotherWebhook, edit: slower },
  {
    what: 'rule webhook',
    place: { resource: builtIn.validatingwebhookconfigurations, name: 'ballast-readiness' },
    writer: asksForNodes,
    added: anotherWebhook,
    edit: slower,
  },
  { what: 'status', place: configMap('ballast-status'), writer: tellsStatus, added: dataKey },
  { what: 'baselines', place: configMap(baselineNames[shardOf(workload)] ?? ''), writer: remembers, added: dataKey },
  { what: 'ages of rules', place: configMap('ballast-readiness-rules'), writer: ages, added: dataKey },
  { what: 'record of a swap', place: configMap('ballast-migration-reloader'), writer: swaps, added: dataKey },
  { what: "Reloader's own ConfigMap", place: configMap('reloader-meta-info'), writer: publishes, added: dataKey },
  { what: 'list of peers', place: configMap('ballast-mirror-peers', standardAgentNamespace), writer: lists, added: dataKey },
  {
    what: 'certificates',
    place: { resource: builtIn.secrets, name: 'ballast-tls', namespace: own },
    writer: certifies,
    added: dataKey,
  },
  { what: 'endpoint', place: { resource: slices, name: 'ballast-dashboard', namespace: own }, writer: leads, added: marks },
  {
    what: 'Lease',
    place: { resource: builtIn.leases, name: 'ballast-controller', namespace: own },
    writer: holdsLease,
    added: { ...marks, goesWith: 'uninstall' },
  },
  { what: 'marks on a definition', place: definition, writer: installs, added: marks },
  {
    what: 'conversion of a definition',
    place: definition,
    writer: installs,
    added: {
      type: 'merge',
      body: { spec: { conversion } },
      in: object => at(object, 'spec', 'conversion', 'strategy') === 'Webhook',
    },
  },
  {
    what: 'ServiceAccount',
    place: { resource: builtIn.serviceaccounts, name: 'ballast-controller', namespace: own },
    writer: installs,
    added: {
      type: 'merge',
      body: { imagePullSecrets: [{ name: 'mine' }], metadata: { annotations: { [mine]: 'yes' } } },
      in: object => JSON.stringify(object).includes('"imagePullSecrets":[{"name":"mine"}]'),
      goesWith: 'uninstall',
    },
  },
]

describe.each(rows)('$what', ({ place, writer, added, edit }) => {
  test('what somebody adds outlives us', async () => {
    await using cluster = await Cluster.start()
    const isThere = async () => {
      const object = await cluster.get(place)
      return object !== undefined && added.in(object)
    }
    const first = await writer(cluster)
    await cluster.edit(place, added.type, added.body)
    if (edit !== undefined) await cluster.edit(place, 'json', edit.body)
    expect(await isThere(), 'once it was added').toBe(true)
    await first.again()
    expect(await isThere(), 'while we run on').toBe(true)
    const second = await writer(cluster)
    expect(await isThere(), 'after a start').toBe(true)
    const object = await cluster.get(place)
    if (edit !== undefined) expect(object !== undefined && edit.isPutBack(object), 'what is ours is put back').toBe(true)
    await first.end()
    await second.end()
    if (added.goesWith === 'end') return
    expect(await isThere(), 'after an end').toBe(true)
    const third = await writer(cluster)
    expect(await isThere(), 'beside ours again').toBe(true)
    // Nobody writes any more: what it leaves is the uninstaller's.
    if (writer === certifies) await third.end()
    const removal = await cluster.uninstall()
    if (added.goesWith === 'uninstall') return
    expect(await isThere(), `after ${JSON.stringify(removal)}`).toBe(true)
  })

  test('what nobody added to is taken away whole', async () => {
    await using cluster = await Cluster.start()
    const { again, end } = await writer(cluster)
    await again()
    if (writer === certifies) await end()
    await cluster.uninstall()
    // Kinds are kept, and what lies in the agents' namespace goes with it.
    if (place !== definition && place.namespace !== standardAgentNamespace) expect(await cluster.get(place)).toBeUndefined()
  })
})

test('a webhook that somebody added to ours trusts whom it trusted, and ours get our bundle', async () => {
  await using cluster = await Cluster.start()
  await holdsWaves(cluster)
  await cluster.edit(mutating('ballast-landing'), 'json', anotherWebhook.body)
  const { end } = await certifies(cluster)
  await cluster.clock.advance(120_000)
  const found = await cluster.get(mutating('ballast-landing'))
  const bundles = found === undefined ? [] : webhooksIn(found).map(one => [at(one, 'name'), at(one, 'clientConfig', 'caBundle')])
  await end()
  expect(bundles).toEqual([
    ['landing.deschedule.ballast.dev', expect.stringMatching(/^LS0t/)],
    [theirs.name, 'dGhlaXJz'],
  ])
})

describe('uninstall', () => {
  const labels = { 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/instance': 'ballast' }
  const named = (kind: string, name: string) => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: own },
    data: { a: 'YQ==' },
  })

  test('leaves what only has a name like ours, and the namespace in which it lies', async () => {
    await using cluster = await Cluster.start()
    const create = (resource: GroupVersionResource, object: KubeObject) =>
      cluster.user.resource(resource).create(object, { signal, namespace: own, fieldManager: 'kubectl-create' })
    await cluster.edit({ resource: builtIn.namespaces, name: own }, 'merge', { metadata: { labels } })
    await create(builtIn.configmaps, named('ConfigMap', 'ballast-reload-notes'))
    await create(builtIn.secrets, named('Secret', 'ballast-tls'))
    await create(builtIn.persistentvolumeclaims, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'mine', namespace: own } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    await tellsStatus(cluster).then(({ end }) => end())
    const { left } = await cluster.uninstall()
    expect(left).toEqual([
      `configmaps ${own}/ballast-reload-notes: Ballast has not written it`,
      `secrets ${own}/ballast-tls: Ballast has not written it`,
      `Namespace ${own}: others have put there configmaps ballast-reload-notes, persistentvolumeclaims mine, secrets ballast-tls`,
    ])
    expect(await cluster.get(configMap('ballast-reload-notes'))).toBeDefined()
    expect(await cluster.get(configMap('ballast-status'))).toBeUndefined()
  })

  test('takes the namespace with what is ours alone', async () => {
    await using cluster = await Cluster.start()
    await cluster.edit({ resource: builtIn.namespaces, name: own }, 'merge', { metadata: { labels } })
    for (const writer of [tellsStatus, remembers, holdsLease, leads]) await (await writer(cluster)).end()
    expect((await cluster.uninstall()).left).toEqual([])
    await cluster.clock.advance(60_000)
    expect(await cluster.get({ resource: builtIn.namespaces, name: own })).toBeUndefined()
  })

  test('takes our marks off nodes and leaves those of others, also a taint of the same key', async () => {
    const isolated = 'example.com/core'
    const kept = [
      { key: isolated, effect: 'NoExecute' },
      { key: isolated, effect: 'PreferNoSchedule', value: 'mine' },
      { key: 'example.com/rebalance', effect: 'NoSchedule' },
    ]
    const ours = [
      { key: isolated, effect: 'NoSchedule' },
      { key: 'ballast.dev/rebalance', effect: 'PreferNoSchedule', value: 'plan' },
    ]
    const annotations = { 'ballast.dev/isolated-by': `core/${isolated}`, [mine]: 'yes' }
    const given = node('n1')
    const metadata = { ...given.metadata, annotations, labels: { ...given.metadata.labels, [mine]: 'yes' } }
    await using cluster = await Cluster.start([{ ...given, metadata, spec: { taints: [...kept, ...ours] } }])
    await cluster.uninstall()
    const found = await cluster.user.resource<Node>(builtIn.nodes).get('n1', { signal })
    expect(found.spec?.taints?.filter(({ key }) => !key.startsWith('node.kubernetes.io/'))).toEqual(kept)
    expect(found.metadata.annotations?.[mine]).toBe('yes')
    expect(found.metadata.annotations).not.toHaveProperty(['ballast.dev/isolated-by'])
    expect(found.metadata.labels?.[mine]).toBe('yes')
  })
})
