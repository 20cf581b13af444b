// The topology updater on a machine that is made up, with a kubelet on a socket and the twin's kubelet at /configz, before a twin: what it publishes, when it
// looks again, what it survives.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { afterEach, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { testNodes } from '#twin/components/cluster-for-tests.ts'
import { startTwin } from '#twin/twin.ts'
import { featureKinds } from '../src/capabilities/features/kinds.ts'
import { nodeResourceTopologies } from '../src/capabilities/features/names.ts'
import type { HeldByPod } from '../src/capabilities/features/topology/pod-resources-api.ts'
import { FakeKubelet } from '../src/capabilities/features/topology/testdata/fake-kubelet.ts'
import { topologySchema } from '../src/capabilities/features/topology/topology-settings.ts'
import { publishTopologyOnce, startTopologyUpdater } from '../src/capabilities/features/topology/topology-updater.ts'
import { writeTree } from './real/features/tree-files.ts'

const { signal } = new AbortController()
const namespace = 'agents'
const kind = 'noderesourcetopologies.topology.node.k8s.io'
const definition = featureKinds.find(({ plural }) => plural === 'noderesourcetopologies')?.definition
const node = 'sys/devices/system/node/node0'
const stack: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** A pod on the node, and what a kubelet says that it holds. */
const podOf = (name: string, phase = 'Running'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName: 'n1',
    containers: [
      { name: 'c', image: 'i', resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } } },
    ],
  },
  status: { phase, qosClass: 'Guaranteed' },
})
const heldBy = (name: string, ...cpuIds: readonly number[]): HeldByPod => ({
  name,
  namespace: 'default',
  containers: [{ name: 'c', cpuIds, devices: [], memory: [] }],
})

/** Requests as the server got them, and what stands in the way. */
class Wire {
  readonly writes: string[] = []
  isCut = false

  between(inner: Transport): Transport {
    const pass = <T>(request: TransportRequest, go: () => Promise<T>) => {
      if (this.isCut) return Promise.reject(new ConnectionError('cut'))
      if (request.verb !== 'GET') this.writes.push(`${request.verb} ${request.path}`)
      return go()
    }
    return {
      request: request => pass(request, () => inner.request(request)),
      stream: request => pass(request, () => inner.stream(request)),
      close: () => inner.close(),
    }
  }
}

async function machine(settings: object = {}, objects: readonly (KubeObject | undefined)[] = [definition], components = false) {
  const root = mkdtempSync(join(tmpdir(), 'ballast-topology-'))
  stack.push({ [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }) })
  writeTree(root, {
    files: {
      [`${node}/cpulist`]: '0-3\n',
      [`${node}/distance`]: '10\n',
      [`${node}/meminfo`]: 'Node 0 MemTotal: 1000 kB\n',
      'sys/devices/cpu_core/cpus': '0-3\n',
      'var/lib/kubelet/cpu_manager_state': '{}',
      'kubelet.yaml': 'kind: KubeletConfiguration\ntopologyManagerPolicy: restricted\n',
    },
  })
  const kubelet = await FakeKubelet.start()
  stack.push(kubelet)
  kubelet.says({ pods: [], allocatable: { cpuIds: [1, 2, 3], devices: [], memory: [] } })
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, uid: 'uid-namespace' } }
  const twin = await startTwin({
    clock,
    seed: 1,
    objects: [...objects.flatMap(one => one ?? []), made],
    components: components ? {} : false,
  })
  stack.push({ [Symbol.asyncDispose]: () => twin.stop() })
  await clock.quiet()
  const wire = new Wire()
  const metrics = new Registry()
  const context = {
    ...{ clock, random: seededRandom(1), log: silentLog, metrics, node: 'n1' },
    identity: { name: 'agent-x', namespace, instance: 'agent-x_1' },
    ports: { take: () => undefined, offer: () => undefined },
    api: openApi(wire.between(twin.transport({ admin: true })), { clock, userAgent: 'test' }),
  }
  const around = { tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }) }
  const own = { podResourcesSocket: kubelet.socket, kubeletConfigUri: `file://${root}/kubelet.yaml` }
  const topology = (more: object = {}) => topologySchema.parse({ enabled: true, ...own, ...settings, ...more })
  const start = (more: object = {}) => startTopologyUpdater(context, { topology: topology(more) }, signal, around)
  const once = () => publishTopologyOnce(context, topology(), signal, around)
  const published = () => (twin.access.list(kind) as readonly KubeObject[])[0]
  const zones = () => (published()?.['zones'] ?? []) as readonly { resources: readonly { available: string }[] }[]
  const left = () => zones()[0]?.resources[0]?.available
  const until = (done: () => boolean, limitMs = 60_000) => clock.runUntil(done, { limitMs })
  const pass = async (ms: number) => {
    const atMs = clock.now() + ms
    clock.schedule(ms, () => undefined)
    await until(() => clock.now() >= atMs, ms + 1_000)
  }
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'admin' })
  const errors = async () => Number(/scan_errors_total (\d+)/.exec(await metrics.metrics())?.[1])
  return { ...{ root, clock, twin, kubelet, wire, admin }, ...{ start, once, published, left, until, pass, errors } }
}

