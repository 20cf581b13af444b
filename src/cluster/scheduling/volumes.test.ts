import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { buildClusterState, podState } from '../cluster-state.ts'
import { Placement } from '../placement.ts'
import { defaultSettings } from '../scheduler-settings.ts'
import { node, object, type PodOptions, pod } from '../testdata/objects.ts'

const zone = 'topology.kubernetes.io/zone'
const nodes = ['a', 'b'].map(name => node(`n-${name}`, { labels: { [zone]: name } }))
const inZone = (value: string) => ({
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: 'In', values: [value] }] }] } },
})
const claim = (name: string, spec: object = {}, more: object = {}) =>
  object('v1', 'PersistentVolumeClaim', `shop/${name}`, {
    spec: { storageClassName: 'slow', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    ...more,
  })
const bound = (name: string, volumeName: string, spec: object = {}) =>
  claim(name, { volumeName, ...spec }, { status: { phase: 'Bound' } })
const volume = (name: string, spec: object = {}, more: object = {}) =>
  object('v1', 'PersistentVolume', name, {
    spec: { storageClassName: 'slow', accessModes: ['ReadWriteOnce'], capacity: { storage: '5Gi' }, ...spec },
    status: { phase: 'Available' },
    ...more,
  })
const storageClass = (name: string, fields: object = {}) =>
  object('storage.k8s.io/v1', 'StorageClass', name, {
    provisioner: 'csi.example',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...fields,
  })
const using = (...claims: string[]): PodOptions => ({
  volumes: claims.map(claimName => ({ name: claimName, persistentVolumeClaim: { claimName } })),
})
const csi = (volumeHandle: string) => ({ csi: { driver: 'csi.example', volumeHandle } })

const placementOf = (...objects: readonly KubeObject[]) => {
  const { state, problems } = buildClusterState([...nodes, ...objects])
  expect(problems).toEqual([])
  return new Placement(state, defaultSettings('1.34'))
}
const pending = (options: PodOptions, key = 'shop/cart') => podState(buildClusterState([]).state, pod(key, options))
const outcome = (placement: Placement, options: PodOptions) => {
  const { feasible, message } = placement.evaluate(pending(options))
  return feasible.length > 0 ? feasible.join(' ') : message.replace('0/2 nodes are available: ', '')
}

describe('a pod with claims', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], string]>([
    ['bound where a node reaches the volume', [bound('data', 'v'), volume('v', inZone('a'))], 'n-a'],
    ['bound to a volume that is gone', [bound('data', 'v')], 'persistentvolume "v" not found.'],
    ['waiting, and one zone has a volume', [claim('data'), storageClass('slow', { provisioner: 'kubernetes.io/no-provisioner' }), volume('v', inZone('b'))], 'n-b'],
    ['waiting, and the volume is too small', [claim('data'), storageClass('slow', { provisioner: 'kubernetes.io/no-provisioner' }), volume('v', { ...inZone('b'), capacity: { storage: '1Mi' } })], "2 node(s) didn't find available persistent volumes to bind."],
    ['waiting, and the volume is somebody else\'s', [claim('data'), storageClass('slow', { provisioner: 'kubernetes.io/no-provisioner' }), volume('v', { claimRef: { namespace: 'shop', name: 'other' } })], "2 node(s) didn't find available persistent volumes to bind."],
    ['waiting, and it can be provisioned anywhere', [claim('data'), storageClass('slow')], 'n-a n-b'],
    ['waiting, and it can be provisioned in one zone', [claim('data'), storageClass('slow', { allowedTopologies: [{ matchLabelExpressions: [{ key: zone, values: ['b'] }] }] })], 'n-b'],
    ['waiting for a node that was selected', [claim('data', {}, { metadata: { name: 'data', namespace: 'shop', annotations: { 'volume.kubernetes.io/selected-node': 'n-a' } } }), storageClass('slow')], 'n-a'],
    ['not bound though it should be at once', [claim('data'), storageClass('slow', { volumeBindingMode: 'Immediate' })], 'pod has unbound immediate PersistentVolumeClaims.'],
    ['of a class that is not there', [claim('data')], 'storageclass.storage.k8s.io "slow" not found.'],
    ['that is being deleted', [claim('data', {}, { metadata: { name: 'data', namespace: 'shop', deletionTimestamp: 'x' } }), storageClass('slow')], 'persistentvolumeclaim "data" is being deleted.'],
    ['that is lost', [claim('data', { volumeName: 'v' }, { status: { phase: 'Lost' } })], 'persistentvolumeclaim "data" bound to non-existent persistentvolume "v".'],
    ['that another pod has for itself', [bound('data', 'v', { accessModes: ['ReadWriteOncePod'] }), volume('v'), pod('shop/holder', { node: 'n-a', ...using('data') })], '2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.'],
    ['whose volume has a zone label', [bound('data', 'v'), volume('v', {}, { metadata: { name: 'v', labels: { [zone]: 'b__c' } } })], 'n-b'],
    ['beyond what a node attaches', [
      bound('data', 'v'), volume('v', csi('1')), bound('other', 'w'), volume('w', csi('2')), pod('shop/holder', { node: 'n-a', ...using('other') }),
      ...['n-a', 'n-b'].map(name => object('storage.k8s.io/v1', 'CSINode', name, { spec: { drivers: [{ name: 'csi.example', nodeID: name, allocatable: { count: 1 } }] } })),
    ], 'n-b'],
    ['that the node has attached already', [
      bound('data', 'v'), volume('v', csi('1')), pod('shop/holder', { node: 'n-a', ...using('data') }),
      object('storage.k8s.io/v1', 'CSINode', 'n-a', { spec: { drivers: [{ name: 'csi.example', nodeID: 'n-a', allocatable: { count: 1 } }] } }),
    ], 'n-a n-b'],
    ['larger than what its driver has left', [
      claim('data'), storageClass('slow'), object('storage.k8s.io/v1', 'CSIDriver', 'csi.example', { spec: { storageCapacity: true } }),
      object('storage.k8s.io/v1', 'CSIStorageCapacity', 'kube-system/c', { storageClassName: 'slow', capacity: '2Gi', nodeTopology: { matchLabels: { [zone]: 'a' } } }),
    ], 'n-a'],
  ])('%s', (_, objects, expected) => {
    expect(outcome(placementOf(...objects), using('data'))).toBe(expected)
  })

  test('a generic ephemeral volume waits for its claim', () => {
    const options = { volumes: [{ name: 'scratch', ephemeral: {} }] }
    expect(outcome(placementOf(), options)).toBe(
      'waiting for ephemeral volume controller to create the persistentvolumeclaim "cart-scratch".',
    )
  })

  test('disks of the old kinds are not shared, but for reading', () => {
    const disk = (readOnly: boolean): PodOptions => ({ volumes: [{ name: 'd', gcePersistentDisk: { pdName: 'x', readOnly } }] })
    const placement = placementOf(pod('shop/holder', { node: 'n-a', ...disk(true) }))
    expect([outcome(placement, disk(true)), outcome(placement, disk(false))]).toEqual(['n-a n-b', 'n-b'])
  })
})

test('binding a pod takes the volume for its claim, in this placement alone', () => {
  const objects = [
    claim('data'),
    claim('more'),
    storageClass('slow', { provisioner: 'kubernetes.io/no-provisioner' }),
    volume('v', inZone('b')),
  ]
  const placement = placementOf(...objects)
  const fork = placement.fork()
  placement.bind(pending(using('data')), 'n-b')
  expect(outcome(placement, using('more'))).toBe("2 node(s) didn't find available persistent volumes to bind.")
  expect(outcome(placement, using('data'))).toBe('n-b')
  expect(outcome(fork, using('more'))).toBe('n-b')
})

test('binding a pod settles the node its claim is provisioned for', () => {
  const placement = placementOf(claim('data'), storageClass('slow'))
  placement.bind(pending(using('data')), 'n-a')
  expect(outcome(placement, using('data'))).toBe('n-a')
})

test('objects that are settled replace their namesakes', () => {
  const placement = placementOf(claim('data'), storageClass('slow'))
  placement.settle([bound('data', 'v'), volume('v', inZone('b'))])
  expect(outcome(placement, using('data'))).toBe('n-b')
})
