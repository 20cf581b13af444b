// What the controller does with one volume, by itself and the claim that it names. Pure.
import type { PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import { hasModeOf } from './volume-match.ts'

export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by'
const migratedAnnotation = 'pv.kubernetes.io/migrated-to'

/** `release`: it is Released unless it says so or Failed, and its policy is carried out. */
type VolumeStep = 'available' | 'bound' | 'release' | 'unbind' | 'mismatch' | 'sync-claim'

/** @param claim the one that the volume names, undefined where it is gone or another has its name */
export function volumeStep(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeStep {
  if ((volume.spec.claimRef?.uid ?? '') === '') return 'available'
  if (claim === undefined) return 'release'
  const { volumeName = '' } = claim.spec
  if (volumeName === '') return hasModeOf(volume, claim) ? 'sync-claim' : 'mismatch'
  if (volumeName === volume.metadata.name) return 'bound'
  const isProvisioned = volume.metadata.annotations?.[provisionedByAnnotation] !== undefined
  return isProvisioned && volume.spec['persistentVolumeReclaimPolicy'] === 'Delete' ? 'release' : 'unbind'
}

type Reclaim =
  | { readonly kind: 'keep' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'fail'; readonly reason: string; readonly message: string }

/** What becomes of a volume that nobody claims any more. `playsProvisioner`: whether volumes of this provisioner are deleted here. */
export function reclaimOf(volume: PersistentVolume, playsProvisioner: (provisioner: string) => boolean): Reclaim {
  const { name, annotations = {} } = volume.metadata
  if (annotations[migratedAnnotation] !== undefined) return { kind: 'keep' }
  switch (volume.spec['persistentVolumeReclaimPolicy']) {
    case 'Recycle':
      // The pod that empties a volume is not played: one that can be emptied stays Released.
      return volume.spec['hostPath'] !== undefined || volume.spec['nfs'] !== undefined
        ? { kind: 'keep' }
        : { kind: 'fail', reason: 'VolumeFailedRecycle', message: 'No recycler plugin found for the volume!' }
    case 'Delete':
      return deletionOf(volume, name, annotations[provisionedByAnnotation] ?? '', playsProvisioner)
    default:
      return { kind: 'keep' }
  }
}

function deletionOf(
  { spec }: PersistentVolume,
  name: string,
  provisioner: string,
  playsProvisioner: (provisioner: string) => boolean,
): Reclaim {
  if (provisioner !== '') {
    if (playsProvisioner(provisioner)) return { kind: 'delete' }
    if (!provisioner.startsWith('kubernetes.io/')) return { kind: 'keep' }
  }
  if (spec.csi !== undefined) return { kind: 'keep' }
  const fail = (message: string): Reclaim => ({ kind: 'fail', reason: 'VolumeFailedDelete', message })
  const { path } = (spec['hostPath'] ?? {}) as { readonly path?: string }
  if (path !== undefined)
    return /^\/tmp\/.+/.test(path)
      ? { kind: 'delete' }
      : fail(`host_path deleter only supports /tmp/.+ but received provided ${path}`)
  const why = spec['nfs'] === undefined ? 'no volume plugin matched' : 'no deletable volume plugin matched'
  return fail(`error getting deleter volume plugin for volume "${name}": ${why}`)
}
