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

/** Whether a claim says anything of a class; the empty text is something. */
export function namesClass(claim: PersistentVolumeClaim): boolean {
  return claim.metadata.annotations?.[classAnnotation] !== undefined || claim.spec.storageClassName !== undefined
}

/** Whether the volume names the claim, by its name alone or by its identity too. */
export function isReservedFor({ spec: { claimRef } }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  if (claimRef?.name !== metadata.name || claimRef.namespace !== metadata.namespace) return false
  return (claimRef.uid ?? '') === '' || claimRef.uid === metadata.uid
}

export function hasModeOf(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (volume.spec['volumeMode'] ?? 'Filesystem') === (claim.spec['volumeMode'] ?? 'Filesystem')
}

/** Why a volume that a claim names cannot be the claim's; undefined where it can. */
export function unsuitable(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`
  if (!isLargeEnough(volume, claim)) return 'requested PV is too small'
  if (volumeClassOf(volume) !== claimClassOf(claim)) return 'storageClassName does not match'
  if (!hasAttributesOf(volume, claim)) return 'volumeAttributesClassName does not match'
  if (!hasModeOf(volume, claim)) return 'incompatible volumeMode'
  return hasAccessOf(volume, claim) ? undefined : 'incompatible accessMode'
}

interface MatchChoice {
  /** Where the pod that waits will run. */
  readonly node?: Node | undefined
  /** Leaves volumes that nobody reserved for the claim to the scheduler. */
  readonly reservedOnly?: boolean
}

/** The volume to bind to a claim that names none: one reserved for it by its claimRef, else the smallest free one of its class, modes, size and labels. Those with the fewest access modes come first. */
export function matchingVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  { node, reservedOnly = false }: MatchChoice = {},
): PersistentVolume | undefined {
  const fitting = volumes.filter(
    volume =>
      volume.metadata.deletionTimestamp === undefined &&
      isLargeEnough(volume, claim) &&
      hasModeOf(volume, claim) &&
      hasAttributesOf(volume, claim) &&
      hasAccessOf(volume, claim),
  )
  const reserved = fitting.find(volume => isReservedFor(volume, claim))
  if (reserved !== undefined) return node === undefined || isReachable(reserved, node) ? reserved : undefined
  if (reservedOnly) return undefined
  const free = fitting.filter(
    volume =>
      volume.spec.claimRef === undefined &&
      volume.status?.phase === 'Available' &&
      volumeClassOf(volume) === claimClassOf(claim) &&
      (claim.spec.selector === undefined || selectorFor(claim.spec.selector).matches(volume.metadata.labels)) &&
      (node === undefined || isReachable(volume, node)),
  )
  return free.toSorted(
    (a, b) =>
      (a.spec.accessModes?.length ?? 0) - (b.spec.accessModes?.length ?? 0) ||
      sizeOf(a.spec.capacity?.['storage']) - sizeOf(b.spec.capacity?.['storage']) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )[0]
}

function volumeClassOf(volume: PersistentVolume): string {
  return volume.metadata.annotations?.[classAnnotation] ?? volume.spec.storageClassName ?? ''
}

function isLargeEnough(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return sizeOf(volume.spec.capacity?.['storage']) >= sizeOf(claim.spec.resources?.requests?.['storage'])
}

/** Attributes are those that a claim asks for, or none: to change them is what a resizer does. */
function hasAttributesOf(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (volume.spec['volumeAttributesClassName'] ?? '') === (claim.spec['volumeAttributesClassName'] ?? '')
}

function hasAccessOf(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec.accessModes ?? []).every(mode => volume.spec.accessModes?.includes(mode) === true)
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
