import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { TestCluster, testNodes, testTemplate, testWorkload } from './cluster-for-tests.ts'
import { missingReplicaSets } from './workloads/missing-replica-sets.ts'

/** Everything a healthy cluster holds, as a dump of it has it. */
async function healthyDump(): Promise<readonly KubeObject[]> {
  await using cluster = await TestCluster.start(testNodes(3))
  for (const [kind, name] of [
    ['Deployment', 'web'],
    ['StatefulSet', 'db'],
    ['DaemonSet', 'agent'],
  ] as const) {
    const replicas = kind === 'DaemonSet' ? {} : { replicas: 3 }
    cluster.access.create(`${kind.toLowerCase()}s.apps`, testWorkload(kind, name, replicas), { manager: 'kubectl', user: 'u' })
  }
  await cluster.settle()
  const kinds = cluster.access.resources().filter(resource => resource !== 'events' && !resource.startsWith('leases'))
  return kinds.flatMap(resource => cluster.access.list(resource))
}

async function writesAfterLoad(objects: readonly KubeObject[]) {
  await using cluster = await TestCluster.start(objects)
  const seen: string[] = []
  const watched = ['pods', 'deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'daemonsets.apps', 'nodes']
  for (const resource of watched)
    cluster.access.subscribe(resource, ({ type, object }) => seen.push(`${resource} ${type} ${object.metadata.name}`))
  const before = cluster.pods().map(pod => pod.metadata.uid)
  await cluster.settle()
  return {
    seen,
    isSame: JSON.stringify(cluster.pods().map(pod => pod.metadata.uid)) === JSON.stringify(before),
    ready: cluster.readyPods().length,
    failures: cluster.failures,
  }
}

test('a set that stands for another template is replaced when the Deployment changes', async () => {
  const dump = (await healthyDump()).map(object => {
    if (object.kind !== 'ReplicaSet') return object
    const spec = object['spec'] as { readonly template: { readonly spec: object } }
    return { ...object, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, newDefault: 'x' } } } }
  })
  await using cluster = await TestCluster.start(dump)
  await cluster.settle()
  cluster.edit('deployments.apps', 'web', deployment => ({
    ...deployment,
    spec: { ...deployment.spec, template: testTemplate('web', { image: 'registry.example/app:2' }) },
  }))
  await cluster.settle()
  expect(
    cluster
      .list('replicasets.apps')
      .map(set => set.spec.replicas)
      .toSorted(),
  ).toEqual([0, 3])
  expect(cluster.readyPods()).toHaveLength(9)
})

describe('a healthy dump', () => {
  test('is left as it is', async () => {
    expect(await writesAfterLoad(await healthyDump())).toEqual({ seen: [], isSame: true, ready: 9, failures: [] })
  })

  test('without ControllerRevisions nothing is updated', async () => {
    const dump = (await healthyDump()).filter(object => object.kind !== 'ControllerRevision')
    expect(await writesAfterLoad(dump)).toEqual({ seen: [], isSame: true, ready: 9, failures: [] })
  })

  test('with a template that another version defaulted nothing rolls out', async () => {
    const dump = (await healthyDump()).map(object => {
      if (object.kind !== 'ReplicaSet') return object
      const spec = object['spec'] as { readonly template: { readonly spec: object } }
      return { ...object, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, newDefault: 'x' } } } }
    })
    const { isSame, ready } = await writesAfterLoad(dump)
    expect({ isSame, ready }).toEqual({ isSame: true, ready: 9 })
  })

  test('without its ReplicaSets has them again, of the same uid (case 34)', async () => {
    const dump = await healthyDump()
    const sets = dump.filter(object => object.kind === 'ReplicaSet')
    const rest = dump.filter(object => object.kind !== 'ReplicaSet')
    const rebuilt = missingReplicaSets(rest)
    expect(rebuilt.map(set => [set.metadata.name, set.metadata.uid, set.spec.replicas])).toEqual(
      sets.map(set => [set.metadata.name, set.metadata.uid, 3]),
    )
    const { isSame, ready } = await writesAfterLoad(rest)
    expect({ isSame, ready }).toEqual({ isSame: true, ready: 9 })
    expect(missingReplicaSets(dump)).toEqual([])
  })
})

test('a snapshot loaded later keeps its pods of absent owners, and its usage', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  await cluster.settle()
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'not-there', controller: true, blockOwnerDeletion: true },
  ]
  const status = {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'a', ready: true, image: 'i', state: { running: {} } }],
  }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'p', ownerReferences },
    spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'i' }] },
    status,
  }
  const metrics = {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: { name: 'p', namespace: 'default' },
    containers: [{ name: 'a', usage: { cpu: '300m', memory: '1Gi' } }],
  }
  cluster.twin.load([pod, metrics])
  await cluster.settle()
  expect(cluster.readyPods().map(made => made.metadata.name)).toEqual(['p'])
  expect(cluster.components.usage.node('n1')).toEqual({ cpuNanocores: 3e8, memoryBytes: 1024 ** 3 })
  expect(cluster.failures).toEqual([])
})
