import { describe, expect, test } from 'vitest'
import type { Claim, StoredVolume } from '../storage-kinds.ts'
import { decideContent, isNewsOfContent, snapshotName, statusChange } from './content-decision.ts'
import {
  bindingOf,
  contentFlaw,
  decideDeletion,
  decideSnapshot,
  defaultClass,
  isBehind,
  isSnapshotted,
  missingFinalizers,
  sourceFlaw,
  volumeOf,
} from './snapshot-decision.ts'
import { type Content, type Snapshot, type SnapshotClass, snapshotAnnotations, snapshotFinalizers } from './snapshot-kinds.ts'
import { milestones, statusBy } from './snapshot-status.ts'

const driver = 'nfs.csi.k8s.io'
const apiVersion = 'snapshot.storage.k8s.io/v1'
const goes = { deletionTimestamp: '2026-03-02T04:00:00Z' }
const ofClaim = { persistentVolumeClaimName: 'plex' }
const ofContent = { volumeSnapshotContentName: 'before' }
const ref = { name: 'a', namespace: 'media', uid: 's1' }

function snapshot(source: Snapshot['spec']['source'] = ofClaim, status?: Snapshot['status'], metadata: object = {}): Snapshot {
  return {
    apiVersion,
    kind: 'VolumeSnapshot',
    metadata: { ...ref, ...metadata },
    spec: { source },
    ...(status === undefined ? {} : { status }),
  }
}

function content(spec: Partial<Content['spec']> = {}, status?: Content['status'], metadata: object = {}): Content {
  return {
    apiVersion,
    kind: 'VolumeSnapshotContent',
    metadata: { name: 'snapcontent-s1', ...metadata },
    spec: { driver, deletionPolicy: 'Delete', source: { volumeHandle: 'h' }, volumeSnapshotRef: ref, ...spec },
    ...(status === undefined ? {} : { status }),
  }
}

const named =
  (...all: readonly Content[]) =>
  (name: string) =>
    all.find(({ metadata }) => metadata.name === name)
const written = (spec: Partial<Content['spec']> = {}) =>
  content({ source: { snapshotHandle: 'sh' }, ...spec }, undefined, { name: 'before' })
const ready = { boundVolumeSnapshotContentName: 'snapcontent-s1', readyToUse: true }

