// What a snapshot's status says by its content's, and contents as they are made for snapshots. Pure.

import { formatTime } from '#kube/time/time.ts'
import { canonicalText, wholeQuantity } from '#kube/values/quantity.ts'
import type { SecretReference, StoredVolume } from '../storage-kinds.ts'
import {
  type Content,
  contentNameFor,
  isReady,
  type Snapshot,
  type SnapshotClass,
  snapshotAnnotations,
} from './snapshot-kinds.ts'

type Status = NonNullable<Snapshot['status']>

const isSameError = (one: Status['error'], other: Status['error']): boolean =>
  one?.message === other?.message && one?.time === other?.time

/** The status as the content has it; undefined: it says so already. What was known before stays. */
export function statusBy(snapshot: Snapshot, content: Content): Status | undefined {
  const { status: old = {} } = snapshot
  const { status: from = {} } = content
  const readyToUse = from.readyToUse === true
  const status: Status = {
    ...old,
    boundVolumeSnapshotContentName: old.boundVolumeSnapshotContentName ?? content.metadata.name,
    readyToUse,
    ...timeBy(old, from),
    ...sizeBy(old, from),
  }
  const { error: _, ...withoutError } = status
  const said = from.error === undefined ? withoutError : { ...withoutError, error: from.error }
  const isSame =
    snapshot.status !== undefined &&
    old.boundVolumeSnapshotContentName === said.boundVolumeSnapshotContentName &&
    old.readyToUse === readyToUse &&
    old.creationTime === said.creationTime &&
    old.restoreSize === said.restoreSize &&
    isSameError(old.error, from.error)
  return isSame ? undefined : said
}

function timeBy(old: Status, { creationTime }: NonNullable<Content['status']>): Pick<Status, 'creationTime'> {
  if (old.creationTime !== undefined || creationTime === undefined) return {}
  return { creationTime: formatTime(creationTime / 1_000_000) }
}

function sizeBy(old: Status, { restoreSize }: NonNullable<Content['status']>): Pick<Status, 'restoreSize'> {
  if (restoreSize === undefined) return {}
  const isUnknown = old.restoreSize === undefined || (String(old.restoreSize) === '0' && restoreSize > 0)
  return isUnknown ? { restoreSize: canonicalText(wholeQuantity(restoreSize, 'BinarySI')) } : {}
}

/** What is told once a snapshot says so for the first time: reason and words. */
export function milestones(before: Snapshot, now: Status): readonly (readonly [reason: string, note: string])[] {
  const key = `${before.metadata.namespace}/${before.metadata.name}`
  const isCut = before.status?.creationTime === undefined && now.creationTime !== undefined
  const becameReady = !isReady(before) && now.readyToUse === true
  return [
    ...(isCut ? [['SnapshotCreated', `Snapshot ${key} was successfully created by the CSI driver.`] as const] : []),
    ...(becameReady ? [['SnapshotReady', `Snapshot ${key} is ready to use.`] as const] : []),
  ]
}

interface Source {
  readonly snapshotClass: SnapshotClass
  readonly volume: StoredVolume
  readonly volumeHandle: string
  readonly secret: SecretReference | undefined
  readonly keepsVolumeMode: boolean
}

/** The content that stands for a snapshot of a volume; its name is made of the snapshot's UID, so that there is never a second one. */
export function contentObject(
  snapshot: Snapshot,
  { snapshotClass, volume, volumeHandle, secret, keepsVolumeMode }: Source,
): Content {
  const { apiVersion, kind, metadata } = snapshot
  const { name, namespace = '', uid = '', resourceVersion } = metadata
  const { volumeMode } = volume.spec
  const annotations = {
    [snapshotAnnotations.deletionSecretName]: secret?.name ?? '',
    [snapshotAnnotations.deletionSecretNamespace]: secret?.namespace ?? '',
  }
  return {
    apiVersion,
    kind: 'VolumeSnapshotContent',
    metadata: { name: contentNameFor(snapshot), ...(secret === undefined ? {} : { annotations }) },
    spec: {
      volumeSnapshotRef: {
        apiVersion,
        kind,
        name,
        namespace,
        uid,
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      source: { volumeHandle },
      volumeSnapshotClassName: snapshotClass.metadata.name,
      deletionPolicy: snapshotClass.deletionPolicy,
      driver: snapshotClass.driver,
      ...(keepsVolumeMode && volumeMode !== undefined ? { sourceVolumeMode: volumeMode } : {}),
    },
  }
}
