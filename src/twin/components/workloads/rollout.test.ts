import { expect, test } from 'vitest'
import { person, TestCluster, testNodes, testTemplate, testWorkload } from '../cluster-for-tests.ts'
import { isReady } from './pod-state.ts'

test('a new Deployment becomes pods that are bound, started and ready', async () => {
  await using cluster = await TestCluster.start(testNodes(3))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 3 }))
  await cluster.settle()
  expect(cluster.failures).toEqual([])
  expect(cluster.readyPods()).toHaveLength(3)
  expect(cluster.get('deployments.apps', 'web')?.status).toMatchObject({
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    updatedReplicas: 3,
    observedGeneration: 1,
  })
  expect(new Set(cluster.pods().map(pod => pod.spec.nodeName)).size).toBe(3)
  expect(new Set(cluster.pods().map(pod => pod.status?.podIP)).size).toBe(3)
})

test('an image that never gets ready stops at old 8, new 5, and is late after 600 s (case 22)', async () => {
  await using cluster = await TestCluster.start(testNodes(3))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 10, progressDeadlineSeconds: 600 }))
  await cluster.settle()
  const broken = testTemplate('web', {
    image: 'registry.example/app:broken',
    annotations: { 'ballast.dev/twin-fail': 'ImagePullBackOff' },
  })
  cluster.edit('deployments.apps', 'web', deployment => ({ ...deployment, spec: { ...deployment.spec, template: broken } }))
  await cluster.clock.advance(590_000)
  const sizes = () =>
    cluster
      .list('replicasets.apps')
      .map(set => set.spec.replicas)
      .sort()
  expect(sizes()).toEqual([5, 8])
  const progressing = () =>
    cluster.get('deployments.apps', 'web')?.status?.conditions?.find(condition => condition.type === 'Progressing')
  expect(progressing()).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' })
  await cluster.clock.advance(60_000)
  expect(progressing()).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' })
  expect(cluster.get('deployments.apps', 'web')?.status).toMatchObject({
    replicas: 13,
    availableReplicas: 8,
    unavailableReplicas: 5,
  })
  expect(cluster.failures).toEqual([])
})

test('a good image: never < 8 available, never > 13 pods; undo takes the old set again with revision 3 (case 23)', async () => {
  await using cluster = await TestCluster.start(testNodes(3))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 10 }))
  await cluster.settle()
  let fewest = Number.POSITIVE_INFINITY
  let most = 0
  using stack = new DisposableStack()
  stack.defer(
    cluster.access.subscribe('pods', () => {
      const standing = cluster.pods().filter(pod => pod.metadata.deletionTimestamp === undefined)
      fewest = Math.min(fewest, standing.filter(isReady).length)
      most = Math.max(most, standing.length)
    }),
  )
  const first = cluster.get('deployments.apps', 'web')?.spec.template
  cluster.edit('deployments.apps', 'web', deployment => ({
    ...deployment,
    spec: { ...deployment.spec, template: testTemplate('web', { image: 'registry.example/app:2' }) },
  }))
  await cluster.settle()
  expect({ fewest, most }).toEqual({ fewest: 8, most: 13 })
  const revisions = () =>
    cluster
      .list('replicasets.apps')
      .map(set => `${set.metadata.annotations?.['deployment.kubernetes.io/revision']}: ${set.spec.replicas}`)
      .sort()
  expect(revisions()).toEqual(['1: 0', '2: 10'])
  cluster.edit('deployments.apps', 'web', deployment => ({ ...deployment, spec: { ...deployment.spec, template: first } }))
  await cluster.settle()
  expect(revisions()).toEqual(['2: 0', '3: 10'])
  expect(cluster.get('deployments.apps', 'web')?.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
  expect(cluster.readyPods()).toHaveLength(10)
  expect(cluster.failures).toEqual([])
})

