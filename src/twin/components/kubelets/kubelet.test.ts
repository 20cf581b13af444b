import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, startMs, TestCluster, testNode, testNodes, testTemplate, testWorkload } from '../cluster-for-tests.ts'
import { conditionOf, isReady } from '../workloads/pod-state.ts'

interface Shape {
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly container?: Readonly<Record<string, unknown>>
}

function pod(name: string, { annotations = {}, spec = {}, container = {} }: Shape = {}): KubeObject {
  const containers = [{ name: 'main', image: 'registry.example/app:1', ...container }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', annotations }, spec: { containers, ...spec } }
}

const reasons = (cluster: TestCluster, name: string) =>
  cluster
    .list('events', 'default')
    .filter(event => (event['involvedObject'] as { readonly name?: string }).name === name)
    .map(event => event['reason'])

describe('the start of a pod', () => {
  test('it is pulled, created and started, gets an address of its node and is ready', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p'))
    await cluster.settle()
    const made = cluster.get('pods', 'p')
    expect(made?.status).toMatchObject({
      phase: 'Running',
      podIP: '10.244.1.2',
      hostIP: '10.0.0.11',
      startTime: '2026-01-01T00:00:00Z',
    })
    expect(made?.status?.containerStatuses).toMatchObject([
      { name: 'main', ready: true, started: true, restartCount: 0, image: 'registry.example/app:1' },
    ])
    expect(made?.status?.containerStatuses?.[0]?.containerID).toMatch(/^containerd:\/\/[0-9a-f]{64}$/)
    for (const type of ['PodScheduled', 'Initialized', 'PodReadyToStartContainers', 'ContainersReady', 'Ready'])
      expect(conditionOf(made?.status?.conditions, type)?.status).toBe('True')
    expect(new Set(reasons(cluster, 'p'))).toEqual(new Set(['Scheduled', 'Pulling', 'Pulled', 'Created', 'Started']))
    expect(cluster.failures).toEqual([])
  })

  test('an image that the node has is not pulled; pulls of one node go one after the other', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('first'))
    await cluster.settle()
    const messages = () =>
      cluster
        .list('events')
        .filter(event => event['reason'] === 'Pulled')
        .map(event => String(event['message']))
    cluster.create('pods', pod('second'))
    await cluster.settle()
    expect(
      messages().filter(text => text === 'Container image "registry.example/app:1" already present on machine'),
    ).toHaveLength(1)
    cluster.create('pods', pod('third', { container: { image: 'registry.example/a:1' } }))
    cluster.create('pods', pod('fourth', { container: { image: 'registry.example/b:1' } }))
    await cluster.settle()
    const waits = messages().flatMap(
      text => /in ([0-9.]+)s \(([0-9.]+)s including waiting\)/.exec(text)?.slice(1, 3).map(Number) ?? [],
    )
    expect(waits).toHaveLength(6)
    // One of the last two had to wait for the other.
    const waited = [waits.slice(0, 2), waits.slice(2, 4), waits.slice(4, 6)].filter(([own = 0, all = 0]) => all > own + 0.1)
    expect(waited).toHaveLength(1)
  })

  test('probes and annotations say when it is ready', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const readinessProbe = { initialDelaySeconds: 5, periodSeconds: 10, successThreshold: 2, tcpSocket: { port: 80 } }
    cluster.create('pods', pod('probed', { container: { readinessProbe } }))
    cluster.create('pods', pod('told', { annotations: { 'ballast.dev/twin-ready-after': '90s' } }))
    await cluster.settle()
    const readyAfter = (name: string) => {
      const made = cluster.get('pods', name)
      const started = Date.parse(made?.status?.containerStatuses?.[0]?.state?.running?.startedAt ?? '')
      return (Date.parse(conditionOf(made?.status?.conditions, 'Ready')?.lastTransitionTime ?? '') - started) / 1000
    }
    expect(readyAfter('probed')).toBe(25)
    expect(readyAfter('told')).toBe(90)
  })

  test('init containers run to their end first, sidecars stay', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const initContainers = [
      { name: 'sidecar', image: 'i', restartPolicy: 'Always' },
      { name: 'setup', image: 'i' },
    ]
    cluster.create('pods', pod('p', { spec: { initContainers } }))
    await cluster.settle()
    const made = cluster.get('pods', 'p')
    expect(made?.status?.initContainerStatuses).toMatchObject([
      { name: 'sidecar', ready: true, started: true, state: { running: {} } },
      { name: 'setup', ready: true, started: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } },
    ])
    expect(made === undefined ? undefined : isReady(made)).toBe(true)
  })

  test('a readiness gate holds Ready back until its condition is True', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { spec: { readinessGates: [{ conditionType: 'example.com/gate' }] } }))
    await cluster.settle()
    const ready = () => conditionOf(cluster.get('pods', 'p')?.status?.conditions, 'Ready')
    expect(ready()).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' })
    const made = cluster.get('pods', 'p')
    const conditions = [...(made?.status?.conditions ?? []), { type: 'example.com/gate', status: 'True' }]
    if (made !== undefined)
      cluster.access.update('pods', { ...made, status: { ...made.status, conditions } }, person, { subresource: 'status' })
    await cluster.settle()
    expect(ready()?.status).toBe('True')
  })
})

