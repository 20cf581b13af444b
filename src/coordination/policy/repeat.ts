// The same wish asked again gets the same answer: its permit while that is out, nothing to do once it is done.
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { type Answer, pass, type Question, type Rule } from './question.ts'

export const repeat: Rule = { name: 'repeat', from: 'observe', ask }

function ask({ intent, ledger }: Question): Answer {
  const earlier = ledger.byKey(intent.requester, intent.idempotencyKey)
  const isOwn = (permit: PermitRecord) => permit.requester === intent.requester && permit.idempotencyKey === intent.idempotencyKey
  const active = earlier.find(isActive)
  if (active !== undefined) return isOwn(active) ? { kind: 'same', permit: active } : { kind: 'coalesced', into: active }
  // Steering is a level, not a deed: a wave that is taken up again is steered again.
  const done = intent.purpose === 'steer' ? undefined : earlier.find(permit => permit.ending === 'done')
  if (done === undefined) return pass
  return isOwn(done) ? { kind: 'no-op', objection: { rule: 'repeat', permit: done.name } } : { kind: 'coalesced', into: done }
}