test('Recreate waits until the last old pod is gone before it makes a new one', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  const template = testTemplate('web', { annotations: { 'ballast.dev/twin-ignore-sigterm': 'true' } })
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2, strategy: { type: 'Recreate' }, template }))
  await cluster.settle()
  const images = new Set<string>()
  cluster.access.subscribe('pods', () =>
    images.add([...new Set(cluster.pods().map(pod => pod.spec.containers[0]?.image))].toSorted().join(' and ')),
  )
  const next = testTemplate('web', { image: 'registry.example/app:2' })
  cluster.edit('deployments.apps', 'web', deployment => ({ ...deployment, spec: { ...deployment.spec, template: next } }))
  await cluster.settle()
  expect([...images].toSorted()).toEqual(['', 'registry.example/app:1', 'registry.example/app:2'])
  expect(cluster.readyPods()).toHaveLength(2)
  expect(cluster.failures).toEqual([])
})

test('a paused Deployment keeps its template, scales, and goes on when resumed', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2 }))
  await cluster.settle()
  const template = testTemplate('web', { image: 'registry.example/app:2' })
  cluster.edit('deployments.apps', 'web', deployment => ({
    ...deployment,
    spec: { ...deployment.spec, paused: true, template, replicas: 4 },
  }))
  await cluster.settle()
  const images = () => [...new Set(cluster.readyPods().map(pod => pod.spec.containers[0]?.image))]
  expect(cluster.readyPods()).toHaveLength(4)
  expect(images()).toEqual(['registry.example/app:1'])
  const progressing = () =>
    cluster.get('deployments.apps', 'web')?.status?.conditions?.find(condition => condition.type === 'Progressing')
  expect(progressing()).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' })
  cluster.edit('deployments.apps', 'web', deployment => ({ ...deployment, spec: { ...deployment.spec, paused: false } }))
  await cluster.settle()
  expect(images()).toEqual(['registry.example/app:2'])
  expect(progressing()).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' })
  expect(cluster.failures).toEqual([])
})

test('an orphaned set is adopted by the next Deployment of its selector', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2 }))
  await cluster.settle()
  const before = cluster.pods().map(pod => pod.metadata.uid)
  cluster.access.remove('deployments.apps', 'default', 'web', person, { propagationPolicy: 'Orphan' })
  await cluster.settle()
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 2 }))
  await cluster.settle()
  expect(cluster.list('replicasets.apps')).toHaveLength(1)
  expect(cluster.list('replicasets.apps')[0]?.metadata.ownerReferences?.[0]?.uid).toBe(
    cluster.get('deployments.apps', 'web')?.metadata.uid,
  )
  expect(cluster.pods().map(pod => pod.metadata.uid)).toEqual(before)
})

test('a pod whose labels change is released and replaced; one that matches is adopted and the surplus goes', async () => {
  await using cluster = await TestCluster.start(testNodes(2))
  cluster.create('replicasets.apps', testWorkload('ReplicaSet', 'web', { replicas: 2 }))
  await cluster.settle()
  const [first] = cluster.pods()
  const relabel = (app: string) =>
    cluster.edit('pods', first?.metadata.name ?? '', pod => ({ ...pod, metadata: { ...pod.metadata, labels: { app } } }))
  relabel('debug')
  await cluster.settle()
  expect(cluster.pods()).toHaveLength(3)
  expect(cluster.get('pods', first?.metadata.name ?? '')?.metadata.ownerReferences ?? []).toEqual([])
  relabel('web')
  await cluster.settle()
  expect(cluster.pods()).toHaveLength(2)
  for (const pod of cluster.pods()) expect(pod.metadata.ownerReferences?.[0]?.name).toBe('web')
  expect(cluster.failures).toEqual([])
})

test('revisions beyond the history limit are dropped, oldest first', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create('deployments.apps', testWorkload('Deployment', 'web', { replicas: 1, revisionHistoryLimit: 1 }))
  await cluster.settle()
  for (const tag of ['2', '3', '4']) {
    cluster.edit('deployments.apps', 'web', deployment => ({
      ...deployment,
      spec: { ...deployment.spec, template: testTemplate('web', { image: `registry.example/app:${tag}` }) },
    }))
    await cluster.settle()
  }
  const revisions = cluster.list('replicasets.apps').map(set => set.metadata.annotations?.['deployment.kubernetes.io/revision'])
  expect(revisions.toSorted()).toEqual(['3', '4'])
})
