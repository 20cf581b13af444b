import { describe, expect, test } from 'vitest'
import type { Node, Pod } from '#kube/objects/objects.ts'
import { fieldsAt, textAt } from '../../json-value.ts'
import { TestCluster, testNode, testNodes, testTemplate, testWorkload } from '../cluster-for-tests.ts'
import { conditionOf } from '../workloads/pod-state.ts'

const minuteMs = 60_000
const condition = (object: Node | Pod | undefined, type: string) => conditionOf(object?.status?.conditions, type)
const taints = (node: Node | undefined) => (node?.spec?.taints ?? []).map(taint => `${taint.key}:${taint.effect}`)

function statusOf(pod: Pod | undefined) {
  const [status] = pod?.status?.containerStatuses ?? []
  return { phase: pod?.status?.phase, restarts: status?.restartCount, state: status?.state, last: fieldsAt(status, 'lastState') }
}

async function withPods(nodes = 3, replicas = 3): Promise<TestCluster> {
  const cluster = await TestCluster.start([...testNodes(nodes), testWorkload('Deployment', 'web', { replicas })])
  await cluster.settle()
  return cluster
}

describe('a node that', () => {
  test('crashes for two minutes comes back with its containers started anew', async () => {
    await using cluster = await withPods(1, 1)
    const fault = cluster.twin.fault({ node: { names: ['n1'], action: 'crash', for: '2m' } })
    await cluster.clock.advance(1)
    expect([fault.fired, cluster.components.nodes.isAlive('n1')]).toEqual([1, false])
    await cluster.clock.advance(90_000)
    expect(condition(cluster.get('nodes', 'n1'), 'Ready')).toMatchObject({ status: 'Unknown', reason: 'NodeStatusUnknown' })
    await cluster.clock.advance(60_000)
    expect(condition(cluster.get('nodes', 'n1'), 'Ready')?.status).toBe('True')
    const [pod] = cluster.pods()
    expect(statusOf(pod)).toMatchObject({
      phase: 'Running',
      restarts: 1,
      last: { terminated: { exitCode: 255, reason: 'Unknown' } },
    })
    expect(cluster.readyPods()).toHaveLength(1)
    expect(cluster.list('events').some(event => event['reason'] === 'Rebooted')).toBe(true)
    expect(cluster.failures).toEqual([])
  })

  test('is cut off keeps its containers', async () => {
    await using cluster = await withPods(1, 1)
    cluster.twin.fault({ node: { names: ['n1'], action: 'partition', for: '2m' } })
    await cluster.clock.advance(90_000)
    expect(condition(cluster.get('nodes', 'n1'), 'Ready')?.status).toBe('Unknown')
    await cluster.clock.advance(90_000)
    expect(cluster.pods().map(pod => statusOf(pod).restarts)).toEqual([0])
    expect(cluster.readyPods()).toHaveLength(1)
  })

  test('crashes for good loses its pods to others after their five minutes', async () => {
    await using cluster = await withPods(3, 3)
    const node = cluster.pods()[0]?.spec.nodeName ?? ''
    cluster.twin.fault({ node: { names: [node], action: 'crash' } })
    await cluster.clock.advance(50_000)
    const silentFor = cluster.clock.now()
    await cluster.clock.advance(20_000)
    const dead = cluster.get('nodes', node)
    expect(taints(dead)).toEqual(
      expect.arrayContaining(['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute']),
    )
    const tainted = Date.parse(dead?.spec?.taints?.find(taint => taint.effect === 'NoExecute')?.timeAdded ?? '')
    expect(tainted - silentFor).toBeLessThanOrEqual(15_000)
    const there = () => cluster.pods().filter(pod => pod.spec.nodeName === node)
    await cluster.clock.advance(tainted + 299_000 - cluster.clock.now())
    expect(there().every(pod => pod.metadata.deletionTimestamp === undefined)).toBe(true)
    await cluster.clock.advance(60_000)
    expect(there().length).toBeGreaterThan(0)
    expect(there().every(pod => pod.metadata.deletionTimestamp !== undefined)).toBe(true)
    expect(cluster.readyPods()).toHaveLength(3)
    expect(cluster.readyPods().some(pod => pod.spec.nodeName === node)).toBe(false)
    // Nobody confirms their end until the node is deleted.
    cluster.access.remove('nodes', undefined, node, { manager: 'kubectl', user: 'admin' })
    await cluster.clock.advance(2 * minuteMs)
    expect(there()).toEqual([])
  })

  test('reboots ends its pods in order, and others take their place', async () => {
    await using cluster = await withPods(1, 2)
    cluster.twin.fault({ node: { names: ['n1'], action: 'reboot', for: '1m' } })
    await cluster.clock.advance(10_000)
    expect(condition(cluster.get('nodes', 'n1'), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message: 'node is shutting down',
    })
    const ended = cluster.pods().filter(pod => pod.status?.phase === 'Failed')
    expect(ended).toHaveLength(2)
    for (const pod of ended) {
      expect(pod.status).toMatchObject({
        reason: 'Terminated',
        message: 'Pod was terminated in response to imminent node shutdown.',
      })
      expect(condition(pod, 'DisruptionTarget')).toMatchObject({ status: 'True', reason: 'TerminationByKubelet' })
    }
    const before = textAt(cluster.get('nodes', 'n1'), 'status', 'nodeInfo', 'bootID')
    await cluster.clock.advance(3 * minuteMs)
    await cluster.settle()
    expect(cluster.readyPods()).toHaveLength(2)
    expect(textAt(cluster.get('nodes', 'n1'), 'status', 'nodeInfo', 'bootID')).not.toBe(before)
  })
})

