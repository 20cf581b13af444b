// Whether the attributes of a claim's volume are changed, and to which VolumeAttributesClass. The rules are those of external-resizer 2.2. Pure.

import type { Claim, StoredVolume } from '../storage-kinds.ts'

/** How a change stands, as `status.modifyVolumeStatus.status` of a claim says it. */
export const modifyStates = { pending: 'Pending', inProgress: 'InProgress', infeasible: 'Infeasible' } as const

export const modifyingCondition = 'ModifyingVolume'
export const modifyErrorCondition = 'ModifyVolumeError'

type ModifyDecision =
  | { readonly kind: 'leave'; readonly because: 'not-bound' | 'of-another' | 'as-asked' | 'nothing-asked' }
  /** Nothing is asked for any more, and what failed is to be said no longer. */
  | { readonly kind: 'cancel' }
  /** A call whose end nobody knows is made again as it was. */
  | { readonly kind: 'go-on'; readonly target: string }
  | { readonly kind: 'begin'; readonly target: string }

const targetOf = ({ status }: Claim): string => status?.modifyVolumeStatus?.targetVolumeAttributesClassName ?? ''

/** The class that a claim asks for; empty: none. */
export const attributesOf = ({ spec }: Claim): string => spec.volumeAttributesClassName ?? ''

export const isInProgress = ({ status }: Claim): boolean => status?.modifyVolumeStatus?.status === modifyStates.inProgress

/** Whether something may have to be done; what the claim is bound to is not looked at. */
export function mayBeModified(claim: Claim): boolean {
  const { status, spec } = claim
  if (status?.phase !== 'Bound' || (spec.volumeName ?? '') === '') return false
  return status.modifyVolumeStatus !== undefined || attributesOf(claim) !== (status.currentVolumeAttributesClassName ?? '')
}

/** Whether a change may ask for something else than before. What is written here does not: it would hurry past its own back-off. */
export function asksAnew(before: Claim | undefined, claim: Claim): boolean {
  if (before === undefined) return true
  const told = ({ spec, status }: Claim) =>
    JSON.stringify([spec.volumeName, spec.volumeAttributesClassName, status?.phase, status?.currentVolumeAttributesClassName])
  const isOver = claim.status?.modifyVolumeStatus === undefined && before.status?.modifyVolumeStatus !== undefined
  return isOver || told(before) !== told(claim)
}

/** Whether the class that can never be had is still the one that is asked for: it is tried rarely then. */
export const isStillAsked = (claim: Claim): boolean =>
  claim.status?.modifyVolumeStatus !== undefined &&
  claim.spec.volumeAttributesClassName !== undefined &&
  targetOf(claim) === claim.spec.volumeAttributesClassName

interface Known {
  readonly driver: string
  /** The last call ended with an error that does not say whether it goes on. */
  readonly isUncertain: boolean
}

/** What becomes of a claim and the volume that it names. */
export function decideModify(claim: Claim, volume: StoredVolume, { driver, isUncertain }: Known): ModifyDecision {
  const { status } = claim
  if (volume.spec.csi?.driver !== driver) return { kind: 'leave', because: 'of-another' }
  if (status?.phase !== 'Bound') return { kind: 'leave', because: 'not-bound' }
  const asked = attributesOf(claim)
  if (status.modifyVolumeStatus === undefined && asked === (status.currentVolumeAttributesClassName ?? ''))
    return { kind: 'leave', because: 'as-asked' }
  if (isInProgress(claim) && (isUncertain || asked === '')) return { kind: 'go-on', target: targetOf(claim) }
  if (asked !== '') return { kind: 'begin', target: asked }
  const isTold = (status.conditions ?? []).some(({ type }) => type === modifyingCondition)
  return isTold ? { kind: 'cancel' } : { kind: 'leave', because: 'nothing-asked' }
}
