// What the snapshot controller does with a snapshot. Pure: what is there is given, and each answer says what is to be done and why not more.

import { type Outcome, refused, taken } from '../outcome.ts'
import { type Claim, hasFinalizer, isBeingDeleted, type StoredVolume } from '../storage-kinds.ts'
import {
  boundContentName,
  type Content,
  contentNameFor,
  isReady,
  pointsTo,
  type Snapshot,
  type SnapshotClass,
  snapshotAnnotations,
  snapshotFinalizers,
  snapshotGroup,
  snapshotKind,
} from './snapshot-kinds.ts'

/** A failure as it is told: on the snapshot's status and by an Event. */
export interface Failure {
  readonly reason: string
  readonly note: string
  /** The snapshot does not count as ready any more. */
  readonly isUnready: boolean
}

const failure = (reason: string, note: string, isUnready = true): Failure => ({ reason, note, isUnready })

const keyOfSnapshot = ({ metadata }: Snapshot): string => `${metadata.namespace}/${metadata.name}`

/** A member of a group of snapshots is another controller's matter. */
export function isOfGroup({ metadata, status }: Snapshot): boolean {
  const isMember = (metadata.ownerReferences ?? []).some(
    ({ apiVersion, kind }) => kind === 'VolumeGroupSnapshot' && apiVersion.startsWith('groupsnapshot.storage.k8s.io/'),
  )
  return isMember || status?.volumeGroupSnapshotName !== undefined
}

/** What is wrong with what a snapshot is to be of. */
export function sourceFlaw({ spec }: Snapshot): Failure | undefined {
  const { persistentVolumeClaimName, volumeSnapshotContentName } = spec.source
  if ((persistentVolumeClaimName === undefined) !== (volumeSnapshotContentName === undefined)) return undefined
  return failure(
    'SnapshotValidationError',
    'Exactly one of PersistentVolumeClaimName and VolumeSnapshotContentName should be specified',
  )
}

/** The name of the content that belongs to a snapshot, whether it is there or not. */
export const contentNameOf = (snapshot: Snapshot): string =>
  snapshot.spec.source.volumeSnapshotContentName ?? contentNameFor(snapshot)

/** What is wrong with the content of that name; undefined: it is the snapshot's. */
export function contentFlaw(snapshot: Snapshot, content: Content): Failure | undefined {
  const isBefore = snapshot.spec.source.volumeSnapshotContentName !== undefined
  const { name } = content.metadata
  const { source, volumeSnapshotRef: ref } = content.spec
  if (isBefore && source.snapshotHandle === undefined)
    return failure(
      'SnapshotContentMismatch',
      'VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one',
    )
  if (!isBefore && source.volumeHandle === undefined)
    return failure(
      'SnapshotContentMismatch',
      `VolumeSnapshotContent ${name} is pre-provisioned while expecting a dynamically provisioned one`,
    )
  const { metadata } = snapshot
  // Who writes a content beforehand need not know the UID.
  const isSameUid = ref.uid === metadata.uid || (isBefore && (ref.uid ?? '') === '')
  if (ref.name !== metadata.name || ref.namespace !== metadata.namespace || !isSameUid)
    return failure('SnapshotContentMisbound', `VolumeSnapshotContent [${name}] is bound to a different snapshot`)
  if (!isBefore && source.snapshotHandle !== undefined)
    return failure(
      'SnapshotHandleSet',
      `Snapshot handle should not be set in content ${keyOfSnapshot(snapshot)} for dynamic provisioning`,
    )
  return undefined
}

/** Finalizers that a snapshot is to have and has not. `content`: the one that belongs to it. */
export function missingFinalizers(snapshot: Snapshot, content: Content | undefined): readonly string[] {
  if (isBeingDeleted(snapshot)) return []
  const isBound = boundContentName(snapshot) !== '' && content?.spec.deletionPolicy === 'Delete'
  return [snapshotFinalizers.asSource, ...(isBound ? [snapshotFinalizers.bound] : [])].filter(one => !hasFinalizer(snapshot, one))
}

