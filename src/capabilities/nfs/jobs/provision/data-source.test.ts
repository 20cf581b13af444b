import { describe, expect, test } from 'vitest'
import type { Outcome } from '../outcome.ts'
import { type Content, type Snapshot, snapshotGroup } from '../snapshot/snapshot-kinds.ts'
import { type Claim, type StoredVolume, snapshotSourceFinalizer } from '../storage-kinds.ts'
import { cloneSource, dataSourceOf, restoreSource, waitsForSnapshot } from './data-source.ts'

const driver = 'nfs.csi.k8s.io'
const said = (outcome: Outcome<unknown>) => (outcome.ok ? outcome.value : outcome.why)

function claimOf(spec: Claim['spec'], status?: Claim['status'], metadata: object = {}): Claim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'plex', namespace: 'media', uid: 'u1', ...metadata },
    spec: { storageClassName: 'nfs-slow', resources: { requests: { storage: '2Gi' } }, ...spec },
    ...(status === undefined ? {} : { status }),
  }
}

const snapshotSource = { apiGroup: snapshotGroup, kind: 'VolumeSnapshot', name: 'a' }
const claimSource = { kind: 'PersistentVolumeClaim', name: 'b' }

describe('what a claim names as its source', () => {
  test.each<[string, Claim['spec'], unknown]>([
    ['nothing', {}, { kind: 'none' }],
    ['a snapshot', { dataSource: snapshotSource }, { kind: 'snapshot', name: 'a' }],
    ['a snapshot by reference', { dataSourceRef: snapshotSource }, { kind: 'snapshot', name: 'a' }],
    ['a claim', { dataSource: claimSource }, { kind: 'claim', name: 'b' }],
    ['both alike', { dataSource: claimSource, dataSourceRef: claimSource }, { kind: 'claim', name: 'b' }],
    [
      'what a populator fills',
      { dataSourceRef: { apiGroup: 'a.example', kind: 'Image', name: 'c' } },
      { kind: 'populator', of: 'Image' },
    ],
    [
      'a snapshot of another group',
      { dataSource: { ...snapshotSource, apiGroup: 'a.example' } },
      `the PVC source does not belong to the right APIGroup. Expected ${snapshotGroup}, Got a.example`,
    ],
    ['a source without a name', { dataSource: { ...claimSource, name: '' } }, 'the PVC source not found for PVC plex'],
    [
      'a source elsewhere',
      { dataSourceRef: { ...claimSource, namespace: 'other' } },
      'dataSourceRef namespace specified but the CrossNamespaceVolumeDataSource feature is disabled',
    ],
  ])('%s', (_, spec, expected) => expect(said(dataSourceOf(claimOf(spec)))).toEqual(expected))

  test.each<[string, Claim['spec'], string | undefined, string | undefined]>([
    ['pending', { dataSource: snapshotSource }, 'Pending', 'a'],
    ['new', { dataSourceRef: snapshotSource }, undefined, 'a'],
    ['bound', { dataSource: snapshotSource }, 'Bound', undefined],
    ['of a claim', { dataSource: claimSource }, 'Pending', undefined],
    ['of another group', { dataSource: { ...snapshotSource, apiGroup: 'a.example' } }, 'Pending', undefined],
  ])('whether it waits for a snapshot: %s', (_, spec, phase, expected) =>
    expect(waitsForSnapshot(claimOf(spec, phase === undefined ? undefined : { phase }))).toBe(expected),
  )
})

const bound: Claim['status'] = { phase: 'Bound' }
const source = (spec: Claim['spec'] = {}, metadata: object = {}, status: Claim['status'] = bound) =>
  claimOf({ volumeName: 'pv', resources: { requests: { storage: '1Gi' } }, ...spec }, status, {
    name: 'b',
    uid: 'u2',
    ...metadata,
  })

function volume(spec: StoredVolume['spec'] = {}, phase = 'Bound'): StoredVolume {
  const claimRef = { name: 'b', namespace: 'media', uid: 'u2' }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: { csi: { driver, volumeHandle: 'h' }, claimRef, ...spec },
    status: { phase },
  }
}

describe('a claim that is a copy of another', () => {
  const invalid = 'claim in dataSource not bound or invalid'
  test.each<[string, Claim, Claim, StoredVolume | undefined, unknown]>([
    ['as it should be', claimOf({}), source(), volume(), { snapshot: undefined, volume: { volumeId: 'h' } }],
    [
      'of one that says its mode',
      claimOf({ volumeMode: 'Filesystem' }),
      source(),
      volume(),
      { snapshot: undefined, volume: { volumeId: 'h' } },
    ],
    [
      'of one that is not bound',
      claimOf({}),
      source({}, {}, { phase: 'Pending' }),
      volume(),
      'the PVC DataSource b must have a status of Bound.  Got {Pending [] map[] [] map[] map[] <nil> <nil>}',
    ],
    [
      'of one that goes',
      claimOf({}),
      source({}, { deletionTimestamp: '2026-03-02T04:00:00Z' }),
      volume(),
      'the PVC DataSource b is currently being deleted',
    ],
    [
      'smaller',
      claimOf({ resources: { requests: { storage: '1' } } }),
      source(),
      volume(),
      'error, new PVC request must be greater than or equal in size to the specified PVC data source, requested 1 but source is 1073741824',
    ],
    ['of one that names no volume', claimOf({}), source({ volumeName: '' }), volume(), 'volume name is empty in source PVC b'],
    ['of a volume that is gone', claimOf({}), source(), undefined, invalid],
    ['of a volume of another driver', claimOf({}), source(), volume({ csi: { driver: 'other', volumeHandle: 'h' } }), invalid],
    [
      'of a volume of another claim',
      claimOf({}),
      source(),
      volume({ claimRef: { name: 'b', namespace: 'media', uid: 'u3' } }),
      invalid,
    ],
    ['of a volume that is released', claimOf({}), source(), volume({}, 'Released'), invalid],
    [
      'of another mode',
      claimOf({ volumeMode: 'Block' }),
      source(),
      volume(),
      'the source PVC and destination PVCs must have the same volume mode for cloning.  Source is Filesystem, but new PVC requested Block',
    ],
  ])('%s', (_, claim, from, its, expected) =>
    expect(said(cloneSource({ claim, source: from, volume: its, driver }))).toEqual(expected),
  )

  test('without a class', () => {
    const { storageClassName: _, ...spec } = source().spec
    const bare: Claim = { ...source(), spec }
    expect(said(cloneSource({ claim: claimOf({}), source: bare, volume: volume(), driver }))).toBe(
      'the source PVC (b) storageclass cannot be empty',
    )
    expect(
      said(cloneSource({ claim: { ...bare, metadata: { name: 'plex' } }, source: source(), volume: volume(), driver })),
    ).toBe('the requested PVC (plex) storageclass cannot be empty')
  })
})