test('it publishes its node: zones, policies, kinds of processors, pods; its namespace owns it', async () => {
  const of = await machine({}, [definition, podOf('a')])
  of.kubelet.says({ pods: [heldBy('a', 2)] })
  await using updater = await of.start()
  await of.until(() => of.published() !== undefined)
  const { metadata, zones, attributes, topologyPolicies } = of.published() as KubeObject & Record<string, unknown>
  expect(metadata.ownerReferences).toEqual([expect.objectContaining({ apiVersion: 'v1', kind: 'Namespace', name: namespace })])
  expect(metadata.name).toBe('n1')
  expect(metadata.managedFields).toEqual([
    expect.objectContaining({ manager: 'node-feature-discovery-topology-updater', operation: 'Apply' }),
  ])
  expect(zones).toEqual([
    {
      name: 'node-0',
      type: 'Node',
      costs: [{ name: 'node-0', value: 10 }],
      resources: [{ name: 'cpu', capacity: '4', allocatable: '3', available: '2' }],
    },
  ])
  expect(attributes).toEqual([
    { name: 'topologyManagerPolicy', value: 'restricted' },
    { name: 'topologyManagerScope', value: 'container' },
    { name: 'cpu_core', value: '0-3' },
    { name: 'nodeTopologyPodsFingerprint', value: 'pfp0v00173ac1f6debaedf3d' },
  ])
  expect(topologyPolicies).toEqual(['RestrictedContainerLevel'])
  expect(updater.health()).toEqual([expect.objectContaining({ ok: true, state: '1 zones, 1 pods' })])
})

test('the kubelet itself says its policies, where the token may ask for them', async () => {
  const account = { kind: 'ServiceAccount', name: 'reader', namespace }
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' }
  const rules = [{ apiGroups: [''], resources: ['nodes/configz'], verbs: ['get'] }]
  const rights = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'reader', namespace } },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'reader' }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'reader' },
      roleRef: role,
      subjects: [account],
    },
  ]
  const of = await machine({}, [definition, ...testNodes(1), ...rights], true)
  const { host, port } = await of.twin.kubelets.dial('10.0.0.11', 10_250)
  const tokenFile = join(of.root, 'token')
  writeFileSync(tokenFile, await of.twin.issueToken({ namespace, serviceAccount: 'reader' }))
  await using _updater = await of.start({ kubeletConfigUri: `https://${host}:${port}/configz`, apiAuthTokenFile: tokenFile })
  await of.until(() => of.published() !== undefined)
  expect(of.published()?.['attributes']).toContainEqual({ name: 'topologyManagerScope', value: 'container' })
})

test('at rest it writes nothing but once in ten minutes', async () => {
  const of = await machine()
  await using _updater = await of.start()
  await of.until(() => of.published() !== undefined)
  await of.pass(3_590_000)
  expect(of.wire.writes).toHaveLength(6)
  expect(of.kubelet.asked.length).toBeGreaterThan(100)
})

test('with an interval of 0s a pod that comes or goes is seen all the same', async () => {
  const of = await machine({ sleepInterval: '0s' })
  await using _updater = await of.start()
  await of.until(() => of.left() === '3')
  of.kubelet.says({ pods: [heldBy('a', 1, 2)] })
  await of.pass(300_000)
  expect(of.left()).toBe('3')
  await of.admin.resource<KubeObject>(builtIn.pods).create(podOf('a'), { namespace: 'default', signal })
  await of.until(() => of.left() === '1', 3_000)
  of.kubelet.says({ pods: [] })
  await of.admin.resource(builtIn.pods).delete('a', { namespace: 'default', gracePeriodSeconds: 0, signal })
  await of.until(() => of.left() === '3', 3_000)
})

test('files of the kubelet are looked after where a directory is named', async () => {
  const of = await machine({ sleepInterval: '0s' })
  await using _updater = await of.start({ kubeletStateDir: `${of.root}/var/lib/kubelet` })
  await of.until(() => of.left() === '3')
  of.kubelet.says({ allocatable: { cpuIds: [1, 2], devices: [], memory: [] } })
  await of.pass(60_000)
  expect(of.left()).toBe('3')
  writeFileSync(join(of.root, 'var/lib/kubelet/cpu_manager_state'), '{"more": true}')
  await of.until(() => of.left() === '2', 3_000)
})

