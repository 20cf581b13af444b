// Whether a claim gets a volume from us now, and why not. Pure.

import { annotations, type Claim, classOf, keyOf, type VolumeClass } from '../storage-kinds.ts'

type ClaimDecision =
  /** Nothing is to be done until something changes. */
  | { readonly kind: 'leave'; readonly because: 'has-a-volume' | 'of-another' | 'waits-for-a-node' | 'class-of-another' }
  /** Nothing can be done yet, and nobody tells when it can. */
  | { readonly kind: 'later'; readonly why: string }
  | { readonly kind: 'provision'; readonly volumeClass: VolumeClass }

interface Surroundings {
  readonly driver: string
  readonly classNamed: (name: string) => VolumeClass | undefined
}

/** The binder of the control plane names the provisioner on each claim that is to get a volume. */
export function decideClaim(claim: Claim, { driver, classNamed }: Surroundings): ClaimDecision {
  const { metadata, spec } = claim
  if ((spec.volumeName ?? '') !== '') return { kind: 'leave', because: 'has-a-volume' }
  const asked =
    metadata.annotations?.[annotations.storageProvisioner] ?? metadata.annotations?.[annotations.olderStorageProvisioner]
  if (asked !== driver) return { kind: 'leave', because: 'of-another' }
  const name = classOf(claim)
  const volumeClass = classNamed(name)
  if (volumeClass === undefined) return { kind: 'later', why: `storageclass "${name}" not found` }
  const waits =
    volumeClass.volumeBindingMode === 'WaitForFirstConsumer' && (metadata.annotations?.[annotations.selectedNode] ?? '') === ''
  if (waits) return { kind: 'leave', because: 'waits-for-a-node' }
  // The class was made anew since the binder looked at it.
  if (volumeClass.provisioner !== driver) return { kind: 'leave', because: 'class-of-another' }
  return { kind: 'provision', volumeClass }
}

/** What is said of a claim when its volume is begun with. */
export const provisioningNote = (claim: Claim): string =>
  `External provisioner is provisioning volume for claim "${keyOf(claim)}"`
