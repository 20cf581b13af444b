// One at a time: while a permit on a workload is out nobody else disturbs it.
import { isActive } from '../../permits/permit-record.ts'
import { takesAway, workloadOf } from '../disturbance.ts'
import { askAgain, pass, type Rule } from '../question.ts'

export const workloadLock: Rule = {
  name: 'workload-lock',
  from: 'coordinate',
  ask(question) {
    const workload = workloadOf(question.intent)
    if (workload === undefined || !takesAway(question)) return pass
    const holder = question.ledger.ofWorkload(workload).find(permit => isActive(permit) && permit.purpose !== 'provide')
    if (holder === undefined) return pass
    const objection = { rule: 'lock', workload, permit: holder.name, requester: holder.requester } as const
    return askAgain(question, objection, holder.grant?.expiresAtMs)
  },
}
