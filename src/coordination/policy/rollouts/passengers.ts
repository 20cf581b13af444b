// Several wishes, one rollout: which pending ones go along with a rollout that begins.
import { type Intent, purposeRows, wishKey } from '../../intent.ts'
import type { LedgerView } from '../../permits/ledger-view.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import { isRollout, workloadOf } from '../disturbance.ts'
import { modeOf } from '../mode.ts'
import type { Pending, Question } from '../question.ts'

/** A rollout replaces the pod as well as an eviction would, and its new pods can be steered. */
export function isMove({ verb, purpose }: Pick<Intent, 'verb' | 'purpose'>): boolean {
  return verb === 'evict' && purposeRows[purpose].movesPods === true
}

/** Whether two wishes are for one workload, and one rollout could do for both. */
export function couldShare(rollout: Intent, other: Intent): boolean {
  const workload = workloadOf(rollout)
  return workload !== undefined && isRollout(rollout) && workload === workloadOf(other) && (isRollout(other) || isMove(other))
}

/**
 * The pending wishes that go along with `intent` once it is granted, in order of their coming. None where it is no rollout, or acts as
 * its upstream would (mode `observe`). What is not wanted yet, or frozen, does not go along. What was dropped once goes alone: the server
 * then says to whoever wants it what it said before, and nobody else is held up.
 */
export function passengersOf({
  intent,
  pending,
  policy,
  ledger,
}: Pick<Question, 'intent' | 'pending' | 'policy' | 'ledger'>): readonly Pending[] {
  if (!isRollout(intent) || modeOf(intent.requester, policy.modes) === 'observe' || wasDropped(intent, ledger)) return []
  return pending.filter(
    ({ intent: other, waitsFor }) =>
      couldShare(intent, other) &&
      waitsFor !== 'early' &&
      waitsFor !== 'freeze' &&
      modeOf(other.requester, policy.modes) !== 'observe' &&
      !wasDropped(other, ledger),
  )
}

/** Whether a rollout of its workload had to leave this wish behind: the same wish has the same change. */
export function wasDropped(intent: Intent, ledger: LedgerView): boolean {
  const workload = workloadOf(intent)
  if (workload === undefined) return false
  return ledger.ofWorkload(workload).some(permit => isDroppedFrom(permit, intent))
}

export function isDroppedFrom({ dropped }: Pick<PermitRecord, 'dropped'>, intent: Intent): boolean {
  return dropped.some(one => wishKey(one) === wishKey(intent))
}
