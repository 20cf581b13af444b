// What is not urgent waits a minute for other changes of the same workload, so that all go into one replacement of its pods.
import { classNumber } from '../../intent.ts'
import { isRollout, workloadOf } from '../disturbance.ts'
import { defer, pass, type Rule } from '../question.ts'
import { isMove, wasDropped } from './passengers.ts'

export const company: Rule = {
  name: 'company',
  from: 'coordinate',
  ask({ intent, ledger, firstAskedMs, policy, nowMs }) {
    const workload = workloadOf(intent)
    const canShare = isRollout(intent) || isMove(intent)
    // What was left behind once goes alone.
    if (wasDropped(intent, ledger)) return pass
    // A plan's steps have waited for its approval.
    if (workload === undefined || !canShare || classNumber(intent.class) < 3 || intent.batch !== undefined) return pass
    const untilMs = firstAskedMs + policy.mergeWindowMs
    if (untilMs <= nowMs || untilMs >= intent.deadlineMs) return pass
    return defer({ rule: 'company', workload }, untilMs)
  },
}