describe('a snapshot', () => {
  test.each<[string, Snapshot, readonly Content[], string]>([
    ['of a claim', snapshot(), [], 'make plex'],
    ['whose content is there', snapshot(), [content()], 'follow snapcontent-s1'],
    ['that is ready', snapshot(ofClaim, ready), [content()], 'well'],
    ['that is ready, its content gone', snapshot(ofClaim, ready), [], 'SnapshotContentMissing false'],
    [
      'that is ready, its content of another',
      snapshot(ofClaim, ready),
      [content({ volumeSnapshotRef: { ...ref, uid: 's2' } })],
      'SnapshotMisbound false',
    ],
    ['that is bound and not ready', snapshot(ofClaim, { ...ready, readyToUse: false }), [content()], 'follow snapcontent-s1'],
    ['of what was there before', snapshot(ofContent), [written()], 'follow before'],
    [
      'of what was there before, its UID unknown',
      snapshot(ofContent),
      [written({ volumeSnapshotRef: { name: 'a', namespace: 'media' } })],
      'follow before',
    ],
    ['of what is not there', snapshot(ofContent), [], 'SnapshotContentMissing true'],
    [
      'of what is for another',
      snapshot(ofContent),
      [written({ volumeSnapshotRef: { ...ref, name: 'b' } })],
      'SnapshotContentMisbound true',
    ],
    [
      'of what is made, while it should have been there',
      snapshot(ofContent),
      [content({}, undefined, { name: 'before' })],
      'SnapshotContentMismatch true',
    ],
    [
      'of a claim, its content of another',
      snapshot(),
      [content({ volumeSnapshotRef: { name: 'a', namespace: 'media' } })],
      'SnapshotContentMisbound true',
    ],
    [
      'of a claim, its content there before',
      snapshot(),
      [content({ source: { snapshotHandle: 'sh' } })],
      'SnapshotContentMismatch true',
    ],
  ])('%s', (_, subject, contents, expected) => {
    const decision = decideSnapshot(subject, named(...contents))
    const words = {
      well: () => 'well',
      make: () => ('claimName' in decision ? `make ${decision.claimName}` : ''),
      follow: () => ('content' in decision ? `follow ${decision.content.metadata.name}` : ''),
      failed: () => ('failure' in decision ? `${decision.failure.reason} ${decision.isTriedAgain}` : ''),
    }
    expect(words[decision.kind]()).toBe(expected)
  })

  test('names one source', () => {
    expect(sourceFlaw(snapshot())).toBeUndefined()
    expect(sourceFlaw(snapshot(ofContent))).toBeUndefined()
    expect(sourceFlaw(snapshot({}))?.reason).toBe('SnapshotValidationError')
    expect(sourceFlaw(snapshot({ ...ofClaim, ...ofContent }))?.reason).toBe('SnapshotValidationError')
    expect(contentFlaw(snapshot(), content({ source: { volumeHandle: 'h', snapshotHandle: 'sh' } }))?.reason).toBe(
      'SnapshotHandleSet',
    )
  })

  const { asSource, bound } = snapshotFinalizers
  test.each<[string, Snapshot, Content | undefined, readonly string[]]>([
    ['new', snapshot(), undefined, [asSource]],
    ['bound', snapshot(ofClaim, ready), content(), [asSource, bound]],
    ['bound to what is kept', snapshot(ofClaim, ready), content({ deletionPolicy: 'Retain' }), [asSource]],
    ['with both', snapshot(ofClaim, ready, { finalizers: [asSource, bound] }), content(), []],
    ['on its way out', snapshot(ofClaim, ready, goes), content(), []],
  ])('lacks finalizers: %s', (_, subject, its, expected) => expect(missingFinalizers(subject, its)).toEqual(expected))

  const going = (finalizers: readonly string[], status: Snapshot['status'] = ready) =>
    snapshot(ofClaim, status, { ...goes, finalizers })
  const restoring: Claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'r', namespace: 'media' },
    spec: { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'a' } },
    status: { phase: 'Pending' },
  }
  test.each<[string, Snapshot, readonly Content[], readonly Claim[], string]>([
    ['with nothing of ours', going(['other']), [content()], [], 'nothing-of-ours'],
    ['with its content', going([asSource, bound]), [content()], [], `go true ${asSource}`],
    [
      'with a content that is kept',
      going([asSource, bound]),
      [content({ deletionPolicy: 'Retain' })],
      [],
      `go false ${asSource} ${bound}`,
    ],
    ['its content gone', going([asSource, bound]), [], [], `go false ${asSource} ${bound}`],
    ['its content of another', going([bound]), [content({ volumeSnapshotRef: { ...ref, uid: 's2' } })], [], `go false ${bound}`],
    ['while it is restored', going([asSource, bound]), [content()], [restoring], 'Snapshot is being used to restore a PVC'],
    ['after it was restored', going([bound]), [content()], [{ ...restoring, status: { phase: 'Bound' } }], 'go true '],
    [
      'of a group',
      going([bound], { ...ready, volumeGroupSnapshotName: 'g' }),
      [content()],
      [],
      'deletion of the individual volume snapshot media/a is not allowed as it belongs to group snapshot media/g',
    ],
  ])('is deleted: %s', (_, subject, contents, claims, expected) => {
    const decision = decideDeletion(subject, named(...contents), claims)
    const said =
      decision.kind === 'leave'
        ? decision.because
        : decision.kind === 'wait'
          ? decision.note
          : `go ${decision.takesContent} ${decision.finalizers.join(' ')}`
    expect(said).toBe(expected)
  })

  test('is bound to what was there before', () => {
    const unnamed = written({ volumeSnapshotRef: { name: 'a', namespace: 'media' } })
    expect(bindingOf(snapshot(ofContent), unnamed)).toEqual({ volumeSnapshotRef: { uid: 's1' } })
    expect(bindingOf(snapshot(ofContent), written())).toBeUndefined()
    const classed: Snapshot = { ...snapshot(ofContent), spec: { source: ofContent, volumeSnapshotClassName: 'c' } }
    expect(bindingOf(classed, written())).toEqual({ volumeSnapshotRef: { uid: 's1' }, volumeSnapshotClassName: 'c' })
  })

  test('holds its claim until it is ready', () => {
    const plex: Claim = { ...restoring, metadata: { name: 'plex', namespace: 'media' } }
    expect(isSnapshotted(plex, [snapshot()])).toBe(true)
    expect(isSnapshotted(plex, [snapshot()], snapshot())).toBe(false)
    expect(isSnapshotted(plex, [snapshot(ofClaim, ready)])).toBe(false)
    expect(isSnapshotted(plex, [snapshot({ persistentVolumeClaimName: 'other' })])).toBe(false)
  })

  const claim: Claim = {
    ...restoring,
    metadata: { name: 'plex', namespace: 'media', uid: 'u1' },
    spec: { volumeName: 'pv' },
    status: { phase: 'Bound' },
  }
  const volume = (uid: string): StoredVolume => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec: { claimRef: { name: 'plex', namespace: 'media', uid } },
  })
  test.each<[string, Claim | undefined, StoredVolume | undefined, string]>([
    ['bound', claim, volume('u1'), 'pv'],
    ['by hand', claim, volume(''), 'pv'],
    ['of an older claim', claim, volume('u0'), 'claim in dataSource not bound or invalid'],
    [
      'of no claim',
      undefined,
      undefined,
      'failed to retrieve PVC plex from the lister: "persistentvolumeclaim \\"plex\\" not found"',
    ],
    [
      'of a pending claim',
      { ...claim, status: { phase: 'Pending' } },
      undefined,
      'the PVC plex is not yet bound to a PV, will not attempt to take a snapshot',
    ],
    ['gone', claim, undefined, 'failed to retrieve PV pv from the API server: "persistentvolumes \\"pv\\" not found"'],
  ])('the volume that it is of: %s', (_, its, of, expected) => {
    const found = volumeOf(snapshot(), its, of)
    expect(found.ok ? found.value.metadata.name : found.why).toBe(expected)
  })

  test('has one default class', () => {
    const one = (name: string, of: string, isDefault: string): SnapshotClass => ({
      apiVersion,
      kind: 'VolumeSnapshotClass',
      metadata: { name, annotations: { [snapshotAnnotations.isDefaultClass]: isDefault } },
      driver: of,
      deletionPolicy: 'Delete',
    })
    const others = [one('x', 'other', 'true'), one('y', driver, 'false')]
    expect(defaultClass([...others, one('z', driver, 'true')], driver)).toMatchObject({
      ok: true,
      value: { metadata: { name: 'z' } },
    })
    expect(defaultClass(others, driver)).toEqual({ ok: false, why: 'cannot find default snapshot class' })
    expect(defaultClass([one('a', driver, 'true'), one('b', driver, 'true')], driver)).toEqual({
      ok: false,
      why: '2 default snapshot classes were found',
    })
  })

  test('says what its content says, and nothing again', () => {
    const cut = content(
      {},
      { snapshotHandle: 'sh', creationTime: 1_767_225_600_500_000_000, restoreSize: 4_096, readyToUse: true },
    )
    const status = statusBy(snapshot(), cut)
    expect(status).toEqual({ ...ready, creationTime: '2026-01-01T00:00:00Z', restoreSize: '4Ki' })
    expect(isBehind(snapshot(), cut)).toBe(true)
    expect(milestones(snapshot(), status ?? {}).map(([reason]) => reason)).toEqual(['SnapshotCreated', 'SnapshotReady'])
    const after = snapshot(ofClaim, status)
    expect(statusBy(after, cut)).toBeUndefined()
    expect(isBehind(after, cut)).toBe(false)
    expect(milestones(after, status ?? {})).toEqual([])
    const failed = content({}, { readyToUse: false, error: { message: 'no', time: '2026-01-01T00:00:00Z' } })
    const ill = statusBy(after, failed)
    expect(ill).toEqual({ ...status, readyToUse: false, error: { message: 'no', time: '2026-01-01T00:00:00Z' } })
    expect(statusBy(snapshot(ofClaim, ill), cut)).toEqual(status)
  })
})

