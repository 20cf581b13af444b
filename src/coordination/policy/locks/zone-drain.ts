// One node of a zone is emptied at a time. What belongs to a NodePool follows its pool's own budgets instead.

import { askAgain, pass, type Question, type Rule } from '../question.ts'
import { firstFew } from '../touched-nodes.ts'
import { drainsUnderWay } from './node-lock.ts'

export const zoneDrain: Rule = {
  name: 'zone-drain',
  from: 'coordinate',
  ask(question) {
    const { intent } = question
    if (intent.verb !== 'drain' || intent.requester === 'provision') return pass
    const own = new Set(firstFew(intent))
    const zones = new Set(Array.from(own, name => zoneOf(question, name)))
    for (const permit of drainsUnderWay(question)) {
      const node = firstFew(permit).find(name => !own.has(name) && zones.has(zoneOf(question, name)))
      if (node === undefined) continue
      const objection = { rule: 'zone-drain', zone: zoneOf(question, node), node, permit: permit.name } as const
      return askAgain(question, objection, permit.grant?.expiresAtMs)
    }
    return pass
  },
}

/** Nodes without a zone are one zone: what nobody has told apart may hang on one cable. */
export function zoneOf({ facts: { zones } }: Pick<Question, 'facts'>, node: string): string {
  return Object.hasOwn(zones, node) ? (zones[node] ?? '') : ''
}
