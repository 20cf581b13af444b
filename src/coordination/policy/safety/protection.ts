// An annotation on a pod asks not to be disturbed; only what is urgent does it all the same.
import { isUrgent } from '../disturbance.ts'
import { deny, pass, type Rule } from '../question.ts'

export const protection: Rule = {
  name: 'protection',
  from: 'enforce',
  ask({ intent, facts }) {
    if (facts.protection === undefined || isUrgent(intent) || intent.disrupts.length === 0) return pass
    return deny({ rule: 'protected', ...facts.protection })
  },
}
