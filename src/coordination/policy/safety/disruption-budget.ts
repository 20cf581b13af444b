// A PodDisruptionBudget that exists is honoured by everybody, in every mode.
import { askAgain, deny, pass, type Rule } from '../question.ts'

export const disruptionBudget: Rule = {
  name: 'disruption-budget',
  from: 'observe',
  ask(question) {
    const { intent, facts } = question
    // A rollout is paced by the workload's own strategy; budgets speak of evictions.
    if (intent.verb !== 'evict' && intent.verb !== 'drain') return pass
    for (const { pod, answer } of facts.budgets) {
      switch (answer.kind) {
        case 'allowed':
        case 'no-budget':
          break
        case 'several':
          return deny({ rule: 'budgets-overlap', pod, budgets: answer.budgets })
        case 'never-allows':
          return deny({ rule: 'budget-never-allows', pod, budget: answer.budget })
        case 'exhausted':
          return askAgain(question, { rule: 'disruption-budget', pod, budget: answer.budget, message: answer.message })
        default:
          answer satisfies never
      }
    }
    return pass
  },
}
