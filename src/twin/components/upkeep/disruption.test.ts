import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, TestCluster, testNodes, testTemplate, testWorkload } from '../cluster-for-tests.ts'

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
  // The quota keeps the lost pod from coming back: four exist of five expected.
  const hard = { pods: '9' }
  const metadata = { name: 'nine', namespace: 'default' }
  cluster.access.create(
    'resourcequotas',
    { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard }, status: { hard } },
    person,
  )
  await cluster.clock.advance(1_000)
  const lost = cluster.pods().find(pod => pod.metadata.labels?.['app'] === 'half')
  cluster.access.remove('pods', 'default', lost?.metadata.name ?? '', { manager: 'kubectl', user: 'u' })
  await cluster.clock.advance(60_000)
  expect(cluster.pods().filter(pod => pod.metadata.labels?.['app'] === 'half')).toHaveLength(4)
  expect(status('half')).toMatchObject({ expectedPods: 5, desiredHealthy: 3, currentHealthy: 4, disruptionsAllowed: 1 })
  expect(status('half')?.conditions).toMatchObject([
    { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', observedGeneration: 1 },
  ])
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

describe('pods of a custom resource', () => {
  const definition = (subresources: object): KubeObject => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'fleets.example.com' },
    spec: {
      group: 'example.com',
      names: { plural: 'fleets', kind: 'Fleet' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  })
  const scale = { scale: { specReplicasPath: '.spec.ships', statusReplicasPath: '.status.ships' } }
  const fleet: KubeObject = {
    apiVersion: 'example.com/v1',
    kind: 'Fleet',
    metadata: { name: 'f', namespace: 'default', uid: 'f1' },
    spec: { ships: 4 },
  }
  const ship = (name: string, uid: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      labels: { app: 'fleet' },
      ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'Fleet', name: 'f', uid, controller: true }],
    },
    spec: { containers: [{ name: 'main', image: 'i' }] },
  })

  test.each<[string, object, string, object]>([
    [
      'are expected as its scale says',
      scale,
      'f1',
      { expectedPods: 4, desiredHealthy: 2, currentHealthy: 3, disruptionsAllowed: 1 },
    ],
    ['cannot be counted without a scale', { status: {} }, 'f1', { expectedPods: 0, disruptionsAllowed: 0 }],
    ['cannot be counted where it is another of that name', scale, 'f0', { expectedPods: 0, disruptionsAllowed: 0 }],
  ])('%s', async (_, subresources, uid, expected) => {
    const ships = ['a', 'b', 'c'].map(name => ship(name, uid))
    const objects = [...testNodes(2), definition(subresources), fleet, ...ships]
    await using cluster = await TestCluster.start([...objects, budget('fleet', 'fleet', { minAvailable: '50%' })])
    await cluster.settle()
    expect(cluster.get('poddisruptionbudgets.policy', 'fleet')?.status).toMatchObject(expected)
  })
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
