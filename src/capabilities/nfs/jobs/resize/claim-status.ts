// What the status of a claim says while its volume grows. Pure: each function yields a merge patch of the status, in which conditions stand whole.

import { annotations, type Claim, type ClaimCondition } from '../storage-kinds.ts'
import { resizeStates } from './resize-decision.ts'

const resizeConditions = ['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError']

/** A part of a claim: for the sub-resource `status`, which takes annotations, too. */
export interface ClaimPatch {
  readonly metadata: { readonly resourceVersion?: string; readonly annotations?: Readonly<Record<string, string | null>> }
  readonly status: Readonly<Record<string, unknown>>
}

/** Conditions of other matters stay; of growing those of `kept` do, and `added` take the place of their like. */
function conditionsWith(claim: Claim, added: readonly ClaimCondition[], kept: 'kept' | 'dropped'): readonly ClaimCondition[] {
  const left = new Map(added.map(condition => [condition.type, condition]))
  const old = (claim.status?.conditions ?? []).flatMap(condition => {
    if (!resizeConditions.includes(condition.type)) return [condition]
    const inPlace = left.get(condition.type)
    left.delete(condition.type)
    if (inPlace !== undefined) return [inPlace]
    return kept === 'kept' ? [condition] : []
  })
  return [...old, ...left.values()]
}

const condition = (type: string, time: string, message?: string): ClaimCondition => ({
  type,
  status: 'True',
  lastTransitionTime: time,
  ...(message === undefined ? {} : { message }),
})

const atVersion = ({ metadata: { resourceVersion } }: Claim) => (resourceVersion === undefined ? {} : { resourceVersion })
const withoutMark = { annotations: { [annotations.nodeExpansionNotRequired]: null } } as const

/** Growing to `size` begins, or begins anew. */
export function growing(
  claim: Claim,
  { size, isNew, time }: { readonly size: string; readonly isNew: boolean; readonly time: string },
): ClaimPatch {
  const state = isNew ? { allocatedResourceStatuses: { storage: resizeStates.controllerInProgress } } : {}
  return {
    metadata: { ...atVersion(claim), ...withoutMark },
    status: {
      conditions: conditionsWith(claim, [condition('Resizing', time)], isNew ? 'dropped' : 'kept'),
      allocatedResources: { storage: size },
      ...state,
    },
  }
}

/** The driver refused for good. It holds whatever the claim says by now, so that no version is asked for. */
export function growingFailed(
  claim: Claim,
  { why, isInfeasible, time }: { readonly why: string; readonly isInfeasible: boolean; readonly time: string },
): ClaimPatch {
  return {
    metadata: {},
    status: {
      conditions: conditionsWith(claim, [condition('ControllerResizeError', time, `failed to expand pvc with ${why}`)], 'kept'),
      ...(isInfeasible ? { allocatedResourceStatuses: { storage: resizeStates.controllerInfeasible } } : {}),
    },
  }
}

/** The volume has grown, and a kubelet is to grow the filesystem in it. */
export function nodeIsNext(claim: Claim, time: string): ClaimPatch {
  const message = 'Waiting for user to (re-)start a pod to finish file system resize of volume on node.'
  return {
    metadata: { ...atVersion(claim), ...withoutMark },
    status: {
      conditions: conditionsWith(claim, [condition('FileSystemResizePending', time, message)], 'kept'),
      allocatedResourceStatuses: { storage: resizeStates.nodePending },
    },
  }
}

/** All is done, and no kubelet need do anything. */
export function grown(claim: Claim, size: string): ClaimPatch {
  return {
    metadata: { ...atVersion(claim), annotations: { [annotations.nodeExpansionNotRequired]: 'true' } },
    status: {
      capacity: { storage: size },
      conditions: conditionsWith(claim, [], 'dropped'),
      allocatedResourceStatuses: { storage: null },
    },
  }
}
