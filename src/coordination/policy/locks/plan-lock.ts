// A running plan has its sources and destinations for itself: two plans would chase each other's pods.
import { askAgain, pass, type Rule } from '../question.ts'
import { touchedAmong, touchedBy } from '../touched-nodes.ts'

export const planLock: Rule = {
  name: 'plan-lock',
  from: 'coordinate',
  ask(question) {
    const { intent, ledger } = question
    if (intent.batch === undefined) return pass
    const wanted = touchedBy(question)
    for (const permit of ledger.active()) {
      const { batch } = permit
      if (batch === undefined || batch === intent.batch) continue
      const node = touchedAmong(permit, wanted)
      if (node === undefined) continue
      return askAgain(question, { rule: 'plan-lock', node, batch, permit: permit.name }, permit.grant?.expiresAtMs)
    }
    return pass
  },
}
