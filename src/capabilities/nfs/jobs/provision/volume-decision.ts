// What becomes of a volume: whether it bears our finalizer, and whether it is deleted. Pure.

import { annotations, hasFinalizer, isBeingDeleted, type StoredVolume, volumeFinalizer } from '../storage-kinds.ts'

interface VolumeDecision {
  readonly finalizer: 'add' | 'remove' | 'keep'
  readonly isDeleted: boolean
  /** Why it is not deleted. */
  readonly because?: 'of-another' | 'deleted-already' | 'in-use' | 'kept-by-policy'
}

const leave = (because: NonNullable<VolumeDecision['because']>): VolumeDecision => ({
  finalizer: 'keep',
  isDeleted: false,
  because,
})

/** Also volumes that somebody else wrote by hand count as the driver's own, where nothing says who made them. */
export function decideVolume(volume: StoredVolume, driver: string): VolumeDecision {
  const { metadata, spec, status } = volume
  const maker = metadata.annotations?.[annotations.provisionedBy]
  const isOurs =
    maker === undefined
      ? spec.csi?.driver === driver
      : maker === driver || metadata.annotations?.[annotations.migratedTo] === driver
  if (!isOurs) return leave('of-another')
  const policy = spec.persistentVolumeReclaimPolicy
  const has = hasFinalizer(volume, volumeFinalizer)
  const isGoing = isBeingDeleted(volume)
  const isWanted = policy === 'Delete' && !isGoing && status?.phase === 'Bound'
  const isKept = policy === 'Retain' || policy === 'Recycle'
  const finalizer = isWanted && !has ? 'add' : isKept && has ? 'remove' : 'keep'
  if (policy !== 'Delete') return { finalizer, isDeleted: false, because: 'kept-by-policy' }
  if (isGoing && !has) return { finalizer, isDeleted: false, because: 'deleted-already' }
  if (status?.phase !== 'Released') return { finalizer, isDeleted: false, because: 'in-use' }
  return { finalizer, isDeleted: true }
}

/** Whether something else is to be done than before. What is written here is not: it would hurry past its own back-off. */
export function isNews(before: StoredVolume | undefined, volume: StoredVolume, driver: string): boolean {
  if (before === undefined || before.metadata.uid !== volume.metadata.uid) return true
  return JSON.stringify(decideVolume(before, driver)) !== JSON.stringify(decideVolume(volume, driver))
}
