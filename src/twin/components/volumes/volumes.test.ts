import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, TestCluster, testNodes } from '../cluster-for-tests.ts'

const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }

function storageClass(volumeBindingMode: string, provisioner = 'rancher.io/local-path'): KubeObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'fast' },
    provisioner,
    volumeBindingMode,
    reclaimPolicy: 'Delete',
  }
}

function claim(finalizers: readonly string[] = []): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'default', finalizers },
    spec: { ...spec, storageClassName: 'fast' },
  }
}

function pod(volumes: readonly unknown[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default' },
    spec: { containers: [{ name: 'a', image: 'i' }], volumes },
  }
}

const usingClaim = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]

test('a claim that waits for its first consumer is provisioned on the node its pod gets', async () => {
  await using cluster = await TestCluster.start([...testNodes(3), storageClass('WaitForFirstConsumer')])
  cluster.create('persistentvolumeclaims', claim())
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')?.status?.phase).toBe('Pending')
  cluster.create('pods', pod(usingClaim))
  await cluster.settle()
  const node = cluster.readyPods()[0]?.spec.nodeName
  expect(node).toBeDefined()
  expect(cluster.get('persistentvolumeclaims', 'data')).toMatchObject({
    metadata: { annotations: { 'volume.kubernetes.io/selected-node': node } },
    status: { phase: 'Bound' },
  })
  const [volume] = cluster.list('persistentvolumes')
  expect(volume?.spec.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.[0]?.values).toEqual([node])
  expect(volume?.status?.phase).toBe('Bound')
  expect(cluster.failures).toEqual([])
})

test('a claim in use outlives its deletion until the pod is gone; its volume goes with it', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), storageClass('Immediate', 'nfs.csi.k8s.io')])
  cluster.create('persistentvolumeclaims', claim(['kubernetes.io/pvc-protection']))
  cluster.create('pods', pod(usingClaim))
  await cluster.settle()
  expect(cluster.readyPods()).toHaveLength(1)
  cluster.access.remove('persistentvolumeclaims', 'default', 'data', person)
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')?.metadata.deletionTimestamp).toBeDefined()
  cluster.access.remove('pods', 'default', 'p', person)
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')).toBeUndefined()
  expect(cluster.list('persistentvolumes')).toEqual([])
  expect(cluster.failures).toEqual([])
})

test('volumes of a provisioner that is there are left to it, and those of others are made', async () => {
  const classes = [storageClass('Immediate', 'nfs.csi.k8s.io'), { ...storageClass('Immediate'), metadata: { name: 'local' } }]
  await using cluster = await TestCluster.start([...testNodes(1), ...classes], {
    provisioner: { leaves: new Set(['nfs.csi.k8s.io']) },
  })
  const local = { ...claim(), metadata: { name: 'local', namespace: 'default' }, spec: { ...spec, storageClassName: 'local' } }
  cluster.create('persistentvolumeclaims', claim())
  cluster.create('persistentvolumeclaims', local)
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')?.status?.phase).toBe('Pending')
  expect(cluster.get('persistentvolumeclaims', 'local')?.status?.phase).toBe('Bound')
  const uid = cluster.get('persistentvolumeclaims', 'data')?.metadata.uid
  cluster.create('persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'made', annotations: { 'pv.kubernetes.io/provisioned-by': 'nfs.csi.k8s.io' } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '10Gi' },
      claimRef: { namespace: 'default', name: 'data', uid },
      csi: { driver: 'nfs.csi.k8s.io', volumeHandle: 'nas#k#made##' },
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'fast',
    },
  })
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')?.status?.phase).toBe('Bound')
  for (const name of ['data', 'local']) cluster.access.remove('persistentvolumeclaims', 'default', name, person)
  await cluster.settle()
  expect(cluster.list('persistentvolumes').map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([
    ['made', 'Released'],
  ])
  expect(cluster.failures).toEqual([])
})

test('the claim of an ephemeral volume comes and goes with its pod', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), storageClass('WaitForFirstConsumer')])
  cluster.create(
    'pods',
    pod([{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: { ...spec, storageClassName: 'fast' } } } }]),
  )
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'p-scratch')?.status?.phase).toBe('Bound')
  expect(cluster.readyPods()).toHaveLength(1)
  cluster.access.remove('pods', 'default', 'p', person)
  await cluster.settle()
  expect(cluster.list('persistentvolumeclaims')).toEqual([])
  expect(cluster.failures).toEqual([])
})

test('a volume whose claim a dump left out is not given up', async () => {
  const claimRef = { namespace: 'default', name: 'elsewhere', uid: 'not-there' }
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], claimRef, persistentVolumeReclaimPolicy: 'Delete' },
    status: { phase: 'Bound' },
  }
  await using cluster = await TestCluster.start([...testNodes(1), volume])
  await cluster.settle()
  expect(cluster.get('persistentvolumes', 'v')?.status?.phase).toBe('Bound')
})

test('a volume that comes for a claim that is gone is released, and goes by its policy', async () => {
  await using cluster = await TestCluster.start([...testNodes(1), storageClass('Immediate', 'nfs.csi.k8s.io')])
  const late = (name: string, policy: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { 'pv.kubernetes.io/provisioned-by': 'nfs.csi.k8s.io' } },
    spec: {
      ...{ accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } },
      claimRef: { namespace: 'default', name: 'gone', uid: 'of-the-gone-claim' },
      csi: { driver: 'nfs.csi.k8s.io', volumeHandle: name },
      persistentVolumeReclaimPolicy: policy,
    },
  })
  cluster.create('persistentvolumes', late('kept', 'Retain'))
  cluster.create('persistentvolumes', late('deleted', 'Delete'))
  await cluster.settle()
  expect(cluster.list('persistentvolumes').map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([
    ['kept', 'Released'],
  ])
  expect(cluster.failures).toEqual([])
})

test('a claim gets the default class that comes after it', async () => {
  await using cluster = await TestCluster.start(testNodes(1))
  cluster.create('persistentvolumeclaims', { ...claim(), spec })
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')).toMatchObject({ status: { phase: 'Pending' } })
  const made = storageClass('Immediate')
  const annotations = { 'storageclass.beta.kubernetes.io/is-default-class': 'true' }
  cluster.create('storageclasses.storage.k8s.io', { ...made, metadata: { ...made.metadata, annotations } })
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')).toMatchObject({
    spec: { storageClassName: 'fast' },
    status: { phase: 'Bound' },
  })
})

test('a claim whose volume a dump left out is not lost', async () => {
  const bound = {
    ...claim(),
    metadata: { ...claim().metadata, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { ...spec, storageClassName: 'fast', volumeName: 'elsewhere' },
    status: { phase: 'Bound' },
  }
  await using cluster = await TestCluster.start([...testNodes(1), bound])
  cluster.edit('persistentvolumeclaims', 'data', object => ({
    ...object,
    metadata: { ...object.metadata, labels: { changed: 'yes' } },
  }))
  await cluster.settle()
  expect(cluster.get('persistentvolumeclaims', 'data')?.status?.phase).toBe('Bound')
})
