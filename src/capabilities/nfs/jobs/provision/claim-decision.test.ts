import { describe, expect, test } from 'vitest'
import { annotations, type Claim, type StoredVolume, type VolumeClass, volumeFinalizer } from '../storage-kinds.ts'
import { decideClaim } from './claim-decision.ts'
import { decideVolume } from './volume-decision.ts'

const driver = 'nfs.csi.k8s.io'
const classes: Readonly<Record<string, Partial<VolumeClass>>> = {
  ours: { provisioner: driver },
  late: { provisioner: driver, volumeBindingMode: 'WaitForFirstConsumer' },
  theirs: { provisioner: 'other' },
}
const classNamed = (name: string): VolumeClass | undefined => {
  const found = classes[name]
  return found && { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name }, provisioner: '', ...found }
}

function claim(notes: Readonly<Record<string, string>>, spec: Claim['spec'] = {}): Claim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'a', namespace: 'media', annotations: notes },
    spec,
  }
}

const ours = { [annotations.storageProvisioner]: driver }
const node = { [annotations.selectedNode]: 'oghma' }

describe('a claim', () => {
  test.each<[string, Claim, string]>([
    ['is asked of us', claim(ours, { storageClassName: 'ours' }), 'provision'],
    [
      'is asked of us by the older key',
      claim({ [annotations.olderStorageProvisioner]: driver }, { storageClassName: 'ours' }),
      'provision',
    ],
    [
      'names its class by the older key',
      claim({ ...ours, [annotations.olderClass]: 'ours' }, { storageClassName: 'theirs' }),
      'provision',
    ],
    ['has a volume', claim(ours, { storageClassName: 'ours', volumeName: 'pv' }), 'has-a-volume'],
    ['is asked of nobody yet', claim({}, { storageClassName: 'ours' }), 'of-another'],
    ['is asked of another', claim({ [annotations.storageProvisioner]: 'other' }, { storageClassName: 'ours' }), 'of-another'],
    [
      'is asked of another by the key that counts',
      claim(
        { [annotations.storageProvisioner]: 'other', [annotations.olderStorageProvisioner]: driver },
        { storageClassName: 'ours' },
      ),
      'of-another',
    ],
    ['waits for a node', claim(ours, { storageClassName: 'late' }), 'waits-for-a-node'],
    [
      'has an empty name of a node',
      claim({ ...ours, [annotations.selectedNode]: '' }, { storageClassName: 'late' }),
      'waits-for-a-node',
    ],
    ['has its node', claim({ ...ours, ...node }, { storageClassName: 'late' }), 'provision'],
    ['has a node that it need not have', claim({ ...ours, ...node }, { storageClassName: 'ours' }), 'provision'],
    ['has a class of another', claim(ours, { storageClassName: 'theirs' }), 'class-of-another'],
    ['has a class that is not there', claim(ours, { storageClassName: 'gone' }), 'storageclass "gone" not found'],
    ['has no class', claim(ours), 'storageclass "" not found'],
  ])('that %s', (_, subject, expected) => {
    const decision = decideClaim(subject, { driver, classNamed })
    expect(decision.kind === 'leave' ? decision.because : decision.kind === 'later' ? decision.why : decision.kind).toBe(expected)
  })
})

interface VolumeRow {
  readonly by?: string
  readonly of?: string
  readonly policy?: string
  readonly phase?: string
  readonly isGoing?: boolean
  readonly has?: boolean
  readonly expected: string
}

describe('a volume', () => {
  test.each<VolumeRow>([
    { policy: 'Delete', phase: 'Bound', expected: 'add in-use' },
    { policy: 'Delete', phase: 'Bound', has: true, expected: 'keep in-use' },
    { policy: 'Delete', phase: 'Bound', isGoing: true, expected: 'keep deleted-already' },
    { policy: 'Delete', phase: 'Bound', isGoing: true, has: true, expected: 'keep in-use' },
    { policy: 'Delete', phase: 'Available', expected: 'keep in-use' },
    { policy: 'Delete', phase: 'Released', expected: 'keep deleted' },
    { policy: 'Delete', phase: 'Released', has: true, expected: 'keep deleted' },
    { policy: 'Delete', phase: 'Released', isGoing: true, has: true, expected: 'keep deleted' },
    { policy: 'Delete', phase: 'Released', isGoing: true, expected: 'keep deleted-already' },
    { policy: 'Delete', phase: 'Failed', has: true, expected: 'keep in-use' },
    { policy: 'Retain', phase: 'Released', expected: 'keep kept-by-policy' },
    { policy: 'Retain', phase: 'Released', has: true, expected: 'remove kept-by-policy' },
    { policy: 'Retain', phase: 'Bound', has: true, expected: 'remove kept-by-policy' },
    { policy: 'Recycle', phase: 'Released', has: true, expected: 'remove kept-by-policy' },
    { by: 'other', policy: 'Delete', phase: 'Released', has: true, expected: 'keep of-another' },
    { by: driver, of: 'other', policy: 'Delete', phase: 'Released', expected: 'keep deleted' },
    { by: '', of: 'other', policy: 'Delete', phase: 'Released', has: true, expected: 'keep of-another' },
  ])('$by $of $policy $phase going $isGoing finalizer $has: $expected', row => {
    const { by, of = driver, policy, phase, isGoing = false, has = false, expected } = row
    const volume: StoredVolume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: 'pv',
        ...(by === undefined ? {} : { annotations: { [annotations.provisionedBy]: by } }),
        ...(isGoing ? { deletionTimestamp: '2026-03-02T04:00:00Z' } : {}),
        ...(has ? { finalizers: [volumeFinalizer] } : {}),
      },
      spec: {
        csi: { driver: of, volumeHandle: 'h' },
        ...(policy === undefined ? {} : { persistentVolumeReclaimPolicy: policy }),
      },
      ...(phase === undefined ? {} : { status: { phase } }),
    }
    const { finalizer, isDeleted, because } = decideVolume(volume, driver)
    expect(`${finalizer} ${isDeleted ? 'deleted' : because}`).toBe(expected)
  })
})
