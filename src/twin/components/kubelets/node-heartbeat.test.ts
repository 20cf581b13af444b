import { expect, test } from 'vitest'
import { TestCluster, testNodes } from '../cluster-for-tests.ts'

const leaseOf = (cluster: TestCluster, name: string) =>
  cluster.access.get('leases.coordination.k8s.io', 'kube-node-lease', name)?.['spec']

test('every node has its Lease from the first moment on, as one that joined long ago has', async () => {
  await using cluster = await TestCluster.start(testNodes(4))
  for (const name of ['n1', 'n2', 'n3', 'n4']) {
    expect(leaseOf(cluster, name)).toMatchObject({ holderIdentity: name, leaseDurationSeconds: 40 })
    expect(leaseOf(cluster, name)).not.toHaveProperty('acquireTime')
  }
})

test('Leases are renewed every 10 s, each node at its own moment', async () => {
  await using cluster = await TestCluster.start(testNodes(4))
  await cluster.clock.advance(60_000)
  const renewed = ['n1', 'n2', 'n3', 'n4'].map(name => Date.parse(String(Object(leaseOf(cluster, name)).renewTime)))
  expect(new Set(renewed).size).toBe(4)
  for (const atMs of renewed) expect(cluster.clock.now() - atMs).toBeLessThanOrEqual(10_000)
})

test('no Lease is made where nodes are told not to beat', async () => {
  await using cluster = await TestCluster.start(testNodes(1), { heartbeat: 'off' })
  await cluster.clock.advance(60_000)
  expect(leaseOf(cluster, 'n1')).toBeUndefined()
})