describe('a content', () => {
  const { beingCreated, beingDeleted, groupHandle } = snapshotAnnotations
  const marks = (...keys: readonly string[]) => ({ ...goes, annotations: Object.fromEntries(keys.map(key => [key, 'yes'])) })
  const there = { source: { snapshotHandle: 'sh' } }
  test.each<[string, Content, string]>([
    ['new', content(), 'make true'],
    ['begun', content({}, {}), 'make false'],
    ['not ready', content({}, { readyToUse: false, snapshotHandle: 'sh' }), 'make false'],
    ['ready', content({}, { readyToUse: true }), 'ready'],
    ['of what was there', content(there), 'look-up sh'],
    ['of what was there, and is ready', content(there, { readyToUse: true }), 'ready'],
    ['of another driver', content({ driver: 'other' }), 'of-another'],
    ['of no source', content({ source: {} }), 'of-another'],
    ['of a class of another', content({ volumeSnapshotClassName: 'theirs' }), 'of-another'],
    ['of a group', content({}, undefined, { annotations: { [groupHandle]: 'g' } }), 'member-of-a-group'],
    ['that goes, its snapshot not', content({}, { readyToUse: true, snapshotHandle: 'sh' }, goes), 'ready'],
    ['that goes with its snapshot', content({}, { snapshotHandle: 'sh' }, marks(beingDeleted)), 'release sh'],
    ['that goes, and nothing was made', content({}, undefined, marks(beingDeleted)), 'release undefined'],
    ['that goes while it is being made', content({}, undefined, marks(beingDeleted, beingCreated)), 'make true'],
    [
      'that goes, and is kept',
      content({ deletionPolicy: 'Retain' }, { snapshotHandle: 'sh' }, marks(beingDeleted)),
      'release undefined',
    ],
    [
      'that goes and was never bound',
      content({ ...there, volumeSnapshotRef: { name: 'a', namespace: 'media' } }, { snapshotHandle: 'sh' }, goes),
      'release sh',
    ],
    [
      'of a group that goes',
      content({}, { snapshotHandle: 'sh', volumeGroupSnapshotHandle: 'g' }, marks(beingDeleted)),
      'release undefined',
    ],
  ])('%s', (_, subject, expected) => {
    const theirs: SnapshotClass = {
      apiVersion,
      kind: 'VolumeSnapshotClass',
      metadata: { name: 'theirs' },
      driver: 'other',
      deletionPolicy: 'Delete',
    }
    const decision = decideContent(subject, driver, name => (name === 'theirs' ? theirs : undefined))
    const { kind } = decision
    const said =
      kind === 'leave'
        ? decision.because
        : kind === 'make'
          ? `make ${decision.isFirst}`
          : kind === 'ready'
            ? 'ready'
            : `${kind} ${decision.handle}`
    expect(said).toBe(expected)
  })

  test('what the sidecar writes itself is no news', () => {
    const at = (
      resourceVersion: string,
      metadata: object = {},
      status?: Content['status'],
      spec: Partial<Content['spec']> = {},
    ) => content(spec, status, { resourceVersion, ...metadata })
    expect(isNewsOfContent(undefined, at('1'))).toBe(true)
    expect(isNewsOfContent(at('1'), at('1'))).toBe(true)
    expect(isNewsOfContent(at('1'), at('2', { annotations: { [beingCreated]: 'yes' } }))).toBe(false)
    expect(isNewsOfContent(at('1'), at('2', {}, { error: { message: 'no' } }))).toBe(false)
    expect(isNewsOfContent(at('1'), at('2', {}, { readyToUse: true }))).toBe(true)
    expect(isNewsOfContent(at('1'), at('2', { annotations: { [beingDeleted]: 'yes' } }))).toBe(true)
    expect(isNewsOfContent(at('1'), at('2', goes))).toBe(true)
    expect(isNewsOfContent(at('1'), at('2', {}, undefined, { deletionPolicy: 'Retain' }))).toBe(true)
  })

  test.each([
    ['0f-1e', -1, 'snapshot-0f-1e'],
    ['0f-1e', 3, 'snapshot-0f1'],
    ['0f-1e', 0, 'snapshot-'],
  ])('the name of a snapshot of %s with %i characters', (uid, nameUidLength, expected) =>
    expect(snapshotName(uid, { namePrefix: 'snapshot', nameUidLength })).toBe(expected),
  )

  test('its status says what is new alone', () => {
    const facts = { handle: 'sh', isReady: true, createdNanos: 5n, bytes: 0n }
    expect(statusChange(content(), facts)).toEqual({ snapshotHandle: 'sh', readyToUse: true, creationTime: 5 })
    const known = { snapshotHandle: 'sh', readyToUse: true, creationTime: 5 }
    expect(statusChange(content({}, known), facts)).toBeUndefined()
    expect(statusChange(content({}, known), { ...facts, bytes: 9n })).toEqual({ restoreSize: 9 })
    expect(statusChange(content({}, { ...known, readyToUse: false, error: { message: 'no' } }), facts)).toEqual({
      readyToUse: true,
      error: null,
    })
  })
})
