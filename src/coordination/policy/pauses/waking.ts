// A workload that comes up from 0 is left in peace until it has been Ready for two minutes.
import { isOwnersScale, takesAway, workloadOf } from '../disturbance.ts'
import { askAgain, defer, pass, type Rule } from '../question.ts'

export const waking: Rule = {
  name: 'waking',
  from: 'coordinate',
  ask(question) {
    const { intent, facts, nowMs } = question
    const workload = workloadOf(intent)
    if (facts.waking === undefined || workload === undefined || intent.class === 'safety') return pass
    if (!takesAway(question) || isOwnersScale(question)) return pass
    const { sinceMs, untilMs } = facts.waking
    const objection = { rule: 'waking', workload, sinceMs } as const
    if (untilMs === undefined) return askAgain(question, objection)
    return untilMs > nowMs ? defer(objection, untilMs) : pass
  },
}
