// What was meant must still be there: the same object by its UID, and not on its way out already.
import { deny, pass, type Rule } from './question.ts'

export const stale: Rule = {
  name: 'stale',
  from: 'observe',
  ask({ facts }) {
    for (const { target, presence } of facts.presence) {
      if (presence !== 'present') return deny({ rule: 'stale', target, presence })
    }
    return pass
  },
}
