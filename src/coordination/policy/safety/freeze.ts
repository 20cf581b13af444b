// Somebody wrote that everything voluntary stands still: in the configuration, or on an object around the target. It holds in every
// mode and every class, and only more replicas for whoever needs them pass.
import { isScaleUp } from '../disturbance.ts'
import { defer, deny, type Freeze, pass, type Question, type Rule } from '../question.ts'

export const freeze: Rule = {
  name: 'freeze',
  from: 'observe',
  ask(question) {
    const found = configured(question) ?? question.facts.freeze
    if (found === undefined || isScaleUp(question)) return pass
    if (found.untilMs === undefined) return deny({ rule: 'freeze', freeze: found })
    return found.untilMs > question.nowMs ? defer({ rule: 'freeze', freeze: found }, found.untilMs) : pass
  },
}

function configured({ policy }: Question): Freeze | undefined {
  if (policy.freeze === false) return undefined
  const reason = policy.freeze === true ? 'frozen by configuration' : policy.freeze
  return { where: 'arbiter.freeze', reason, untilMs: undefined }
}
