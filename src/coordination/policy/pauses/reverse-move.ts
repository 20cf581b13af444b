// A move from a to b forbids the one from b to a for a day: otherwise two goals would play ball with a workload.
import { classNumber, type Relocation } from '../../intent.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import { isSameBatch, releasedMs, workloadOf } from '../disturbance.ts'
import { defer, pass, type Question, type Rule } from '../question.ts'

export const reverseMove: Rule = {
  name: 'reverse-move',
  from: 'enforce',
  ask(question) {
    const { intent, ledger, policy, nowMs } = question
    const workload = workloadOf(intent)
    const move = moveOf(question)
    if (classNumber(intent.class) < 4 || workload === undefined || move === undefined) return pass
    const [to] = move.to
    if (to === undefined) return pass
    const earlier = ledger
      .ofWorkload(workload)
      .filter(
        permit =>
          !isSameBatch(intent, permit) && movesDone(permit).some(({ from, to: ends }) => from === to && ends.includes(move.from)),
      )
    const last = earlier.toSorted((a, b) => (releasedMs(a, nowMs) ?? 0) - (releasedMs(b, nowMs) ?? 0)).at(-1)
    if (last === undefined) return pass
    const untilMs = (releasedMs(last, nowMs) ?? 0) + policy.reverseMoveMs
    if (untilMs <= nowMs) return pass
    return defer({ rule: 'reverse-move', workload, from: move.from, to, permit: last.name }, untilMs)
  },
}

/** Who brings no relocation moves one pod, and proves that it fits on one node. */
function moveOf({ intent, facts }: Question): Relocation | undefined {
  if (intent.relocation !== undefined || intent.verb !== 'evict') return intent.relocation
  const [from] = facts.nodes
  return from !== undefined && facts.nodes.length === 1 && intent.proof?.nodes.length === 1
    ? { from, to: intent.proof.nodes }
    : undefined
}

/** What came back, or landed where it was not meant to, was no move from a to b. */
function movesDone({ ending, landing, relocation, joined }: PermitRecord): readonly Relocation[] {
  if (ending !== 'done' || landing === 'back' || landing === 'other' || landing === 'unheld') return []
  return [relocation, ...joined.map(one => one.relocation)].filter(one => one !== undefined)
}
