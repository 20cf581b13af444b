// What an intent does to others, as far as several rules ask it.
import { workloadKey } from '#planning/goals/policy.ts'
import { classNumber, type Intent, type Verb } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Question } from './question.ts'

type Asked = Pick<Question, 'intent' | 'facts'>

/** Whether a pod, a node or replicas are taken from somebody. Launching, scaling up and steering take nothing. */
export function takesAway({ intent, facts }: Asked): boolean {
  switch (intent.verb) {
    case 'evict':
    case 'restart':
    case 'drain':
    case 'terminate':
      return true
    case 'launch':
      return false
    case 'taint':
      return intent.disrupts.length > 0
    case 'resize':
      return isRollout(intent) || intent.disrupts.length > 0
    case 'scale':
      return !isScaleUp({ intent, facts })
  }
}

export function isScaleUp({ intent, facts }: Asked): boolean {
  if (intent.verb !== 'scale') return false
  if (intent.purpose === 'provide') return true
  return intent.replicas !== undefined && facts.replicas !== undefined && intent.replicas > facts.replicas
}

/** The owner of the replicas scales them: nobody's window, cool-down or waking stands against that. */
export function isOwnersScale({ intent, facts }: Asked): boolean {
  return intent.verb === 'scale' && facts.owner.value === 'keda' && intent.requester === 'autoscale'
}

/** Whether it replaces all pods of a workload by a change of its template; a resize without one happens in place. */
export function isRollout({ verb, change }: { readonly verb: Verb; readonly change?: Intent['change'] | undefined }): boolean {
  return verb === 'restart' || (verb === 'resize' && change !== undefined)
}

/** Class 0 or 1: something is wrong, or wrong soon. */
export function isUrgent({ class: name }: Pick<Intent, 'class'>): boolean {
  return classNumber(name) <= 1
}

/** `namespace/Kind/name`. */
export function workloadOf({ workload }: Pick<Intent, 'workload'>): string | undefined {
  return workload === undefined ? undefined : workloadKey(workload)
}

/** The steps of one plan are one deed where rules look back. */
export function isSameBatch(intent: Pick<Intent, 'batch'>, permit: Pick<PermitRecord, 'batch'>): boolean {
  return intent.batch !== undefined && permit.batch === intent.batch
}

/** Whether pods went away under a released permit. What failed says so by its landing; what expired or was cut short is taken to have happened. */
export function hadEffect({ ending, landing }: Pick<PermitRecord, 'ending' | 'landing'>): boolean {
  return ending === 'done' || ending === 'expired' || ending === 'yielded' || (ending === 'failed' && landing !== undefined)
}

/**
 * When a permit was released. What is no time, or is yet to come, was written by hand or under a clock that was set back since: then the
 * server's word counts on when it was made.
 */
export function releasedMs(
  { releasedAtMs, createdMs }: Pick<PermitRecord, 'releasedAtMs' | 'createdMs'>,
  nowMs: number,
): number | undefined {
  if (releasedAtMs === undefined) return undefined
  return releasedAtMs <= nowMs ? releasedAtMs : Math.min(createdMs, nowMs)
}