test('what the interval alone reads: policies, also where they cannot be read any more', async () => {
  const of = await machine()
  const policy = () => (of.published()?.['topologyPolicies'] as readonly string[] | undefined)?.[0]
  await using _updater = await of.start()
  await of.until(() => policy() === 'RestrictedContainerLevel')
  writeFileSync(join(of.root, 'kubelet.yaml'), 'kind: KubeletConfiguration\ntopologyManagerPolicy: single-numa-node\n')
  await of.until(() => policy() === 'SingleNUMANodeContainerLevel', 61_000)
  rmSync(join(of.root, 'kubelet.yaml'))
  of.kubelet.says({ allocatable: { cpuIds: [1], devices: [], memory: [] } })
  await of.until(() => of.left() === '1', 61_000)
  expect(policy()).toBe('SingleNUMANodeContainerLevel')
  expect(await of.errors()).toBe(0)
})

test('policies that were never read: nothing is published, the error is counted', async () => {
  const of = await machine({ kubeletConfigUri: 'file:///nowhere/kubelet.yaml' })
  await using updater = await of.start()
  await of.pass(30_000)
  expect(of.published()).toBeUndefined()
  expect(await of.errors()).toBeGreaterThan(1)
  expect(updater.health()).toEqual([
    expect.objectContaining({ ok: false, state: expect.stringContaining('/nowhere/kubelet.yaml') }),
  ])
  await expect(of.once()).rejects.toThrow('/nowhere/kubelet.yaml')
})

test('a kubelet that vanishes in the middle is asked again; what was published stays', async () => {
  const of = await machine()
  await using _updater = await of.start()
  await of.until(() => of.left() === '3')
  of.kubelet.answers = { ...of.kubelet.answers, '/v1.PodResourcesLister/List': 'breaks' }
  await of.pass(120_000)
  expect(of.left()).toBe('3')
  expect(await of.errors()).toBeGreaterThan(0)
  of.kubelet.says({ pods: [], allocatable: { cpuIds: [1], devices: [], memory: [] } })
  await of.kubelet.listen()
  await expect
    .poll(async () => {
      await of.pass(61_000)
      return of.left()
    })
    .toBe('1')
})

test('a server that is away is asked again, and is no error of the look', async () => {
  const of = await machine()
  await using _updater = await of.start()
  await of.until(() => of.left() === '3')
  of.wire.isCut = true
  of.kubelet.says({ allocatable: { cpuIds: [1], devices: [], memory: [] } })
  await of.pass(300_000)
  of.wire.isCut = false
  await of.until(() => of.left() === '1', 120_000)
  expect(await of.errors()).toBe(0)
})

test('what somebody wrote into it, or took away, comes back within ten minutes', async () => {
  const of = await machine()
  await using _updater = await of.start()
  await of.until(() => of.published() !== undefined)
  const resource = of.admin.resource<KubeObject>(nodeResourceTopologies)
  await resource.patch('n1', { type: 'merge', body: { topologyPolicies: ['None'], zones: [] } }, { signal })
  await of.until(() => of.left() === '3', 610_000)
  await resource.delete('n1', { signal })
  await of.until(() => of.published() !== undefined, 610_000)
})

test('a kind that comes later is waited for', async () => {
  const of = await machine({}, [])
  await using updater = await of.start()
  await of.pass(30_000)
  expect(updater.health()).toEqual([expect.objectContaining({ ok: false })])
  if (definition !== undefined) of.twin.load([definition])
  await of.until(() => of.published() !== undefined, 120_000)
  expect(await of.errors()).toBe(0)
})

test('pods that nobody knows yet are asked for, and thousands of them are another time', async () => {
  const of = await machine({ sleepInterval: '5s' })
  of.kubelet.says({ pods: Array.from({ length: 100 }, (_, at) => heldBy(`p${at}`, 1)) })
  await using updater = await of.start()
  await of.until(() => of.left() === '2')
  of.kubelet.says({ pods: Array.from({ length: 101 }, (_, at) => heldBy(`p${at}`, 1)) })
  await of.pass(10_000)
  expect(updater.health()).toEqual([expect.objectContaining({ state: expect.stringContaining('more than 100 pods') })])
})

test('pods of another namespace than the one that is watched do not count; nothing is published where that is asked', async () => {
  const of = await machine({ watchNamespace: 'other' }, [definition, podOf('a')])
  of.kubelet.says({ pods: [heldBy('a', 1)] })
  await of.once()
  expect(of.left()).toBe('3')
  const silent = await machine({ noPublish: true })
  await silent.once()
  expect([silent.published(), silent.wire.writes]).toEqual([undefined, []])
})

test('a machine without NUMA nodes says so', async () => {
  const of = await machine()
  rmSync(join(of.root, 'sys/devices/system'), { recursive: true })
  await expect(of.once()).rejects.toThrow('NUMA')
})

test('the API server takes no topology without zones', async () => {
  const of = await machine()
  const bad = { apiVersion: 'topology.node.k8s.io/v1alpha2', kind: 'NodeResourceTopology', metadata: { name: 'n9' } }
  await expect(of.admin.resource<KubeObject>(nodeResourceTopologies).create(bad, { signal })).rejects.toBeInstanceOf(StatusError)
})