type SnapshotDecision =
  /** It is bound and ready, and its content says so, too. */
  | { readonly kind: 'well' }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly isTriedAgain: boolean }
  /** A content is there: it is bound, and the snapshot says what it says. */
  | { readonly kind: 'follow'; readonly content: Content }
  /** A content is made for a claim. */
  | { readonly kind: 'make'; readonly claimName: string }

/** What becomes of a snapshot that is not being deleted, and whose source is well said. */
export function decideSnapshot(snapshot: Snapshot, contentNamed: (name: string) => Content | undefined): SnapshotDecision {
  const bound = boundContentName(snapshot)
  if (isReady(snapshot) && bound !== '') {
    const content = contentNamed(bound)
    if (content === undefined)
      return {
        kind: 'failed',
        failure: failure('SnapshotContentMissing', 'VolumeSnapshotContent is missing'),
        isTriedAgain: false,
      }
    if (!pointsTo(content, snapshot))
      return {
        kind: 'failed',
        failure: failure('SnapshotMisbound', 'VolumeSnapshotContent is not bound to the VolumeSnapshot correctly'),
        isTriedAgain: false,
      }
    return { kind: 'well' }
  }
  const { volumeSnapshotContentName, persistentVolumeClaimName = '' } = snapshot.spec.source
  const content = contentNamed(contentNameOf(snapshot))
  if (content === undefined) {
    if (volumeSnapshotContentName === undefined) return { kind: 'make', claimName: persistentVolumeClaimName }
    return { kind: 'failed', failure: failure('SnapshotContentMissing', 'VolumeSnapshotContent is missing'), isTriedAgain: true }
  }
  const flaw = contentFlaw(snapshot, content)
  return flaw === undefined ? { kind: 'follow', content } : { kind: 'failed', failure: flaw, isTriedAgain: true }
}

/** Whether a content has to be told of its snapshot's UID or class, as one that was written beforehand: what is to be written. */
export function bindingOf(snapshot: Snapshot, { spec }: Content): Readonly<Record<string, unknown>> | undefined {
  const isNamed = (spec.volumeSnapshotRef.uid ?? '') !== ''
  const className = spec.volumeSnapshotClassName ?? snapshot.spec.volumeSnapshotClassName
  if (isNamed && className === spec.volumeSnapshotClassName) return undefined
  return {
    volumeSnapshotRef: { uid: snapshot.metadata.uid },
    ...(snapshot.spec.volumeSnapshotClassName === undefined
      ? {}
      : { volumeSnapshotClassName: snapshot.spec.volumeSnapshotClassName }),
  }
}

export type DeletionDecision =
  | { readonly kind: 'leave'; readonly because: 'nothing-of-ours' }
  | { readonly kind: 'wait'; readonly note: string }
  /** The content learns of it, goes along where its policy says so, and these finalizers are taken off. */
  | {
      readonly kind: 'go'
      readonly content: Content | undefined
      readonly takesContent: boolean
      readonly finalizers: readonly string[]
    }

/** What becomes of a snapshot that is being deleted. `claims`: those of its namespace. */
export function decideDeletion(
  snapshot: Snapshot,
  contentNamed: (name: string) => Content | undefined,
  claims: Iterable<Claim>,
): DeletionDecision {
  const has = (finalizer: string) => hasFinalizer(snapshot, finalizer)
  if (!has(snapshotFinalizers.asSource) && !has(snapshotFinalizers.bound)) return { kind: 'leave', because: 'nothing-of-ours' }
  const found = contentNamed(boundContentName(snapshot) || contentNameFor(snapshot))
  const content = found !== undefined && pointsTo(found, snapshot) ? found : undefined
  if (content !== undefined && isRestored(snapshot, claims))
    return { kind: 'wait', note: 'Snapshot is being used to restore a PVC' }
  const { volumeGroupSnapshotName } = snapshot.status ?? {}
  if (volumeGroupSnapshotName !== undefined)
    return {
      kind: 'wait',
      note: `deletion of the individual volume snapshot ${keyOfSnapshot(snapshot)} is not allowed as it belongs to group snapshot ${snapshot.metadata.namespace}/${volumeGroupSnapshotName}`,
    }
  const takesContent = content?.spec.deletionPolicy === 'Delete'
  const finalizers = [snapshotFinalizers.asSource, ...(takesContent ? [] : [snapshotFinalizers.bound])].filter(has)
  return { kind: 'go', content, takesContent, finalizers }
}

