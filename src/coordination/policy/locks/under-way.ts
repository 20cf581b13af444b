// Two rollouts of a workload go one after the other, and none begins while a drain takes its pods: also where others have begun it.
import { purposeRows } from '../../intent.ts'
import { isRollout, workloadOf } from '../disturbance.ts'
import { askAgain, pass, type Rule } from '../question.ts'

export const underWay: Rule = {
  name: 'under-way',
  from: 'coordinate',
  ask(question) {
    const { intent, facts } = question
    const workload = workloadOf(intent)
    if (facts.underWay === undefined || workload === undefined || intent.class === 'safety') return pass
    if (!isRollout(intent) && purposeRows[intent.purpose].awaitsRollouts !== true) return pass
    return askAgain(question, { rule: 'under-way', workload, ...facts.underWay })
  },
}
