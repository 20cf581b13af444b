// While something is wrong with the cluster as a whole nothing is begun that is not urgent.
import { isOwnersScale, isUrgent, takesAway } from '../disturbance.ts'
import { askAgain, pass, type Question, type Rule } from '../question.ts'

export const gate: Rule = {
  name: 'gate',
  from: 'enforce',
  ask(question) {
    const { intent, facts } = question
    if (isUrgent(intent) || !takesAway(question) || isOwnersScale(question)) return pass
    const red = facts.gates.find(({ gate: name }) => isHolding(name, question))
    return red === undefined ? pass : askAgain(question, { rule: 'gate', gate: red.gate, message: red.message })
  },
}

function isHolding(name: Question['facts']['gates'][number]['gate'], { intent, policy }: Question): boolean {
  // Class 3 makes room for pods that are pending: waiting for them would be waiting for itself.
  return policy.gates.has(name) && !(name === 'pending-pods' && intent.class === 'capacity')
}
