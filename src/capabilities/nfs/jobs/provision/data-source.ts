// What a claim is to be filled from: nothing, a snapshot, another claim, or what somebody else fills in. Pure; the sentences are upstream's.

import type { ContentSource } from '../../csi/messages.ts'
import { type Outcome, refused, taken } from '../outcome.ts'
import { type Content, type Snapshot, snapshotAnnotations, snapshotGroup, snapshotKind } from '../snapshot/snapshot-kinds.ts'
import {
  type Claim,
  claimKind,
  hasFinalizer,
  isBeingDeleted,
  type StoredVolume,
  snapshotSourceFinalizer,
  storageBytes,
} from '../storage-kinds.ts'

export type DataSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'snapshot'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string }
  /** A populator makes the volume; nothing is left for us. */
  | { readonly kind: 'populator'; readonly of: string }

/** A source in another namespace needs grants that this provisioner does not read; upstream's is off for it, too, unless it is told. */
export function dataSourceOf({ metadata, spec }: Claim): Outcome<DataSource> {
  const { dataSource, dataSourceRef } = spec
  const source = dataSource ?? dataSourceRef
  if (source === undefined) return taken({ kind: 'none' })
  if (dataSource === undefined && (dataSourceRef?.namespace ?? '') !== '')
    return refused('dataSourceRef namespace specified but the CrossNamespaceVolumeDataSource feature is disabled')
  const { kind, name, apiGroup = '' } = source
  if (name === '') return refused(`the PVC source not found for PVC ${metadata.name}`)
  if (kind === snapshotKind)
    return apiGroup === snapshotGroup
      ? taken({ kind: 'snapshot', name })
      : refused(`the PVC source does not belong to the right APIGroup. Expected ${snapshotGroup}, Got ${apiGroup}`)
  return taken(kind === claimKind ? { kind: 'claim', name } : { kind: 'populator', of: kind })
}

/** Whether a claim in that state waits for this snapshot: it is pending, or nobody has said of it yet. */
export function waitsForSnapshot({ spec, status }: Claim): string | undefined {
  const phase = status?.phase ?? ''
  if (phase !== 'Pending' && phase !== '') return undefined
  const isOne = (source: Claim['spec']['dataSource']) =>
    source?.kind === snapshotKind && (source.apiGroup === undefined || source.apiGroup === snapshotGroup)
  const source = [spec.dataSource, spec.dataSourceRef].find(isOne)
  return source?.name
}

interface Cloning {
  readonly claim: Claim
  readonly source: Claim
  /** The source's volume; undefined where there is none. */
  readonly volume: StoredVolume | undefined
  readonly driver: string
}

/** What a claim that is a copy of another is filled from. */
export function cloneSource({ claim, source, volume, driver }: Cloning): Outcome<ContentSource> {
  const { name } = source.metadata
  // As Go prints the status of a claim of which nobody said more.
  if (source.status?.phase !== 'Bound')
    return refused(
      `the PVC DataSource ${name} must have a status of Bound.  Got {${source.status?.phase ?? ''} [] map[] [] map[] map[] <nil> <nil>}`,
    )
  if (isBeingDeleted(source)) return refused(`the PVC DataSource ${name} is currently being deleted`)
  if (source.spec.storageClassName === undefined) return refused(`the source PVC (${name}) storageclass cannot be empty`)
  if (claim.spec.storageClassName === undefined)
    return refused(`the requested PVC (${claim.metadata.name}) storageclass cannot be empty`)
  const requested = storageBytes(claim.spec.resources?.requests)
  const size = storageBytes(source.spec.resources?.requests)
  if (requested < size)
    return refused(
      `error, new PVC request must be greater than or equal in size to the specified PVC data source, requested ${requested} but source is ${size}`,
    )
  if ((source.spec.volumeName ?? '') === '') return refused(`volume name is empty in source PVC ${name}`)
  const { csi, claimRef, volumeMode = 'Filesystem' } = volume?.spec ?? {}
  const isBound =
    volume?.status?.phase === 'Bound' &&
    claimRef?.uid === source.metadata.uid &&
    claimRef?.namespace === source.metadata.namespace &&
    claimRef?.name === name
  if (csi === undefined || csi.driver !== driver || !isBound) return refused('claim in dataSource not bound or invalid')
  const mode = claim.spec.volumeMode ?? 'Filesystem'
  if (mode !== volumeMode)
    return refused(
      `the source PVC and destination PVCs must have the same volume mode for cloning.  Source is ${volumeMode}, but new PVC requested ${mode}`,
    )
  return taken({ snapshot: undefined, volume: { volumeId: csi.volumeHandle } })
}

