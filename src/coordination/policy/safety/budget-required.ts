// Who moves pods for balance may be bound to workloads that have said by a PodDisruptionBudget how many may go.
import { workloadOf } from '../disturbance.ts'
import { deny, pass, type Rule } from '../question.ts'

export const budgetRequired: Rule = {
  name: 'budget-required',
  from: 'enforce',
  ask({ intent, facts }) {
    const workload = workloadOf(intent)
    if (intent.requireBudget !== true || workload === undefined) return pass
    const bare = facts.budgets.find(({ answer }) => answer.kind === 'no-budget')
    return bare === undefined ? pass : deny({ rule: 'budget-required', pod: bare.pod, workload })
  },
}
