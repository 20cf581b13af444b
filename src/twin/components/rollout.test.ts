import { expect, test } from 'vitest'
import { TestCluster, testNodes, testTemplate, testWorkload } from './cluster-for-tests.ts'
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