describe('what goes wrong', () => {
  test('a crash loop restarts ever later', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { annotations: { 'ballast.dev/twin-fail': 'CrashLoopBackOff' } }))
    await cluster.clock.advance(120_000)
    const status = cluster.get('pods', 'p')?.status
    expect(status?.phase).toBe('Running')
    expect(status?.containerStatuses?.[0]).toMatchObject({
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1 } },
    })
    const restarts = status?.containerStatuses?.[0]?.restartCount ?? 0
    await cluster.clock.advance(3_600_000)
    const later = (cluster.get('pods', 'p')?.status?.containerStatuses?.[0]?.restartCount ?? 0) - restarts
    expect(restarts).toBeGreaterThanOrEqual(2)
    expect(later).toBeGreaterThanOrEqual(11)
    expect(later).toBeLessThanOrEqual(14)
  })

  test('an image that cannot be pulled', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { annotations: { 'ballast.dev/twin-fail': 'ImagePullBackOff' } }))
    await cluster.clock.advance(60_000)
    expect(cluster.get('pods', 'p')?.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }],
    })
  })

  test('a pod put on a node that has no room is refused by it', async () => {
    await using cluster = await TestCluster.start([testNode('n1', { cpu: '1' })])
    cluster.create('pods', pod('p', { spec: { nodeName: 'n1' }, container: { resources: { requests: { cpu: '2' } } } }))
    await cluster.settle()
    expect(cluster.get('pods', 'p')?.status).toMatchObject({
      phase: 'Failed',
      reason: 'OutOfcpu',
      message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000",
    })
  })

  test('a pod that fits nowhere says why, and fits when there is room', async () => {
    await using cluster = await TestCluster.start([testNode('n1', { cpu: '1' }), testNode('n2', { cpu: '1' })])
    cluster.create('pods', pod('big', { container: { resources: { requests: { cpu: '800m' } } } }))
    cluster.create('pods', pod('other', { container: { resources: { requests: { cpu: '800m' } } } }))
    await cluster.settle()
    cluster.create('pods', pod('third', { container: { resources: { requests: { cpu: '800m' } } } }))
    await cluster.settle()
    expect(conditionOf(cluster.get('pods', 'third')?.status?.conditions, 'PodScheduled')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: expect.stringMatching(
        /^0\/2 nodes are available: 2 Insufficient cpu\. .*preemption: 0\/2 nodes are available: 2 No preemption victims found for incoming pod\.$/,
      ),
    })
    expect(reasons(cluster, 'third')).toContain('FailedScheduling')
    cluster.access.remove('pods', 'default', 'big', person)
    await cluster.settle()
    expect(cluster.readyPods().map(made => made.metadata.name)).toEqual(['other', 'third'])
  })

  test('gates keep a pod from being scheduled until they are gone', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { spec: { schedulingGates: [{ name: 'example.com/hold' }] } }))
    await cluster.settle()
    expect(conditionOf(cluster.get('pods', 'p')?.status?.conditions, 'PodScheduled')).toMatchObject({ reason: 'SchedulingGated' })
    cluster.edit('pods', 'p', made => ({ ...made, spec: { ...made.spec, schedulingGates: [] } }))
    await cluster.settle()
    expect(cluster.readyPods()).toHaveLength(1)
    expect(cluster.failures).toEqual([])
  })
})

