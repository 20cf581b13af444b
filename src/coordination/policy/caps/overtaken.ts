// What becomes free goes to whoever has waited for it in the better place, not to whoever asks at that moment.

import { takesAway, workloadOf } from '../disturbance.ts'
import { nodeLock, takesNodes, worksOnNodes } from '../locks/node-lock.ts'
import { planLock } from '../locks/plan-lock.ts'
import { workloadLock } from '../locks/workload-lock.ts'
import { zoneDrain, zoneOf } from '../locks/zone-drain.ts'
import { askAgain, type Objection, type Pending, pass, type Question, type Rule } from '../question.ts'
import { passengersOf } from '../rollouts/passengers.ts'
import { firstFew, touchedAmong, touchedBy } from '../touched-nodes.ts'
import { firstToFill, sourcesOf } from './cap-queue.ts'
import { isAhead } from './queue-order.ts'

export const overtaken: Rule = {
  name: 'overtaken',
  from: 'coordinate',
  ask(question) {
    const { intent, pending, firstAskedMs, nowMs } = question
    if (pending.length === 0 || !takesAway(question)) return pass
    const own = { intent, firstAskedMs }
    const goAlong = new Set(passengersOf(question))
    const ahead = pending.filter(other => contests.has(other.waitsFor) && !goAlong.has(other) && isAhead(other, own, nowMs))
    if (ahead.length === 0) return pass
    const first = ahead.find(other => wantsSame(question, other) && isUnlocked(question, other)) ?? firstToFill(question, ahead)
    if (first === undefined) return pass
    const { idempotencyKey: by, requester } = first.intent
    return askAgain(question, { rule: 'overtaken', by, requester })
  },
}

/** Rules whose reason passes to whoever asks first. What waits for a time, or for the cluster to heal, bars nobody's way. */
const contests: ReadonlySet<Objection['rule']> = new Set([
  'lock',
  'node-lock',
  'zone-drain',
  'plan-lock',
  'cap',
  'overtaken',
  'disruption-budget',
])

/** Whether granting the one would lock the other out. */
function wantsSame(question: Question, { intent: other }: Pending): boolean {
  const { intent } = question
  const workload = workloadOf(intent)
  if (workload !== undefined && workload === workloadOf(other)) return true
  if (intent.verb === 'drain' && other.verb === 'drain' && intent.requester !== 'provision') {
    const zones = new Set(firstFew(intent).map(name => zoneOf(question, name)))
    return firstFew(other).some(name => zones.has(zoneOf(question, name)))
  }
  const isOtherPlan = intent.batch !== undefined && other.batch !== undefined && intent.batch !== other.batch
  const isForNode = (takesNodes(other) && worksOnNodes(intent)) || (takesNodes(intent) && worksOnNodes(other))
  return (isOtherPlan || isForNode) && touchedAmong(other, touchedBy(question)) !== undefined
}

/** What a permit that is out keeps from going is in nobody's way: not in that of the plan that keeps it, above all. */
function isUnlocked(question: Question, { intent }: Pending): boolean {
  const asked = { ...question, intent, facts: { ...question.facts, nodes: sourcesOf(intent) } }
  return [workloadLock, nodeLock, zoneDrain, planLock].every(rule => rule.ask(asked).kind === 'pass')
}
