import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { person, TestCluster, testNodes, testTemplate, testWorkload } from './cluster-for-tests.ts'
import { isReady, isTerminating } from './workloads/pod-state.ts'

const next = { template: testTemplate('db', { image: 'registry.example/app:2' }) }

/** Calls `note` with all pods after each change of one. */
function watchPods(cluster: TestCluster, note: (pods: readonly Pod[]) => void): Disposable {
  const stack = new DisposableStack()
  stack.defer(cluster.access.subscribe('pods', () => note(cluster.pods())))
  return stack
}

describe('StatefulSet', () => {
  test('comes up in order, each pod after the one before is ready', async () => {
    await using cluster = await TestCluster.start(testNodes(3))
    const order: string[] = []
    cluster.access.subscribe('pods', ({ type, object }) => {
      if (type === 'ADDED') order.push(`${object.metadata.name} after ${cluster.readyPods().length}`)
    })
    cluster.create('statefulsets.apps', testWorkload('StatefulSet', 'db', { replicas: 3 }))
    await cluster.settle()
    expect(order).toEqual(['db-0 after 0', 'db-1 after 1', 'db-2 after 2'])
    const first = cluster.get('pods', 'db-0')
    expect(first?.metadata.labels).toMatchObject({
      'statefulset.kubernetes.io/pod-name': 'db-0',
      'apps.kubernetes.io/pod-index': '0',
    })
    expect(first?.spec).toMatchObject({ hostname: 'db-0', subdomain: 'db' })
    expect(cluster.get('statefulsets.apps', 'db')?.status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
    })
    expect(cluster.failures).toEqual([])
  })

  test('partition 3 of 5: the top two are replaced one at a time; scaling to 0 goes from the top (case 25)', async () => {
    await using cluster = await TestCluster.start(testNodes(3))
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 3 } }
    cluster.create('statefulsets.apps', testWorkload('StatefulSet', 'db', { replicas: 5, updateStrategy }))
    await cluster.settle()
    const old = cluster.get('pods', 'db-0')?.metadata.labels?.['controller-revision-hash']
    const gone: string[] = []
    cluster.access.subscribe('pods', ({ type, object }) => type === 'DELETED' && gone.push(object.metadata.name))
    let fewest = 5
    using _watch = watchPods(cluster, pods => {
      fewest = Math.min(fewest, pods.filter(pod => isReady(pod) && !isTerminating(pod)).length)
    })
    cluster.edit('statefulsets.apps', 'db', set => ({ ...set, spec: { ...set.spec, ...next } }))
    await cluster.settle()
    expect(gone).toEqual(['db-4', 'db-3'])
    expect(fewest).toBe(4)
    const isOld = (pod: Pod) => pod.metadata.labels?.['controller-revision-hash'] === old
    expect(cluster.pods().map(isOld)).toEqual([true, true, true, false, false])
    expect(cluster.get('statefulsets.apps', 'db')?.status).toMatchObject({ updatedReplicas: 2, readyReplicas: 5 })
    expect(cluster.get('statefulsets.apps', 'db')?.status?.['currentRevision']).toBe(old)
    gone.length = 0
    cluster.edit('statefulsets.apps', 'db', set => ({ ...set, spec: { ...set.spec, replicas: 0 } }))
    await cluster.settle()
    expect(gone).toEqual(['db-4', 'db-3', 'db-2', 'db-1', 'db-0'])
    expect(cluster.failures).toEqual([])
  })

  test('claims are made once and found again by the pod that follows', async () => {
    await using cluster = await TestCluster.start(testNodes(2))
    const volumeClaimTemplates = [
      { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ]
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'v' },
      spec: {
        capacity: { storage: '2Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/v' },
        persistentVolumeReclaimPolicy: 'Retain',
      },
    }
    cluster.create('persistentvolumes', volume)
    cluster.create('statefulsets.apps', testWorkload('StatefulSet', 'db', { replicas: 1, volumeClaimTemplates }))
    await cluster.settle()
    expect(cluster.get('persistentvolumeclaims', 'data-db-0')).toMatchObject({
      spec: { volumeName: 'v' },
      status: { phase: 'Bound' },
    })
    const claim = cluster.get('persistentvolumeclaims', 'data-db-0')?.metadata.uid
    cluster.access.remove('pods', 'default', 'db-0', person)
    await cluster.settle()
    expect(cluster.readyPods().map(pod => pod.metadata.name)).toEqual(['db-0'])
    expect(cluster.get('persistentvolumeclaims', 'data-db-0')?.metadata.uid).toBe(claim)
    expect(cluster.failures).toEqual([])
  })
})

