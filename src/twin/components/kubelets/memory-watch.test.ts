import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { fieldsAt } from '../../json-value.ts'
import { TestCluster, testNode } from '../cluster-for-tests.ts'
import { conditionOf } from '../workloads/pod-state.ts'
import { evictionOrder } from './memory-watch.ts'

interface Shape {
  readonly uses: string
  readonly request?: string
  readonly limit?: string
  readonly priorityClass?: string
  readonly restartPolicy?: string
}

function pod(name: string, { uses, request, limit, priorityClass, restartPolicy }: Shape): KubeObject {
  const resources = {
    ...(request === undefined ? {} : { requests: { memory: request } }),
    ...(limit === undefined ? {} : { limits: { memory: limit } }),
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations: { 'ballast.dev/twin-usage-memory': uses } },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'main', image: 'registry.example/app:1', resources }],
      ...(priorityClass === undefined ? {} : { priorityClassName: priorityClass }),
      ...(restartPolicy === undefined ? {} : { restartPolicy }),
    },
  }
}

/** A node of 16 GiB with these pods running. */
async function withPods(pods: readonly KubeObject[]): Promise<TestCluster> {
  const important = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'important' }, value: 10 }
  const cluster = await TestCluster.start([testNode('n1'), important])
  for (const one of pods) cluster.create('pods', one)
  await cluster.settle()
  return cluster
}

const phases = (cluster: TestCluster) =>
  Object.fromEntries(cluster.pods().map(one => [one.metadata.name, one.status?.reason ?? one.status?.phase]))
const pressure = (cluster: TestCluster) => conditionOf(cluster.get('nodes', 'n1')?.status?.conditions, 'MemoryPressure')?.status

describe('a container above its limit', () => {
  test('is killed, started again, and in the end backs off', async () => {
    await using cluster = await withPods([pod('leaky', { uses: '300Mi', request: '100Mi', limit: '200Mi' })])
    await cluster.clock.advance(10_001)
    expect(cluster.get('pods', 'leaky')?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 137,
      reason: 'OOMKilled',
    })
    await cluster.clock.advance(60_000)
    const [status] = cluster.get('pods', 'leaky')?.status?.containerStatuses ?? []
    expect(status?.restartCount).toBeGreaterThan(0)
    expect(status?.state?.waiting?.reason).toBe('CrashLoopBackOff')
    expect(fieldsAt(status, 'lastState', 'terminated')).toMatchObject({ reason: 'OOMKilled', exitCode: 137 })
  })

  test('that may not restart ends its pod', async () => {
    await using cluster = await withPods([pod('job', { uses: '300Mi', limit: '200Mi', restartPolicy: 'Never' })])
    await cluster.clock.advance(20_000)
    expect(cluster.get('pods', 'job')?.status?.phase).toBe('Failed')
  })

  test('at its limit lives', async () => {
    await using cluster = await withPods([pod('full', { uses: '200Mi', limit: '200Mi' })])
    await cluster.clock.advance(60_000)
    expect(cluster.get('pods', 'full')?.status?.containerStatuses?.[0]?.restartCount).toBe(0)
  })
})

describe('a node that runs short', () => {
  test('evicts one pod after the other until it has enough, and reports pressure for five minutes more', async () => {
    await using cluster = await withPods([
      pod('modest', { uses: '2Gi', request: '4Gi' }),
      pod('greedy', { uses: '8Gi', request: '1Gi' }),
      pod('greedier', { uses: '7Gi', request: '100Mi', priorityClass: 'important' }),
    ])
    await cluster.clock.advance(10_001)
    expect(phases(cluster)).toEqual({ modest: 'Running', greedy: 'Evicted', greedier: 'Running' })
    const { status } = cluster.get('pods', 'greedy') ?? {}
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'Evicted',
      message:
        'The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. Container main was using 8Gi, request is 1Gi, has larger consumption of memory. ',
    })
    expect(conditionOf(status?.conditions, 'DisruptionTarget')).toMatchObject({ status: 'True', reason: 'TerminationByKubelet' })
    expect(cluster.list('events').some(event => event['reason'] === 'Evicted')).toBe(true)
    expect(pressure(cluster)).toBe('True')
    await cluster.clock.advance(290_000)
    expect(phases(cluster)).toEqual({ modest: 'Running', greedy: 'Evicted', greedier: 'Running' })
    expect(pressure(cluster)).toBe('True')
    await cluster.clock.advance(30_000)
    expect(pressure(cluster)).toBe('False')
    expect(cluster.failures).toEqual([])
  })

  test('leaves critical pods alone', async () => {
    await using cluster = await withPods([pod('critical', { uses: '17Gi', priorityClass: 'system-node-critical' })])
    await cluster.clock.advance(60_000)
    expect([phases(cluster), pressure(cluster)]).toEqual([{ critical: 'Running' }, 'True'])
  })
})

describe('the order of victims', () => {
  const use = (name: string, usedBytes: number, requestedBytes: number, priority = 0) => {
    const one: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [], priority } }
    return { pod: one, usedBytes, requestedBytes }
  }
  // biome-ignore format: a table
  test.each([
    ['above its request before below', [use('below', 900, 1000), use('above', 200, 100, 50)], ['above', 'below']],
    ['the lower priority first', [use('high', 900, 100, 10), use('low', 200, 100, 1)], ['low', 'high']],
    ['then the more above', [use('little', 200, 100), use('much', 900, 100)], ['much', 'little']],
    ['below their requests the closest to it', [use('far', 10, 1000), use('near', 900, 1000)], ['near', 'far']],
  ])('%s', (_, pods, expected) => {
    expect(evictionOrder(pods).map(one => one.pod.metadata.name)).toEqual(expected)
  })
})
