// What the status of a claim says while the attributes of its volume change. Pure: each function yields a strategic merge patch, in which conditions of other
// matters are not named and so stay.

import type { Claim, ClaimCondition } from '../storage-kinds.ts'
import { modifyErrorCondition, modifyingCondition, modifyStates } from './modify-decision.ts'

type Removal = { readonly $patch: 'delete'; readonly type: string }

/** A part of a claim, for the sub-resource `status`. */
export interface ModifyPatch {
  readonly metadata?: { readonly resourceVersion?: string }
  readonly status: {
    readonly modifyVolumeStatus?: { readonly status: string; readonly targetVolumeAttributesClassName?: string } | null
    readonly currentVolumeAttributesClassName?: string
    readonly conditions?: readonly (ClaimCondition | Removal)[]
  }
}

const atVersion = ({ metadata: { resourceVersion } }: Claim) =>
  resourceVersion === undefined ? {} : { metadata: { resourceVersion } }

/** `said` in the place of its like, whose time stays where it said the same. */
function condition(claim: Claim, said: Omit<ClaimCondition, 'status'>, time: string): ClaimCondition {
  const old = claim.status?.conditions?.find(({ type }) => type === said.type)
  const isSame = old?.status === 'True' && (old.reason ?? '') === (said.reason ?? '')
  const since = isSame ? old.lastTransitionTime : time
  return { ...said, status: 'True', lastProbeTime: time, ...(since === undefined ? {} : { lastTransitionTime: since }) }
}

const removed = (claim: Claim, ...types: readonly string[]): readonly Removal[] =>
  (claim.status?.conditions ?? []).flatMap(({ type }) => (types.includes(type) ? [{ $patch: 'delete', type }] : []))

/** The class is not there. */
export const awaited = (claim: Claim): ModifyPatch => ({
  ...atVersion(claim),
  status: { modifyVolumeStatus: { status: modifyStates.pending } },
})

/** The driver is asked next. */
export function modifying(claim: Claim, target: string, time: string): ModifyPatch {
  const message = `Modifying volume to "${target}" is in progress.`
  return {
    ...atVersion(claim),
    status: {
      modifyVolumeStatus: { status: modifyStates.inProgress, targetVolumeAttributesClassName: target },
      conditions: [condition(claim, { type: modifyingCondition, message }, time)],
    },
  }
}

interface Failure {
  readonly target: string
  /** gRPC's code by its name in Go, and what the driver said. */
  readonly code: string
  readonly why: string
  /** Nobody knows whether it goes on. */
  readonly isUncertain: boolean
  readonly isInfeasible: boolean
  readonly time: string
}

export function modifyFailed(claim: Claim, { target, code, why, isUncertain, isInfeasible, time }: Failure): ModifyPatch {
  const message = `Modifying volume to "${target}" ${isUncertain ? 'is still in progress.' : 'failed. Waiting for retry.'}`
  return {
    ...atVersion(claim),
    status: {
      modifyVolumeStatus: { status: isInfeasible ? modifyStates.infeasible : modifyStates.inProgress },
      conditions: [
        condition(claim, { type: modifyingCondition, message }, time),
        condition(claim, { type: modifyErrorCondition, reason: code, message: why }, time),
      ],
    },
  }
}

/** It holds whatever the claim says by now, so that no version is asked for. */
export const modified = (claim: Claim, target: string): ModifyPatch => ({
  status: {
    modifyVolumeStatus: null,
    currentVolumeAttributesClassName: target,
    conditions: removed(claim, modifyingCondition, modifyErrorCondition),
  },
})

/** What went before is not undone, and not told any more. */
export const cancelled = (claim: Claim): ModifyPatch => ({ status: { conditions: removed(claim, modifyingCondition) } })
