// The arbiter's policy: from an intent, what is known about its targets, and the ledger, to a verdict. Pure: no clock, no wire.
// The rules are asked in order; the first that objects names itself in the answer.

import { caps } from './caps/caps.ts'
import { overtaken } from './caps/overtaken.ts'
import { nodeLock } from './locks/node-lock.ts'
import { planLock } from './locks/plan-lock.ts'
import { underWay } from './locks/under-way.ts'
import { workloadLock } from './locks/workload-lock.ts'
import { zoneDrain } from './locks/zone-drain.ts'
import { holdsIn, modeOf } from './mode.ts'
import { nothingRuns } from './nothing-runs.ts'
import { ownerMatrix } from './owner-matrix.ts'
import { coolDown } from './pauses/cool-down.ts'
import { early, late } from './pauses/deadline.ts'
import { quarantine } from './pauses/quarantine.ts'
import { reverseMove } from './pauses/reverse-move.ts'
import { scaleCoolDown } from './pauses/scale-cool-down.ts'
import { waking } from './pauses/waking.ts'
import { window } from './pauses/window.ts'
import type { Answer, Decision, Objection, Question, Rule, Verdict } from './question.ts'
import { repeat } from './repeat.ts'
import { company } from './rollouts/company.ts'
import { joining } from './rollouts/joining.ts'
import { budgetRequired } from './safety/budget-required.ts'
import { disruptionBudget } from './safety/disruption-budget.ts'
import { fitProof } from './safety/fit-proof.ts'
import { freeze } from './safety/freeze.ts'
import { gate } from './safety/gate.ts'
import { leastReplicas } from './safety/least-replicas.ts'
import { protection } from './safety/protection.ts'
import { stale } from './stale.ts'

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
