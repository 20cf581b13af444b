// What the sidecar does with a content: the driver makes a snapshot of it, says how it stands, or deletes it. Pure.

import { isBeingDeleted } from '../storage-kinds.ts'
import { type Content, isReady, type SnapshotClass, snapshotAnnotations } from './snapshot-kinds.ts'

type ContentDecision =
  | { readonly kind: 'leave'; readonly because: 'of-another' | 'member-of-a-group' }
  /** The driver makes it, or is asked again how far it is. `isFirst`: nothing was said of it yet. */
  | { readonly kind: 'make'; readonly isFirst: boolean }
  /** It was there before: the driver says whether it is, and whether it is ready. */
  | { readonly kind: 'look-up'; readonly handle: string }
  /** All is done; the mark that it is being made goes where it stayed. */
  | { readonly kind: 'ready' }
  /** `handle`: what the driver is to delete first; undefined: nothing. */
  | { readonly kind: 'release'; readonly handle: string | undefined }

const has = ({ metadata }: Content, key: string): boolean => metadata.annotations?.[key] !== undefined

export function decideContent(
  content: Content,
  driver: string,
  classNamed: (name: string) => SnapshotClass | undefined,
): ContentDecision {
  const { spec, status } = content
  const { volumeHandle, snapshotHandle } = spec.source
  const named = spec.volumeSnapshotClassName === undefined ? undefined : classNamed(spec.volumeSnapshotClassName)
  const isOurs = spec.driver === driver && (volumeHandle ?? snapshotHandle) !== undefined && (named?.driver ?? driver) === driver
  if (!isOurs) return { kind: 'leave', because: 'of-another' }
  if (isReleased(content)) {
    const isTheirs = status?.volumeGroupSnapshotHandle !== undefined
    const isDeleted = spec.deletionPolicy === 'Delete' && !isTheirs
    return { kind: 'release', handle: isDeleted ? status?.snapshotHandle : undefined }
  }
  if (status?.volumeGroupSnapshotHandle !== undefined || has(content, snapshotAnnotations.groupHandle))
    return { kind: 'leave', because: 'member-of-a-group' }
  if (isReady(content)) return { kind: 'ready' }
  if (volumeHandle !== undefined && status === undefined) return { kind: 'make', isFirst: true }
  return snapshotHandle === undefined ? { kind: 'make', isFirst: false } : { kind: 'look-up', handle: snapshotHandle }
}

/** Whether the content is to go: not while a call is out that may yet make a snapshot, which nobody would know of then. */
function isReleased(content: Content): boolean {
  if (!isBeingDeleted(content)) return false
  const { source, volumeSnapshotRef } = content.spec
  if (source.snapshotHandle !== undefined && (volumeSnapshotRef.uid ?? '') === '') return true
  return !has(content, snapshotAnnotations.beingCreated) && has(content, snapshotAnnotations.beingDeleted)
}

/** Whether a change of a content is for the sidecar: what it writes itself is not, so that it does not hurry past its own back-off. */
export function isNewsOfContent(before: Content | undefined, content: Content): boolean {
  if (before === undefined || before.metadata.resourceVersion === content.metadata.resourceVersion) return true
  // It may have been deleted while it was made.
  if (!isReady(before) && isReady(content)) return true
  const told = ({ metadata, spec }: Content) => {
    const { [snapshotAnnotations.beingCreated]: _, ...annotations } = metadata.annotations ?? {}
    return JSON.stringify([metadata.deletionTimestamp, Object.entries(annotations).sort(), spec])
  }
  return told(before) !== told(content)
}

/** The name by which the driver knows a snapshot: that of the VolumeSnapshot's UID, however often it is asked for. */
export function snapshotName(
  uid: string,
  { namePrefix, nameUidLength }: { readonly namePrefix: string; readonly nameUidLength: number },
): string {
  return `${namePrefix}-${nameUidLength < 0 ? uid : uid.replaceAll('-', '').slice(0, nameUidLength)}`
}

/** What the driver said of a snapshot. */
export interface SnapshotFacts {
  readonly handle: string
  readonly isReady: boolean
  /** Nanoseconds since 1970. */
  readonly createdNanos: bigint
  readonly bytes: bigint
}

/** The part of a content's status that changes by that, as a merge patch; undefined: nothing. What was known before stays. */
export function statusChange({ status }: Content, facts: SnapshotFacts): Readonly<Record<string, unknown>> | undefined {
  const { handle, isReady: isReadyNow, createdNanos, bytes } = facts
  const becomesReady = status?.readyToUse !== isReadyNow
  const change = {
    ...(status?.snapshotHandle === undefined ? { snapshotHandle: handle } : {}),
    ...(becomesReady ? { readyToUse: isReadyNow } : {}),
    ...(becomesReady && isReadyNow && status?.error !== undefined ? { error: null } : {}),
    ...(status?.creationTime === undefined ? { creationTime: Number(createdNanos) } : {}),
    ...(status?.restoreSize === undefined && bytes > 0n ? { restoreSize: Number(bytes) } : {}),
  }
  return Object.keys(change).length === 0 ? undefined : change
}
