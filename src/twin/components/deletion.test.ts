import { describe, expect, test } from 'vitest'
import { TestClient } from '../twin-for-tests.ts'
import { person, TestCluster, testNodes, testWorkload } from './cluster-for-tests.ts'

async function withDeployment(): Promise<TestCluster> {
  const cluster = await TestCluster.start(testNodes(2))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2 }))
  await cluster.settle()
  return cluster
}

const left = (cluster: TestCluster) => ({
  deployments: cluster.list('deployments.apps').length,
  sets: cluster.list('replicasets.apps').length,
  pods: cluster.pods().length,
})

describe('deletion policies (case 30)', () => {
  test('Foreground: the Deployment stays until its set and pods are gone', async () => {
    await using cluster = await withDeployment()
    cluster.access.remove('deployments.apps', 'default', 'web', person, { propagationPolicy: 'Foreground' })
    expect(cluster.get('deployments.apps', 'web')?.metadata).toMatchObject({
      finalizers: ['foregroundDeletion'],
      deletionTimestamp: expect.any(String),
    })
    const order: string[] = []
    for (const resource of ['deployments.apps', 'replicasets.apps', 'pods']) {
      cluster.access.subscribe(resource, ({ type }) => type === 'DELETED' && order.push(resource))
    }
    await cluster.settle()
    expect(order).toEqual(['pods', 'pods', 'replicasets.apps', 'deployments.apps'])
    expect(left(cluster)).toEqual({ deployments: 0, sets: 0, pods: 0 })
    expect(cluster.failures).toEqual([])
  })

  test('Background: the Deployment is gone at once, the others follow', async () => {
    await using cluster = await withDeployment()
    cluster.access.remove('deployments.apps', 'default', 'web', person, { propagationPolicy: 'Background' })
    expect(left(cluster)).toEqual({ deployments: 0, sets: 1, pods: 2 })
    await cluster.settle()
    expect(left(cluster)).toEqual({ deployments: 0, sets: 0, pods: 0 })
  })

  test('Orphan: the set stays without an owner', async () => {
    await using cluster = await withDeployment()
    cluster.access.remove('deployments.apps', 'default', 'web', person, { propagationPolicy: 'Orphan' })
    expect(cluster.get('deployments.apps', 'web')?.metadata.finalizers).toEqual(['orphan'])
    await cluster.settle()
    expect(left(cluster)).toEqual({ deployments: 0, sets: 1, pods: 2 })
    expect(cluster.list('replicasets.apps')[0]?.metadata.ownerReferences ?? []).toEqual([])
    expect(cluster.readyPods()).toHaveLength(2)
  })
})

test('a pod of an owner that the snapshot did not have is left alone', async () => {
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'not-there', controller: true, blockOwnerDeletion: true },
  ]
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', ownerReferences },
    spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'i' }] },
  }
  await using cluster = await TestCluster.start([...testNodes(1), pod])
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(1)
})

describe('namespaces', () => {
  test('a namespace takes what is in it along', async () => {
    await using cluster = await withDeployment()
    cluster.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    const workload = testWorkload('Deployment', 'web', { replicas: 2 })
    cluster.create('deployments.apps', { ...workload, metadata: { ...workload.metadata, namespace: 'shop' } })
    await cluster.settle()
    expect(cluster.readyPods('shop')).toHaveLength(2)
    cluster.access.remove('namespaces', undefined, 'shop', person)
    await cluster.settle()
    expect(cluster.access.get('namespaces', undefined, 'shop')).toBeUndefined()
    expect(cluster.pods('shop')).toEqual([])
    expect(cluster.readyPods()).toHaveLength(2)
  })

  test('what is in it can be deleted for five seconds, also when something of it was', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    for (const name of ['a', 'b'])
      cluster.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } })
    await cluster.settle()
    cluster.access.remove('namespaces', undefined, 'shop', person)
    cluster.access.remove('configmaps', 'shop', 'a', person)
    await cluster.clock.advance(4_000)
    expect(cluster.access.get('configmaps', 'shop', 'b')).toBeDefined()
    await cluster.settle()
    expect(cluster.access.get('namespaces', undefined, 'shop')).toBeUndefined()
  })

  test('a finalizer nobody removes holds it, and is named (case 31)', async () => {
    await using cluster = await TestCluster.start(testNodes(1))
    cluster.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    const widgets = 'widgets.example.com'
    cluster.twin.load([
      {
        apiVersion: 'example.com/v1',
        kind: 'Widget',
        metadata: { name: 'held', namespace: 'shop', finalizers: ['example.com/hold'] },
      },
    ])
    await cluster.settle()
    cluster.access.remove('namespaces', undefined, 'shop', person)
    await cluster.settle()
    const conditions = cluster.get('namespaces', 'shop')?.status?.conditions ?? []
    const message = 'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances'
    expect(conditions.find(condition => condition.type === 'NamespaceFinalizersRemaining')).toMatchObject({
      status: 'True',
      message,
    })
    expect(cluster.get('namespaces', 'shop')?.status?.phase).toBe('Terminating')
    expect(conditions.find(condition => condition.type === 'NamespaceContentRemaining')?.message).toBe(
      'Some resources are remaining: widgets.example.com has 1 resource instances',
    )
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'shop' },
      spec: { containers: [{ name: 'a', image: 'i' }] },
    }
    const client = new TestClient(cluster.twin.transport({ admin: true }))
    const refused = await client.post('/api/v1/namespaces/shop/pods', pod)
    expect(refused.body).toMatchObject({ code: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] } })
    const held = cluster.access.get(widgets, 'shop', 'held') ?? expect.fail('the widget is gone')
    cluster.access.update(widgets, { ...held, metadata: { ...held.metadata, finalizers: [] } }, person)
    await cluster.settle()
    expect(cluster.access.get('namespaces', undefined, 'shop')).toBeUndefined()
    expect(cluster.failures).toEqual([])
  })
})
