// The arbiter's policy: from an intent, what is known about its targets, and the ledger, to a verdict. Pure: no clock, no wire.
// The rules are asked in order; the first that objects names itself in the answer.
import { budgetRequired } from './budget-required.ts'
import { caps } from './caps.ts'
import { company } from './company.ts'
import { coolDown } from './cool-down.ts'
import { early, late } from './deadline.ts'
import { disruptionBudget } from './disruption-budget.ts'
import { fitProof } from './fit-proof.ts'
import { freeze } from './freeze.ts'
import { gate } from './gate.ts'
import { joining } from './joining.ts'
import { leastReplicas } from './least-replicas.ts'
import { holdsIn, modeOf } from './mode.ts'
import { nodeLock } from './node-lock.ts'
import { nothingRuns } from './nothing-runs.ts'
import { overtaken } from './overtaken.ts'
import { ownerMatrix } from './owner-matrix.ts'
import { planLock } from './plan-lock.ts'
import { protection } from './protection.ts'
import { quarantine } from './quarantine.ts'
import type { Answer, Decision, Objection, Question, Rule, Verdict } from './question.ts'
import { repeat } from './repeat.ts'
import { reverseMove } from './reverse-move.ts'
import { scaleCoolDown } from './scale-cool-down.ts'
import { stale } from './stale.ts'
import { underWay } from './under-way.ts'
import { waking } from './waking.ts'
import { window } from './window.ts'
import { workloadLock } from './workload-lock.ts'
import { zoneDrain } from './zone-drain.ts'

/** The order is the order of speaking. */
export const rules: readonly Rule[] = [
  repeat,
  late,
  stale,
  nothingRuns,
  ownerMatrix,
  protection,
  budgetRequired,
  leastReplicas,
  freeze,
  early,
  window,
  gate,
  joining,
  workloadLock,
  underWay,
  waking,
  nodeLock,
  zoneDrain,
  planLock,
  coolDown,
  scaleCoolDown,
  reverseMove,
  quarantine,
  disruptionBudget,
  caps,
  overtaken,
  fitProof,
  company,
]

/**
 * The policy's answer to one intent. Same question, same answer.
 *
 * A rule that does not hold in the requester's mode is asked all the same: what it would have said is `wouldBe` of the grant.
 * A deferral past the intent's deadline is a denial.
 */
export function judge(question: Question, asked: readonly Rule[] = rules): Verdict {
  const mode = modeOf(question.intent.requester, question.policy.modes)
  let wouldBe: { decision: Decision; objection: Objection } | undefined
  for (const rule of asked) {
    const answer = withinDeadline(rule.ask(question), question.intent.deadlineMs)
    if (answer.kind === 'pass') continue
    if (holdsIn(mode, rule.from)) return answer
    if (answer.kind === 'same' || answer.kind === 'coalesced' || answer.kind === 'absorbed') continue
    wouldBe ??= { decision: decisionWords[answer.kind], objection: answer.objection }
  }
  return { kind: 'grant', wouldBe }
}

const decisionWords = { defer: 'Queued', deny: 'Denied', 'no-op': 'NoOp' } as const

function withinDeadline(answer: Answer, deadlineMs: number): Answer {
  if (answer.kind !== 'defer' || answer.untilMs <= deadlineMs) return answer
  return { kind: 'deny', objection: answer.objection, untilMs: answer.untilMs }
}
