// Which PersistentVolume a claim gets: the smallest of those that fit. Pure.
import { isReachable } from '#cluster/scheduling/volume-binding.ts'
import type { Node, PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import { parseWhole } from '#kube/values/quantity.ts'
import { selectorFor } from '../selectors.ts'

const classAnnotation = 'volume.beta.kubernetes.io/storage-class'

/** The class a claim asks for; the empty text: none. */
export function claimClassOf(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[classAnnotation] ?? claim.spec.storageClassName ?? ''
}

/** The volume to bind: one reserved for the claim by its claimRef, else the smallest free one of its class, modes, size and labels. `node`: where the pod that waits will run. */
export function matchingVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  node: Node | undefined,
): PersistentVolume | undefined {
  const named = claim.spec.volumeName
  if (named) return volumes.find(volume => volume.metadata.name === named && isFreeFor(volume, claim))
  const fitting = volumes.filter(
    volume => isFreeFor(volume, claim) && fits(volume, claim) && (node === undefined || isReachable(volume, node)),
  )
  const reserved = fitting.find(volume => volume.spec.claimRef !== undefined)
  return (
    reserved ??
    fitting.toSorted(
      (a, b) =>
        sizeOf(a.spec.capacity?.['storage']) - sizeOf(b.spec.capacity?.['storage']) ||
        (a.metadata.name < b.metadata.name ? -1 : 1),
    )[0]
  )
}

function isFreeFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  if (volume.metadata.deletionTimestamp !== undefined) return false
  const reference = volume.spec.claimRef
  if (reference === undefined) return volume.status?.phase !== 'Released' && volume.status?.phase !== 'Failed'
  if (reference.name !== claim.metadata.name || reference.namespace !== claim.metadata.namespace) return false
  return reference.uid === undefined || reference.uid === '' || reference.uid === claim.metadata.uid
}

function fits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const wanted = sizeOf(claim.spec.resources?.requests?.['storage'])
  if (sizeOf(volume.spec.capacity?.['storage']) < wanted) return false
  if ((volume.spec.storageClassName ?? '') !== claimClassOf(claim)) return false
  // Attributes are those that a claim asks for, or none: to change them is what a resizer does.
  if ((volume.spec['volumeAttributesClassName'] ?? '') !== (claim.spec['volumeAttributesClassName'] ?? '')) return false
  if ((volume.spec['volumeMode'] ?? 'Filesystem') !== (claim.spec['volumeMode'] ?? 'Filesystem')) return false
  if ((claim.spec.accessModes ?? []).some(mode => !volume.spec.accessModes?.includes(mode))) return false
  return claim.spec.selector === undefined || selectorFor(claim.spec.selector).matches(volume.metadata.labels)
}

/** Bytes; 0 for what is absent or no quantity. */
function sizeOf(quantity: string | number | undefined): number {
  if (quantity === undefined) return 0
  try {
    return parseWhole(quantity)
  } catch (error) {
    if (error instanceof RangeError) return 0
    throw error
  }
}
