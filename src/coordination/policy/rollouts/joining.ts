// A move of a workload that is being rolled out anyway needs no eviction: the rollout replaces the pod, and the move steers the new one.
import { classNumber, type Intent } from '../../intent.ts'
import { isActive, type PermitRecord } from '../../permits/permit-record.ts'
import { isRollout, workloadOf } from '../disturbance.ts'
import { modeOf } from '../mode.ts'
import { type Objection, pass, type Rule } from '../question.ts'
import { couldShare, isDroppedFrom, isMove, wasDropped } from './passengers.ts'

export const joining: Rule = {
  name: 'joining',
  from: 'coordinate',
  ask({ intent, ledger, pending, policy }) {
    const workload = workloadOf(intent)
    if (workload === undefined || !isMove(intent)) return pass
    const out = ledger
      .ofWorkload(workload)
      .find(permit => isActive(permit) && isReplacedBy(intent, permit) && !isDroppedFrom(permit, intent))
    if (out !== undefined) return { kind: 'coalesced', into: out }
    const next = pending.find(
      ({ intent: other, waitsFor }) =>
        couldShare(other, intent) &&
        !isFarOff.has(waitsFor) &&
        // It goes alone, and so does what was left behind itself.
        !wasDropped(other, ledger) &&
        !wasDropped(intent, ledger) &&
        // What is more urgent than the rollout does not wait for it.
        classNumber(other.class) <= classNumber(intent.class) &&
        modeOf(other.requester, policy.modes) !== 'observe',
    )
    if (next === undefined) return pass
    const { requester, idempotencyKey } = next.intent
    return { kind: 'absorbed', into: { requester, idempotencyKey } }
  },
}

/** What waits for these may wait for a day: a plan would stand still for it. */
const isFarOff: ReadonlySet<Objection['rule']> = new Set(['early', 'freeze', 'window'])

/** The rollout replaces the pods that were there when it was granted; one that came since is a new one already. */
function isReplacedBy({ disrupts }: Intent, permit: PermitRecord): boolean {
  return isRollout(permit) && disrupts.every(({ uid }) => uid !== undefined && permit.siblings.includes(uid))
}
