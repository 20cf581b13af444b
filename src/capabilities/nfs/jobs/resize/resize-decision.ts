// Whether a claim's volume grows, and to which size. The rules are those of Kubernetes 1.32 and up, by which a claim can be made smaller again while growing
// it fails (RecoverVolumeExpansionFailure). Pure.

import { compareQuantities, type Quantity, quantity } from '#kube/values/quantity.ts'
import type { Claim, StoredVolume } from '../storage-kinds.ts'

/** How growing stands, as `status.allocatedResourceStatuses` of a claim says it. */
export const resizeStates = {
  controllerInProgress: 'ControllerResizeInProgress',
  controllerInfeasible: 'ControllerResizeInfeasible',
  nodePending: 'NodeResizePending',
  nodeInProgress: 'NodeResizeInProgress',
  nodeInfeasible: 'NodeResizeInfeasible',
} as const

export type ResizeDecision =
  | {
      readonly kind: 'leave'
      readonly because: 'not-bound' | 'big-enough' | 'of-another' | 'bound-to-another' | 'waits-for-the-node'
    }
  /** `isNew`: the size is another one than the claim says is being made. */
  | { readonly kind: 'grow'; readonly size: Quantity; readonly isNew: boolean }

interface Known {
  readonly driver: string
  /** The last call for this claim ended with an error for good: another size may be asked for. */
  readonly failedForGood: boolean
  /** The driver itself grows volumes; else kubelets alone do. */
  readonly isByController: boolean
}

const storageOf = (resources: Readonly<Record<string, string | number>> | undefined): Quantity | undefined => {
  const value = resources?.['storage']
  return value === undefined ? undefined : quantity(value)
}
const zero = quantity('0')

/** Whether a claim asks for more than it has; what it is bound to is not looked at. */
export function asksForMore({ spec, status }: Claim): boolean {
  if (status?.phase !== 'Bound' || (spec.volumeName ?? '') === '') return false
  return compareQuantities(storageOf(spec.resources?.requests) ?? zero, storageOf(status.capacity) ?? zero) > 0
}

/** Whether a change may ask for something else than before. What the resizer itself writes does not: it would hurry past its own back-off. */
export function isNews(before: Claim | undefined, claim: Claim): boolean {
  if (before === undefined) return true
  const stateOf = ({ status }: Claim) => status?.allocatedResourceStatuses?.['storage'] ?? ''
  const told = ({ spec, status }: Claim) =>
    JSON.stringify([spec.volumeName, spec.resources?.requests?.['storage'], status?.phase, status?.capacity?.['storage']])
  const isOurs = stateOf(claim) === resizeStates.controllerInProgress || stateOf(claim) === resizeStates.controllerInfeasible
  return told(before) !== told(claim) || (stateOf(before) !== stateOf(claim) && !isOurs)
}

/** What becomes of a claim and the volume it names. */
export function decideResize(claim: Claim, volume: StoredVolume, known: Known): ResizeDecision {
  if (claim.status?.phase !== 'Bound' || (claim.spec.volumeName ?? '') === '') return { kind: 'leave', because: 'not-bound' }
  if (!asksForMore(claim)) return { kind: 'leave', because: 'big-enough' }
  if (volume.spec.csi?.driver !== known.driver) return { kind: 'leave', because: 'of-another' }
  const { claimRef } = volume.spec
  if (claimRef === undefined || claimRef.namespace !== claim.metadata.namespace || claimRef.uid !== claim.metadata.uid)
    return { kind: 'leave', because: 'bound-to-another' }
  const size = sizeFor(claim, volume, known)
  if (size === undefined) return { kind: 'leave', because: 'waits-for-the-node' }
  const allocated = storageOf(claim.status.allocatedResources)
  return { kind: 'grow', size, isNew: allocated === undefined || compareQuantities(allocated, size) !== 0 }
}

/** The size to ask for; undefined where the kubelet is to end its part first. */
function sizeFor(claim: Claim, volume: StoredVolume, { failedForGood, isByController }: Known): Quantity | undefined {
  const asked = storageOf(claim.spec.resources?.requests) ?? zero
  const has = storageOf(volume.spec.capacity) ?? zero
  const allocated = storageOf(claim.status?.allocatedResources)
  const state = claim.status?.allocatedResourceStatuses?.['storage'] ?? ''
  const begun = allocated ?? asked
  if (compareQuantities(has, asked) < 0)
    switch (state) {
      case resizeStates.nodeInfeasible:
        return begun
      // What the node was asked for before is ended first.
      case resizeStates.nodePending:
      case resizeStates.nodeInProgress:
        return compareQuantities(has, begun) >= 0 ? undefined : begun
      // A call whose end nobody knows is made again as it was.
      case resizeStates.controllerInProgress:
        return failedForGood ? asked : begun
      default:
        return asked
    }
  switch (state) {
    case resizeStates.nodePending:
    case resizeStates.nodeInProgress:
      return undefined
    case resizeStates.nodeInfeasible:
      return isByController ? begun : asked
    // The volume has grown, and the objects do not say so yet; or the claim was made smaller since.
    case resizeStates.controllerInProgress:
    case resizeStates.controllerInfeasible:
      return begun
    default:
      if (state === '' && allocated !== undefined) return allocated
      return waitsForFilesystem(claim) ? undefined : asked
  }
}

const waitsForFilesystem = ({ status }: Claim): boolean =>
  (status?.conditions ?? []).some(({ type, status: is }) => type === 'FileSystemResizePending' && is === 'True')