describe('claims of a StatefulSet', () => {
  const volumeClaimTemplates = [
    {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } },
    },
  ]
  const storageClass = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'fast' },
    provisioner: 'example.com/disk',
    volumeBindingMode: 'Immediate',
  }
  const claims = (cluster: TestCluster) => cluster.list('persistentvolumeclaims').map(claim => claim.metadata.name)

  // biome-ignore format: a table
  test.each([
    ['stay by default', {}, ['data-db-0', 'data-db-1'], ['data-db-0', 'data-db-1']],
    ['go when the set shrinks', { whenScaled: 'Delete' }, ['data-db-0'], ['data-db-0']],
    ['go with the set, those of pods it had before too', { whenDeleted: 'Delete' }, ['data-db-0', 'data-db-1'], []],
  ] as const)('%s', async (_, policy, afterShrink, afterDelete) => {
    await using cluster = await TestCluster.start([...testNodes(2), storageClass])
    cluster.create('statefulsets.apps', testWorkload('StatefulSet', 'db', { replicas: 2, volumeClaimTemplates, persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain', ...policy } }))
    await cluster.settle()
    expect(cluster.readyPods()).toHaveLength(2)
    cluster.edit('statefulsets.apps', 'db', set => ({ ...set, spec: { ...set.spec, replicas: 1 } }))
    await cluster.settle()
    expect(claims(cluster)).toEqual(afterShrink)
    cluster.access.remove('statefulsets.apps', 'default', 'db', person, { propagationPolicy: 'Background' })
    await cluster.settle()
    expect(cluster.pods()).toEqual([])
    expect(claims(cluster)).toEqual(afterDelete)
    expect(cluster.failures).toEqual([])
  })
})

describe('DaemonSet', () => {
  test('one pod on each node, new nodes too; an update takes at most a quarter down (case 26)', async () => {
    await using cluster = await TestCluster.start(testNodes(9))
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%' } }
    cluster.create('daemonsets.apps', testWorkload('DaemonSet', 'db', { updateStrategy }))
    await cluster.settle()
    cluster.create('nodes', testNodes(10)[9] ?? testNodes(1)[0] ?? { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n10' } })
    await cluster.settle()
    expect(new Set(cluster.readyPods().map(pod => pod.spec.nodeName)).size).toBe(10)
    let fewest = 10
    using _watch = watchPods(cluster, pods => {
      fewest = Math.min(fewest, pods.filter(pod => isReady(pod) && !isTerminating(pod)).length)
    })
    cluster.edit('daemonsets.apps', 'db', set => ({ ...set, spec: { ...set.spec, ...next } }))
    await cluster.settle()
    expect(fewest).toBe(7)
    expect(new Set(cluster.pods().map(pod => pod.status?.containerStatuses?.[0]?.image))).toEqual(
      new Set(['registry.example/app:2']),
    )
    expect(cluster.get('daemonsets.apps', 'db')?.status).toMatchObject({
      desiredNumberScheduled: 10,
      updatedNumberScheduled: 10,
      numberAvailable: 10,
    })
    expect(cluster.failures).toEqual([])
  })
})

test('two runs with one seed give the same cluster, another seed another one of the same size (case 37)', async () => {
  const run = async (seed: number) => {
    await using cluster = await TestCluster.start(testNodes(6), { seed })
    for (const name of ['a', 'b', 'c']) cluster.create('deployments.apps', testWorkload('Deployment', name, { replicas: 10 }))
    await cluster.clock.advance(600_000)
    cluster.components.nodes.kill('n3')
    await cluster.clock.advance(3_600_000)
    const dump = cluster.access.resources().flatMap(resource => cluster.access.list(resource))
    return { text: JSON.stringify(dump), revision: cluster.access.revision, ready: cluster.readyPods().length }
  }
  const [first, again, other] = [await run(7), await run(7), await run(8)]
  expect(again.revision).toBe(first.revision)
  expect(again.text).toBe(first.text)
  expect(other.text).not.toBe(first.text)
  expect([first.ready, other.ready]).toEqual([30, 30])
})
