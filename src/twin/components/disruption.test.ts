import { expect, test } from 'vitest'
import { TestCluster, testNodes, testTemplate, testWorkload } from './cluster-for-tests.ts'

function budget(name: string, app: string, spec: Readonly<Record<string, unknown>>) {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app } }, ...spec },
  }
}

test('status by percentage and by maxUnavailable (case 20)', async () => {
  await using cluster = await TestCluster.start(testNodes(3))
  cluster.create('deployments.apps', testWorkload('Deployment', 'half', { replicas: 5 }))
  cluster.create('deployments.apps', testWorkload('Deployment', 'third', { replicas: 5 }))
  cluster.create('poddisruptionbudgets.policy', budget('half', 'half', { minAvailable: '50%' }))
  cluster.create('poddisruptionbudgets.policy', budget('third', 'third', { maxUnavailable: '30%' }))
  await cluster.settle()
  const status = (name: string) => cluster.get('poddisruptionbudgets.policy', name)?.status
  expect(status('half')).toMatchObject({
    expectedPods: 5,
    desiredHealthy: 3,
    currentHealthy: 5,
    disruptionsAllowed: 2,
    observedGeneration: 1,
  })
  expect(status('third')).toMatchObject({ expectedPods: 5, desiredHealthy: 3, currentHealthy: 5, disruptionsAllowed: 2 })
  // One pod that cannot start again leaves four healthy of five expected.
  cluster.edit('nodes', 'n1', node => ({ ...node, spec: { ...node.spec, unschedulable: true } }))
  const lost = cluster.pods().find(pod => pod.metadata.labels?.['app'] === 'half')
  cluster.access.remove('pods', 'default', lost?.metadata.name ?? '', { manager: 'kubectl', user: 'u' })
  await cluster.clock.advance(0)
  expect(status('half')).toMatchObject({ expectedPods: 5, desiredHealthy: 3, currentHealthy: 4, disruptionsAllowed: 1 })
  expect(status('half')?.conditions).toMatchObject([
    { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', observedGeneration: 1 },
  ])
  expect(cluster.failures).toEqual([])
})

test('pods of a controller without a scale: nothing may go, and the reason is told', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  cluster.create('daemonsets.apps', testWorkload('DaemonSet', 'agent'))
  cluster.create('poddisruptionbudgets.policy', budget('agent', 'agent', { maxUnavailable: 1 }))
  await cluster.settle()
  const status = cluster.get('poddisruptionbudgets.policy', 'agent')?.status
  expect(status).toMatchObject({ disruptionsAllowed: 0 })
  expect(status?.conditions?.[0]).toMatchObject({ status: 'False', reason: 'SyncFailed' })
  expect(cluster.list('events').map(event => event['reason'])).toContain('CalculateExpectedPodCountFailed')
})

test('an evicted pod is replaced elsewhere and the budget is whole again', async () => {
  await using cluster = await TestCluster.start(testNodes(3))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2, template: testTemplate('web') }))
  cluster.create('poddisruptionbudgets.policy', budget('web', 'web', { maxUnavailable: 1 }))
  await cluster.settle()
  const victim = cluster.pods()[0]
  const node = victim?.spec.nodeName ?? ''
  const transport = cluster.twin.transport({ admin: true })
  cluster.edit('nodes', node, object => ({ ...object, spec: { ...object.spec, unschedulable: true } }))
  const name = victim?.metadata.name ?? ''
  const answer = await transport.request({
    verb: 'POST',
    path: `/api/v1/namespaces/default/pods/${name}/eviction`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' } }),
    signal: new AbortController().signal,
  })
  expect(answer.status).toBe(201)
  await cluster.settle()
  expect(cluster.get('pods', name)).toBeUndefined()
  expect(cluster.readyPods()).toHaveLength(2)
  expect(cluster.readyPods().map(pod => pod.spec.nodeName)).not.toContain(node)
  expect(cluster.get('poddisruptionbudgets.policy', 'web')?.status).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1 })
  expect(cluster.get('poddisruptionbudgets.policy', 'web')?.status?.disruptedPods).toBeUndefined()
})
