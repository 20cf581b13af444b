// A node that is being emptied or switched off belongs to whoever does it, and nobody begins that while others work on the node.
import type { Intent } from '../../intent.ts'
import { isActive, type PermitRecord } from '../../permits/permit-record.ts'
import { isRollout } from '../disturbance.ts'
import { askAgain, pass, type Question, type Rule } from '../question.ts'
import { firstFew, touchedAmong, touchedBy } from '../touched-nodes.ts'

export const nodeLock: Rule = {
  name: 'node-lock',
  from: 'coordinate',
  ask(question) {
    const { intent, ledger } = question
    if (!worksOnNodes(intent)) return pass
    const wanted = touchedBy(question)
    for (const permit of ledger.active()) {
      if (isOwn(question, permit)) continue
      const node = sharedNode(question, { permit, wanted })
      if (node === undefined) continue
      const objection = { rule: 'node-lock', node, permit: permit.name, requester: permit.requester } as const
      return askAgain(question, objection, permit.grant?.expiresAtMs)
    }
    return pass
  },
}

/** The parts of one deed: a node is emptied, then terminated. */
function isOwn({ intent }: Question, permit: PermitRecord): boolean {
  return permit.requester === intent.requester && permit.batch === intent.batch
}

function sharedNode(
  { intent }: Question,
  { permit, wanted }: { readonly permit: PermitRecord; readonly wanted: ReadonlySet<string> },
): string | undefined {
  if (takesNodes(permit)) return firstFew(permit).find(name => wanted.has(name))
  if (!takesNodes(intent) || permit.purpose === 'steer' || !worksOnNodes(permit)) return undefined
  return touchedAmong(permit, new Set(firstFew(intent)))
}

/** Empties a node, or ends it. */
export function takesNodes({ verb }: Pick<Intent, 'verb'>): boolean {
  return verb === 'drain' || verb === 'terminate'
}

/** A rollout works on no node: it takes pods off this one as well as off others. */
export function worksOnNodes(deed: { readonly verb: Intent['verb']; readonly change?: Intent['change'] | undefined }): boolean {
  return !isRollout(deed) && deed.verb !== 'scale' && deed.verb !== 'launch'
}

/** Permits that are emptying a node now. */
export function drainsUnderWay({ ledger }: Pick<Question, 'ledger'>): readonly PermitRecord[] {
  return ledger.active().filter(permit => isActive(permit) && permit.verb === 'drain')
}
