import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { TestClient } from '../../twin-for-tests.ts'
import { TestCluster, testNode } from '../cluster-for-tests.ts'

function sized(name: string, cpu: string, more: object = {}): KubeObject {
  const resources = { requests: { cpu, memory: '64Mi' } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'app:1', resources, ...more }] },
  }
}

function resized(cpu: string) {
  return { spec: { containers: [{ name: 'main', resources: { requests: { cpu, memory: '64Mi' } } }] } }
}

async function start(pods: readonly KubeObject[]) {
  const cluster = await TestCluster.start([testNode('n1', { cpu: '4' }), ...pods])
  await cluster.settle()
  const client = new TestClient(cluster.twin.transport({ admin: true }))
  const resize = (name: string, patch: object) =>
    client.patch(`/api/v1/namespaces/default/pods/${name}/resize`, 'strategic', patch)
  return { cluster, resize }
}

const conditions = (pod: Pod | undefined) =>
  (pod?.status?.conditions ?? []).filter(({ type }) => type.startsWith('PodResize')).map(({ type, reason }) => [type, reason])

describe('a pod that is resized', () => {
  test('gets what it asks for without a restart', async () => {
    const { cluster, resize } = await start([sized('a', '100m')])
    await using _ = cluster
    expect((await resize('a', resized('200m'))).status).toBe(200)
    await cluster.clock.advance(100)
    expect(conditions(cluster.get('pods', 'a'))).toEqual([['PodResizeInProgress', undefined]])
    await cluster.settle()
    const pod = cluster.get('pods', 'a')
    const status = pod?.status?.containerStatuses?.[0]
    expect(status?.allocatedResources).toEqual({ cpu: '200m', memory: '64Mi' })
    expect(status?.resources?.requests).toEqual({ cpu: '200m', memory: '64Mi' })
    expect([status?.restartCount, conditions(pod), pod?.metadata.generation]).toEqual([0, [], 2])
    expect(pod?.status?.['observedGeneration']).toBe(2)
  })

  test('is restarted where its policy says so', async () => {
    const resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }]
    const { cluster, resize } = await start([sized('a', '100m', { resizePolicy })])
    await using _ = cluster
    for (const [cpu, restarts] of [
      ['200m', 1],
      ['300m', 2],
      ['100m', 3],
    ] as const) {
      await resize('a', resized(cpu))
      // At once, however often: it is no failure.
      await cluster.clock.advance(10_000)
      const status = cluster.get('pods', 'a')?.status?.containerStatuses?.[0]
      expect([status?.restartCount, status?.resources?.requests?.['cpu'], status?.ready]).toEqual([restarts, cpu, true])
    }
    const reasons = cluster.list('events').map(event => event['reason'])
    expect(reasons).toContain('Killing')
    expect(reasons).not.toContain('BackOff')
  })

  test('waits while its node has no room, and goes on when there is', async () => {
    const { cluster, resize } = await start([sized('a', '1'), sized('b', '1')])
    await using _ = cluster
    await resize('a', resized('3500m'))
    await cluster.settle()
    expect(conditions(cluster.get('pods', 'a'))).toEqual([['PodResizePending', 'Deferred']])
    expect(cluster.get('pods', 'a')?.status?.containerStatuses?.[0]?.allocatedResources?.['cpu']).toBe('1')
    cluster.access.remove('pods', 'default', 'b', { manager: 'kubectl', user: 'admin' })
    await cluster.settle()
    expect(conditions(cluster.get('pods', 'a'))).toEqual([])
    expect(cluster.get('pods', 'a')?.status?.containerStatuses?.[0]?.allocatedResources?.['cpu']).toBe('3500m')
  })

  test('is told when its node can never hold it', async () => {
    const { cluster, resize } = await start([sized('a', '1')])
    await using _ = cluster
    await resize('a', resized('100'))
    await cluster.settle()
    expect(conditions(cluster.get('pods', 'a'))).toEqual([['PodResizePending', 'Infeasible']])
  })

  // biome-ignore format: a table
  test.each<[string, object, string]>([
    ['another class', { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '100m', memory: '64Mi' } } }] } }, 'Pod QOS Class may not change as a result of resizing'],
    ['a request less', { spec: { containers: [{ name: 'main', resources: { requests: { cpu: null, memory: '64Mi' } } }] } }, 'resource requests cannot be removed'],
    ['another resource', { spec: { containers: [{ name: 'main', resources: { requests: { 'ephemeral-storage': '1Gi' } } }] } }, 'only cpu and memory resources are mutable'],
    ['another container', { spec: { containers: [{ name: 'more', image: 'x' }] } }, 'containers may not be added or removed on resize'],
  ])('is refused %s', async (_, patch, message) => {
    const { cluster, resize } = await start([sized('a', '100m')])
    await using __ = cluster
    const answer = await resize('a', patch)
    expect([answer.status, answer.message?.includes(message)]).toEqual([422, true])
  })

  test('keeps what a resize may not touch', async () => {
    const { cluster, resize } = await start([sized('a', '100m')])
    await using _ = cluster
    const answer = await resize('a', {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'main', image: 'other:2' }] },
    })
    expect(answer.status).toBe(200)
    const pod = cluster.get('pods', 'a')
    expect([pod?.spec.containers[0]?.image, pod?.metadata.labels, pod?.metadata.generation]).toEqual(['app:1', undefined, 1])
  })
})
