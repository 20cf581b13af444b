// What the arbiter would say now, by its own rules: to each question the first word, and what else would speak after it.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { objectionReasons, objectionSentence, remedy } from '../arbiter/sentences.ts'
import { describeTarget, type Intent } from '../intent.ts'
import type { Observations } from '../observed/observation.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import type { ArbiterPolicy, ArbitrationMode } from '../policy/arbiter-policy.ts'
import { judge, rules } from '../policy/judge.ts'
import { holdsIn, modeOf } from '../policy/mode.ts'
import type { Answer, Objection, Question, TargetFacts, Verdict } from '../policy/question.ts'
import type { AccountDecision } from './entry.ts'
import type { PosedQuestion } from './questions.ts'

/** One rule that speaks against a question. */
interface Objected {
  readonly rule: Objection['rule']
  readonly reason: string
  readonly decision: Extract<AccountDecision, 'Queued' | 'Denied' | 'NoOp'>
  readonly sentence: string
  readonly wayOut: string
  /** From when on it would let it pass, as things are. */
  readonly fromMs: number | undefined
  /** False: the requester's mode only notes what this rule says. */
  readonly holds: boolean
  readonly data: Readonly<Record<string, unknown>>
}

export interface PresentAnswer {
  readonly question: string
  /** `move it`. */
  readonly words: string
  /** `evict Pod shop/cart-a`. */
  readonly asked: string
  readonly requester: string
  readonly class: string
  readonly mode: ArbitrationMode
  readonly decision: AccountDecision
  /** Objections to what is not granted: the rule that speaks first, then all others in the order of their speaking. */
  readonly objections: readonly Objected[]
  /** The permit that is out and that this goes along with. */
  readonly into: string | undefined
  /** Why the planner would not propose it, whatever the arbiter says. */
  readonly planner: readonly PlannerWord[]
}

export interface PlannerWord {
  readonly policy: string
  readonly reason: string
  readonly sentence: string
  readonly wayOut: string | undefined
}

export interface AnswerContext {
  readonly state: ClusterState
  readonly ledger: LedgerView
  readonly observed: Observations
  readonly policy: ArbiterPolicy
  readonly nowMs: number
  /** What the cluster says about an intent, as the arbiter gathers it. */
  readonly factsOf: (intent: Intent) => TargetFacts
}

/** Asks every rule, each by itself, so that what would speak next is known too. */
export function answerTo(
  { name, words, intent }: PosedQuestion,
  planner: readonly PlannerWord[],
  context: AnswerContext,
): PresentAnswer {
  const { policy, nowMs } = context
  const question: Question = {
    intent,
    facts: context.factsOf(intent),
    ledger: context.ledger,
    observed: context.observed,
    pending: [],
    // Nobody is to hear that he waits for company because he has only just asked.
    firstAskedMs: nowMs - policy.mergeWindowMs - 1,
    policy,
    nowMs,
  }
  const mode = modeOf(intent.requester, policy.modes)
  const verdict = judge(question)
  const objections = rules.flatMap(rule => objectedBy(rule.ask(question), holdsIn(mode, rule.from), nowMs))
  const [first] = intent.targets
  return {
    question: name,
    words,
    asked: `${intent.verb} ${first === undefined ? 'nothing' : describeTarget(first)}`,
    requester: intent.requester,
    class: intent.class,
    mode,
    decision: decisionOf(verdict),
    objections: objections.toSorted((a, b) => Number(b.holds) - Number(a.holds)),
    into: verdict.kind === 'coalesced' ? verdict.into.name : verdict.kind === 'same' ? verdict.permit.name : undefined,
    planner: planner.filter(word => !objections.some(one => saysTheSame(word.reason, one))),
  }
}

/** The planner keeps the owner matrix, budgets and freezes as the arbiter does: said once is enough. */
function saysTheSame(plannerReason: string, { rule, reason }: Objected): boolean {
  return plannerReason === reason || (rule === 'owner' && ['KedaManaged', 'OwnerNone', 'Unlabelled'].includes(plannerReason))
}

function decisionOf(verdict: Verdict): AccountDecision {
  switch (verdict.kind) {
    case 'grant':
    case 'same':
      return 'Granted'
    case 'defer':
      return 'Queued'
    case 'deny':
      return 'Denied'
    case 'no-op':
      return 'NoOp'
    case 'coalesced':
    case 'absorbed':
      return 'Coalesced'
  }
}

const decisions = { defer: 'Queued', deny: 'Denied', 'no-op': 'NoOp' } as const

/** A rule that says so little only means that it will look again; from when on it lets pass is not known. */
const recheckMs = 60_000

function objectedBy(answer: Answer, holds: boolean, nowMs: number): readonly Objected[] {
  if (answer.kind !== 'defer' && answer.kind !== 'deny' && answer.kind !== 'no-op') return []
  const { rule, ...data } = answer.objection
  return [
    {
      rule,
      reason: objectionReasons[rule],
      decision: decisions[answer.kind],
      sentence: objectionSentence(answer.objection),
      wayOut: remedy(answer.objection),
      fromMs: answer.kind === 'no-op' || (answer.untilMs ?? 0) <= nowMs + recheckMs ? undefined : answer.untilMs,
      holds,
      data,
    },
  ]
}