describe('what a node reports', () => {
  // biome-ignore format: a table
  test.each([
    ['diskPressure', 'DiskPressure', 'True', 'KubeletHasDiskPressure', 'KubeletHasNoDiskPressure', 'node.kubernetes.io/disk-pressure:NoSchedule'],
    ['memoryPressure', 'MemoryPressure', 'True', 'KubeletHasInsufficientMemory', 'KubeletHasSufficientMemory', 'node.kubernetes.io/memory-pressure:NoSchedule'],
    ['pidPressure', 'PIDPressure', 'True', 'KubeletHasInsufficientPID', 'KubeletHasSufficientPID', 'node.kubernetes.io/pid-pressure:NoSchedule'],
    ['notReady', 'Ready', 'False', 'KubeletNotReady', 'KubeletReady', 'node.kubernetes.io/not-ready:NoSchedule'],
  ] as const)('%s for a minute', async (action, type, status, reason, good, taint) => {
    await using cluster = await TestCluster.start(testNodes(2))
    const fault = cluster.twin.fault({ node: { names: ['n1'], action, for: '1m' }, from: '30s' })
    await cluster.clock.advance(29_000)
    expect(fault.fired).toBe(0)
    await cluster.clock.advance(2_000)
    expect(condition(cluster.get('nodes', 'n1'), type)).toMatchObject({ status, reason })
    expect(taints(cluster.get('nodes', 'n1'))).toContain(taint)
    expect(taints(cluster.get('nodes', 'n2'))).toEqual([])
    await cluster.clock.advance(60_000)
    expect(condition(cluster.get('nodes', 'n1'), type)).toMatchObject({ status: type === 'Ready' ? 'True' : 'False', reason: good })
    expect(taints(cluster.get('nodes', 'n1'))).toEqual([])
  })

  test('until the fault is taken away, where it has no end', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const fault = cluster.twin.fault({ node: { action: 'diskPressure' } })
    await cluster.clock.advance(3_600_000)
    expect(condition(cluster.get('nodes', 'n1'), 'DiskPressure')?.status).toBe('True')
    fault.remove()
    expect(condition(cluster.get('nodes', 'n1'), 'DiskPressure')?.status).toBe('False')
  })

  test('of many, those that the labels name, and no more than asked for', async () => {
    const nodes = Array.from({ length: 6 }, (_, index) => testNode(`n${index}`, { labels: { zone: index < 4 ? 'a' : 'b' } }))
    await using cluster = await TestCluster.start(nodes)
    const fault = cluster.twin.fault({ node: { selector: { zone: 'a' }, action: 'pidPressure' }, count: 2, skipFirst: 1 })
    await cluster.clock.advance(1)
    const hit = cluster.list('nodes').filter(node => condition(node, 'PIDPressure')?.status === 'True')
    expect([fault.fired, hit.map(node => node.metadata.name)]).toEqual([2, ['n1', 'n2']])
  })

  test('under pressure it takes critical pods alone', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.twin.fault({ node: { action: 'diskPressure' } })
    await cluster.clock.advance(1)
    const pod = (name: string, spec: object) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { ...testTemplate('web').spec, nodeName: 'n1', ...spec },
    })
    cluster.create('pods', pod('plain', {}))
    cluster.create('pods', pod('critical', { priorityClassName: 'system-node-critical' }))
    await cluster.settle()
    expect(cluster.get('pods', 'plain')?.status).toMatchObject({
      phase: 'Failed',
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [DiskPressure]. ',
    })
    expect(cluster.get('pods', 'critical')?.status?.phase).toBe('Running')
  })
})

describe('pulls', () => {
  const waiting = (cluster: TestCluster) => cluster.pods()[0]?.status?.containerStatuses?.[0]?.state?.waiting?.reason

  test('of images like the pattern fail until the fault is over', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const fault = cluster.twin.fault({ image: { pattern: '*/app:*', error: 'ErrImagePull', for: '5m' } })
    await cluster.clock.advance(1)
    expect(fault.fired).toBe(1)
    cluster.create('deployments.apps', testWorkload('Deployment', 'web'))
    const seen = new Set<string | undefined>()
    for (let second = 0; second < 60; second++) {
      await cluster.clock.advance(1000)
      seen.add(waiting(cluster))
    }
    expect(seen).toEqual(new Set(['ContainerCreating', 'ErrImagePull', 'ImagePullBackOff']))
    await cluster.clock.advance(10 * minuteMs)
    expect(cluster.readyPods()).toHaveLength(1)
    expect(cluster.list('events').some(event => event['reason'] === 'Pulled')).toBe(true)
  })

  test('of a name that is none', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    const fault = cluster.twin.fault({ image: { pattern: 'registry.example/app:1', error: 'InvalidImageName' } })
    await cluster.clock.advance(1)
    cluster.create('deployments.apps', testWorkload('Deployment', 'web'))
    await cluster.clock.advance(minuteMs)
    expect(waiting(cluster)).toBe('InvalidImageName')
    fault.remove()
    await cluster.clock.advance(10 * minuteMs)
    expect(cluster.readyPods()).toHaveLength(1)
  })

  test('take ten times as long on a node that pulls slowly', async () => {
    const startOf = async (isSlow: boolean) => {
      await using cluster = await TestCluster.start(testNodes(1))
      if (isSlow) cluster.twin.fault({ node: { action: 'slowPull' } })
      await cluster.clock.advance(1)
      cluster.create('deployments.apps', testWorkload('Deployment', 'web'))
      await cluster.settle()
      const pulled = cluster.list('events').find(event => event['reason'] === 'Pulled')
      return Number(/in ([0-9.]+)s \(/.exec(String(pulled?.['message']))?.[1])
    }
    const [usual, slow] = [await startOf(false), await startOf(true)]
    expect(slow / usual).toBeCloseTo(10, 1)
  })
})
