// A workload at 0 replicas has nothing to disturb: its next start takes configuration, size and place along.
import { takesAway, workloadOf } from './disturbance.ts'
import { pass, type Rule } from './question.ts'

export const nothingRuns: Rule = {
  name: 'nothing-runs',
  from: 'observe',
  ask({ intent, facts }) {
    const workload = workloadOf(intent)
    if (facts.replicas !== 0 || workload === undefined) return pass
    if (!takesAway({ intent, facts }) && intent.verb !== 'resize') return pass
    return { kind: 'no-op', objection: { rule: 'nothing-runs', workload } }
  },
}