interface Restoring {
  readonly claim: Claim
  readonly snapshot: Snapshot
  /** What the snapshot says it is bound to; undefined where there is none. */
  readonly content: Content | undefined
  readonly driver: string
  readonly className: string
  readonly keepsVolumeMode: boolean
}

/** What a claim that restores a snapshot is filled from. */
export function restoreSource({
  claim,
  snapshot,
  content,
  driver,
  className,
  keepsVolumeMode,
}: Restoring): Outcome<ContentSource> {
  const { name } = snapshot.metadata
  // What was begun before the snapshot was deleted is ended, so that nothing is left behind in the driver.
  if (isBeingDeleted(snapshot) && !hasFinalizer(snapshot, snapshotSourceFinalizer))
    return refused(`snapshot ${name} is being deleted`)
  const contentName = snapshot.status?.boundVolumeSnapshotContentName
  if (contentName === undefined) return refused(`snapshot ${name} not bound`)
  if (content === undefined) return refused(`error getting snapshotcontent ${contentName} for snapshot ${name}`)
  const { volumeSnapshotRef: bound, sourceVolumeMode } = content.spec
  const isOurs = bound.uid === snapshot.metadata.uid && bound.namespace === snapshot.metadata.namespace && bound.name === name
  if (!isOurs) return refused(`snapshotcontent ${contentName} for snapshot ${name} is bound to a different snapshot`)
  if (content.spec.driver !== driver)
    return refused(
      `snapshotcontent ${contentName} for snapshot ${name} is not handled by CSI driver of StorageClass ${className}`,
    )
  if (snapshot.status?.readyToUse !== true) return refused(`snapshot ${name} is not Ready`)
  const handle = content.status?.snapshotHandle
  if (handle === undefined) return refused(`snapshot handle ${name} is not available`)
  const { restoreSize } = snapshot.status
  if (restoreSize !== undefined) {
    const requested = storageBytes(claim.spec.resources?.requests)
    const size = storageBytes({ storage: restoreSize })
    if (requested < size)
      return refused(`requested volume size ${requested} is less than the size ${size} for the source snapshot ${name}`)
  }
  const mode = claim.spec.volumeMode
  const changesMode = sourceVolumeMode !== undefined && mode !== undefined && sourceVolumeMode !== mode
  const objection = keepsVolumeMode && changesMode ? modeObjection(content) : undefined
  if (objection !== undefined)
    return refused(
      `requested volume ${claim.metadata.namespace}/${claim.metadata.name} modifies the mode of the source volume but does not have permission to do so. ${objection}`,
    )
  return taken({ snapshot: { snapshotId: handle }, volume: undefined })
}

function modeObjection({ metadata }: Content): string | undefined {
  const key = snapshotAnnotations.allowModeChange
  const allowed = metadata.annotations?.[key]
  if (allowed === undefined) return `${key} annotation is not present on snapshotcontent ${metadata.name}`
  if (/^(1|t|T|TRUE|true|True)$/.test(allowed)) return undefined
  if (/^(0|f|F|FALSE|false|False)$/.test(allowed)) return `${key} is set to false on snapshotcontent ${metadata.name}`
  return `failed to convert ${key} annotation value to boolean with error: strconv.ParseBool: parsing ${JSON.stringify(allowed)}: invalid syntax`
}