function isRestored({ metadata }: Snapshot, claims: Iterable<Claim>): boolean {
  for (const { spec, status } of claims) {
    const { dataSource } = spec
    const isOne = dataSource?.kind === snapshotKind && dataSource.apiGroup === snapshotGroup && dataSource.name === metadata.name
    if (isOne && status?.phase === 'Pending') return true
  }
  return false
}

/** Whether a claim is still needed as a source: a snapshot of it is not ready. `but`: a snapshot that does not count. */
export function isSnapshotted(claim: Claim, snapshots: Iterable<Snapshot>, but?: Snapshot): boolean {
  for (const snapshot of snapshots) {
    if (snapshot.metadata.name === but?.metadata.name) continue
    if (snapshot.spec.source.persistentVolumeClaimName === claim.metadata.name && !isReady(snapshot)) return true
  }
  return false
}

/** The handle of the volume that a snapshot is to be of. */
export function volumeOf(snapshot: Snapshot, claim: Claim | undefined, volume: StoredVolume | undefined): Outcome<StoredVolume> {
  const { persistentVolumeClaimName: name = '' } = snapshot.spec.source
  if (claim === undefined) return refused(claimNotFound(name))
  if (claim.status?.phase !== 'Bound')
    return refused(`the PVC ${name} is not yet bound to a PV, will not attempt to take a snapshot`)
  const volumeName = claim.spec.volumeName ?? ''
  if (volume === undefined)
    return refused(`failed to retrieve PV ${volumeName} from the API server: "persistentvolumes \\"${volumeName}\\" not found"`)
  const { claimRef } = volume.spec
  const isBound =
    claimRef?.name === claim.metadata.name &&
    claimRef?.namespace === claim.metadata.namespace &&
    ((claimRef?.uid ?? '') === '' || claimRef?.uid === claim.metadata.uid)
  return isBound ? taken(volume) : refused('claim in dataSource not bound or invalid')
}

const claimNotFound = (name: string): string =>
  `failed to retrieve PVC ${name} from the lister: "persistentvolumeclaim \\"${name}\\" not found"`

/** The one default class for volumes of a driver. */
export function defaultClass(all: Iterable<SnapshotClass>, driver: string): Outcome<SnapshotClass> {
  const found = [...all].filter(
    one => one.metadata.annotations?.[snapshotAnnotations.isDefaultClass] === 'true' && one.driver === driver,
  )
  const [first, ...others] = found
  if (first === undefined) return refused('cannot find default snapshot class')
  return others.length === 0 ? taken(first) : refused(`${found.length} default snapshot classes were found`)
}

/** Whether a snapshot says less, or something else, than its content. */
export function isBehind(snapshot: Snapshot, { metadata, status }: Content): boolean {
  if (status === undefined) return false
  const { status: said } = snapshot
  return (
    said === undefined ||
    (said.boundVolumeSnapshotContentName ?? metadata.name) !== metadata.name ||
    said.boundVolumeSnapshotContentName === undefined ||
    (said.creationTime === undefined && status.creationTime !== undefined) ||
    (said.readyToUse ?? false) !== (status.readyToUse ?? false) ||
    (said.restoreSize === undefined && status.restoreSize !== undefined) ||
    said.error?.message !== status.error?.message
  )
}

/** What is wrong with a content by itself. */
export function contentSourceFlaw({ spec }: Content): string | undefined {
  const isWell = (spec.source.volumeHandle === undefined) !== (spec.source.snapshotHandle === undefined)
  return isWell ? undefined : 'Exactly one of VolumeHandle and SnapshotHandle should be specified'
}
