import { expect, test } from 'vitest'
import { person, startMs, TestCluster, testNodes, testWorkload } from './cluster-for-tests.ts'
import { conditionOf } from './workloads/pod-state.ts'

const tolerations = ['not-ready', 'unreachable'].map(name => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}))

async function withDeployment(): Promise<TestCluster> {
  const cluster = await TestCluster.start(testNodes(4))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 8 }))
  await cluster.settle()
  await cluster.clock.advance(60_000)
  return cluster
}

test('a node that dies is marked, tainted, emptied, and gives its pods back when it returns (case 29)', async () => {
  await using cluster = await withDeployment()
  const onNode = cluster
    .pods()
    .filter(pod => pod.spec.nodeName === 'n1')
    .map(pod => pod.metadata.name)
  expect(onNode).toHaveLength(2)
  for (const pod of cluster.pods())
    expect(pod.spec.tolerations).toEqual(
      expect.arrayContaining(tolerations.map(toleration => expect.objectContaining(toleration))),
    )
  cluster.components.nodes.kill('n1')
  const renewed = cluster.access.get('leases.coordination.k8s.io', 'kube-node-lease', 'n1')?.['spec']
  const heartbeatMs = Date.parse(String(Object(renewed).renewTime))
  const node = () => cluster.get('nodes', 'n1')
  const taints = () => node()?.spec?.taints?.map(taint => `${taint.key}:${taint.effect}`) ?? []
  await cluster.clock.runUntil(() => taints().length === 2, { limitMs: 120_000 })
  const silentMs = cluster.clock.now() - heartbeatMs
  expect(silentMs).toBeGreaterThanOrEqual(50_000)
  expect(silentMs).toBeLessThanOrEqual(60_000)
  expect(taints()).toEqual(['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'])
  expect(conditionOf(node()?.status?.conditions, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'NodeStatusUnknown' })
  expect(cluster.readyPods()).toHaveLength(6)
  const terminating = () =>
    cluster
      .pods()
      .filter(pod => pod.metadata.deletionTimestamp !== undefined)
      .map(pod => pod.metadata.name)
  await cluster.clock.advance(298_000)
  expect(terminating()).toEqual([])
  await cluster.clock.advance(3_000)
  expect(terminating()).toEqual(onNode)
  expect(conditionOf(cluster.get('pods', onNode[0] ?? '')?.status?.conditions, 'DisruptionTarget')).toMatchObject({
    reason: 'DeletionByTaintManager',
  })
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(8)
  expect(cluster.readyPods().map(pod => pod.spec.nodeName)).not.toContain('n1')
  await cluster.clock.advance(3_600_000)
  expect(terminating()).toEqual(onNode)
  cluster.components.nodes.revive('n1')
  await cluster.settle()
  expect(terminating()).toEqual([])
  expect(taints()).toEqual([])
  expect(cluster.pods()).toHaveLength(8)
  expect(cluster.failures).toEqual([])
  expect(cluster.clock.now()).toBeGreaterThan(startMs)
})

test('a node that is deleted takes its pods along 40 s later', async () => {
  await using cluster = await withDeployment()
  cluster.components.nodes.kill('n1')
  cluster.access.remove('nodes', undefined, 'n1', person)
  const stranded = () => cluster.pods().filter(pod => pod.spec.nodeName === 'n1').length
  await cluster.clock.advance(39_000)
  expect(stranded()).toBe(2)
  await cluster.clock.advance(41_000)
  expect(cluster.failures).toEqual([])
  expect(stranded()).toBe(0)
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(8)
  expect(cluster.failures).toEqual([])
})

test('a node that comes back in time loses nothing', async () => {
  await using cluster = await withDeployment()
  const before = cluster.pods().map(pod => pod.metadata.uid)
  cluster.components.nodes.kill('n1')
  await cluster.clock.advance(120_000)
  expect(cluster.readyPods()).toHaveLength(6)
  cluster.components.nodes.revive('n1')
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(8)
  await cluster.clock.advance(600_000)
  expect(cluster.pods().map(pod => pod.metadata.uid)).toEqual(before)
})

test('a cordoned node is tainted and gets no pods', async () => {
  await using cluster = await withDeployment()
  cluster.edit('nodes', 'n1', node => ({ ...node, spec: { ...node.spec, unschedulable: true } }))
  await cluster.settle()
  expect(cluster.get('nodes', 'n1')?.spec?.taints?.map(taint => taint.key)).toEqual(['node.kubernetes.io/unschedulable'])
  for (const pod of cluster.pods())
    if (pod.spec.nodeName === 'n1') cluster.access.remove('pods', 'default', pod.metadata.name, person)
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(8)
  expect(cluster.pods().filter(pod => pod.spec.nodeName === 'n1')).toEqual([])
})