describe('the end of a pod', () => {
  // biome-ignore format: a table
  test.each([
    ['a second after SIGTERM', {}, 30, 1, 'Succeeded'],
    ['at once with a grace of nothing', {}, 0, 0, undefined],
    ['at the end of its grace when it ignores SIGTERM', { 'ballast.dev/twin-ignore-sigterm': 'true' }, 20, 20, 'Failed'],
  ] as const)('%s', async (_, annotations, graceSeconds, endsAfterS, phase) => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { annotations }))
    await cluster.settle()
    const askedMs = cluster.clock.elapsed()
    let last: string | undefined
    let goneMs = Number.NaN
    cluster.access.subscribe('pods', ({ type, object }) => {
      if (type === 'DELETED') goneMs = cluster.clock.elapsed()
      else last = cluster.get('pods', object.metadata.name)?.status?.phase
    })
    cluster.access.remove('pods', 'default', 'p', person, { gracePeriodSeconds: graceSeconds })
    await cluster.settle()
    expect((goneMs - askedMs) / 1000).toBeCloseTo(endsAfterS, 1)
    expect(last).toBe(phase)
  })

  test('a static pod comes back', async () => {
    const annotations = { 'kubernetes.io/config.mirror': 'abc', 'kubernetes.io/config.source': 'file' }
    const status = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'main', ready: true, image: 'i', state: { running: {} } }],
    }
    const mirror = { ...pod('apiserver-n1', { annotations, spec: { nodeName: 'n1' } }), status }
    await using cluster = await TestCluster.start([...testNodes(1), mirror])
    await cluster.settle()
    const before = cluster.get('pods', 'apiserver-n1')?.metadata.uid
    cluster.access.remove('pods', 'default', 'apiserver-n1', person)
    await cluster.settle()
    expect(cluster.get('pods', 'apiserver-n1')?.metadata.uid).not.toBe(before)
    expect(cluster.readyPods().map(made => made.metadata.name)).toEqual(['apiserver-n1'])
    expect(cluster.failures).toEqual([])
  })
})

test('usage follows the workload: the replacement takes over what its predecessor used', async () => {
  await using cluster = await TestCluster.start([...testNodes(2)])
  cluster.create(
    'deployments.apps',
    testWorkload('Deployment', 'web', { replicas: 2, template: testTemplate('web', { cpu: '100m' }) }),
  )
  await cluster.settle()
  const objects = cluster.access.resources().flatMap(resource => (resource === 'events' ? [] : cluster.access.list(resource)))
  const [first, second] = cluster.pods()
  const metrics = (name: string, cpu: string) => ({
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: { name, namespace: 'default' },
    containers: [{ name: 'main', usage: { cpu, memory: '100Mi' } }],
  })
  const nodeMetrics = {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'NodeMetrics',
    metadata: { name: first?.spec.nodeName ?? '' },
    usage: { cpu: '1', memory: '1Gi' },
  }
  await using copy = await TestCluster.start([
    ...objects,
    metrics(first?.metadata.name ?? '', '700m'),
    metrics(second?.metadata.name ?? '', '50m'),
    nodeMetrics,
  ])
  await copy.settle()
  const usage = copy.components.usage
  expect(usage.node(first?.spec.nodeName ?? '')).toEqual({ cpuNanocores: 1e9, memoryBytes: 1024 ** 3 })
  copy.edit('nodes', first?.spec.nodeName ?? '', node => ({ ...node, spec: { ...node.spec, unschedulable: true } }))
  copy.access.remove('pods', 'default', first?.metadata.name ?? '', person)
  await copy.settle()
  // What the node has beyond its pods stays: 1 − 0.7 cores.
  expect(usage.node(first?.spec.nodeName ?? '')).toEqual({ cpuNanocores: 3e8, memoryBytes: 1024 ** 3 - 100 * 1024 ** 2 })
  expect(usage.node(second?.spec.nodeName ?? '')?.cpuNanocores).toBe(75e7)
  expect(copy.clock.now()).toBeGreaterThan(startMs)
})

describe('what annotations say', () => {
  test('when containers that ended start again', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const annotations = { 'ballast.dev/twin-run-for': '10s', 'ballast.dev/twin-restart-after': '1m' }
    cluster.create('pods', pod('p', { annotations }))
    const endOf = () => cluster.get('pods', 'p')?.status?.containerStatuses?.[0]
    while (endOf()?.state?.terminated === undefined) await cluster.clock.advance(1000)
    await cluster.clock.advance(58_000)
    expect(endOf()?.restartCount).toBe(0)
    await cluster.clock.advance(2_000)
    expect([endOf()?.restartCount, endOf()?.state?.running !== undefined]).toEqual([1, true])
  })

  test('kwok’s word for how long a pod runs', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const annotations = { 'pod-complete.stage.kwok.x-k8s.io/delay': '10s' }
    cluster.create('pods', pod('p', { annotations, spec: { restartPolicy: 'Never' } }))
    await cluster.settle()
    expect(cluster.get('pods', 'p')?.status?.phase).toBe('Succeeded')
  })

  test('an old failure counts no more after ten minutes without one', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('pods', pod('p', { annotations: { 'ballast.dev/twin-run-for': '11m', 'ballast.dev/twin-exit-code': '1' } }))
    const restarts = () => cluster.get('pods', 'p')?.status?.containerStatuses?.[0]?.restartCount ?? 0
    await cluster.clock.advance(4 * 3_600_000)
    // Each round takes eleven minutes and ten seconds: the back-off never grows.
    expect(restarts()).toBe(Math.floor((4 * 3600) / (11 * 60 + 10)))
  })
})