function snapshot(status: Snapshot['status'] = {}, metadata: object = {}): Snapshot {
  return {
    apiVersion: `${snapshotGroup}/v1`,
    kind: 'VolumeSnapshot',
    metadata: { name: 'a', namespace: 'media', uid: 's1', ...metadata },
    spec: { source: { persistentVolumeClaimName: 'b' } },
    status: { boundVolumeSnapshotContentName: 'c', readyToUse: true, restoreSize: '1Gi', ...status },
  }
}

function content(
  spec: Partial<Content['spec']> = {},
  metadata: object = {},
  status: Content['status'] = { snapshotHandle: 'sh' },
): Content {
  return {
    apiVersion: `${snapshotGroup}/v1`,
    kind: 'VolumeSnapshotContent',
    metadata: { name: 'c', ...metadata },
    spec: {
      driver,
      deletionPolicy: 'Delete',
      source: { volumeHandle: 'h' },
      volumeSnapshotRef: { name: 'a', namespace: 'media', uid: 's1' },
      ...spec,
    },
    status,
  }
}

describe('a claim that restores a snapshot', () => {
  const restored = { snapshot: { snapshotId: 'sh' }, volume: undefined }
  const goes = { deletionTimestamp: '2026-03-02T04:00:00Z' }
  const key = 'snapshot.storage.kubernetes.io/allow-volume-mode-change'
  const block = content({ sourceVolumeMode: 'Block' })
  const noPermission = (why: string) =>
    `requested volume media/plex modifies the mode of the source volume but does not have permission to do so. ${why}`
  test.each<[string, Claim['spec'], Snapshot, Content | undefined, unknown]>([
    ['as it should be', {}, snapshot(), content(), restored],
    ['of the same size', { resources: { requests: { storage: '1Gi' } } }, snapshot(), content(), restored],
    [
      'smaller',
      { resources: { requests: { storage: '1Mi' } } },
      snapshot(),
      content(),
      'requested volume size 1048576 is less than the size 1073741824 for the source snapshot a',
    ],
    ['that goes', {}, snapshot({}, goes), content(), 'snapshot a is being deleted'],
    [
      'that goes, and was begun before',
      {},
      snapshot({}, { ...goes, finalizers: [snapshotSourceFinalizer] }),
      content(),
      restored,
    ],
    ['that is not ready', {}, snapshot({ readyToUse: false }), content(), 'snapshot a is not Ready'],
    ['whose content is gone', {}, snapshot(), undefined, 'error getting snapshotcontent c for snapshot a'],
    [
      'whose content is of another',
      {},
      snapshot(),
      content({ volumeSnapshotRef: { name: 'a', namespace: 'media', uid: 's2' } }),
      'snapshotcontent c for snapshot a is bound to a different snapshot',
    ],
    [
      'of another driver',
      {},
      snapshot(),
      content({ driver: 'other' }),
      'snapshotcontent c for snapshot a is not handled by CSI driver of StorageClass nfs-slow',
    ],
    ['without a handle', {}, snapshot(), content({}, {}, {}), 'snapshot handle a is not available'],
    ['in its mode', { volumeMode: 'Block' }, snapshot(), block, restored],
    ['in no mode', {}, snapshot(), block, restored],
    [
      'in another mode',
      { volumeMode: 'Filesystem' },
      snapshot(),
      block,
      noPermission(`${key} annotation is not present on snapshotcontent c`),
    ],
    [
      'in another mode, as it may',
      { volumeMode: 'Filesystem' },
      snapshot(),
      content({ sourceVolumeMode: 'Block' }, { annotations: { [key]: 'T' } }),
      restored,
    ],
    [
      'in another mode, as it may not',
      { volumeMode: 'Filesystem' },
      snapshot(),
      content({ sourceVolumeMode: 'Block' }, { annotations: { [key]: 'False' } }),
      noPermission(`${key} is set to false on snapshotcontent c`),
    ],
    [
      'in another mode, as nobody knows whether it may',
      { volumeMode: 'Filesystem' },
      snapshot(),
      content({ sourceVolumeMode: 'Block' }, { annotations: { [key]: 'yes' } }),
      noPermission(
        `failed to convert ${key} annotation value to boolean with error: strconv.ParseBool: parsing "yes": invalid syntax`,
      ),
    ],
  ])('%s', (_, spec, from, its, expected) =>
    expect(
      said(
        restoreSource({
          claim: claimOf(spec),
          snapshot: from,
          content: its,
          driver,
          className: 'nfs-slow',
          keepsVolumeMode: true,
        }),
      ),
    ).toEqual(expected),
  )
})
