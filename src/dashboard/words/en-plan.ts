// What is said of a plan and of its moves: one function a message.
import type { Flow, Move, MoveState, Sentence } from '../contract.ts'
import { age, ago, until } from './age.ts'
import { counted, form, listed } from './grammar.ts'
import { nodePath, permitsPath, planPath } from './links.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

/** `Both goals would be met.` of a plan that is not done; `Both goals are met.` once it is; of one that ended before, what it was for. */
export function planGoals(facts: {
  readonly goals: number
  readonly reached: number
  readonly end: 'open' | 'done' | 'given-up'
}): Sentence {
  const { goals, reached, end } = facts
  const which = goals === 1 ? 'The goal' : goals === 2 ? 'Both goals' : `All ${count(goals)} goals`
  const who = reached === goals ? which : `${count(reached)} of ${counted(goals, 'goal')}`
  const verb = end === 'open' ? 'would be' : end === 'done' ? form(reached, 'is', 'are') : 'would have been'
  return say('plan-goals', `${who} ${verb} met.`, { goals, reached })
}

/** `15 of 15 proofs checked by the verifier.` */
export function proofsChecked({ passed, moves }: { readonly passed: number; readonly moves: number }): Sentence {
  const text = `${count(passed)} of ${counted(moves, 'proof')} checked by the verifier.`
  return say('plan-proofs', text, { passed, moves })
}

/** The verifier refused something. */
export function proofsRefused({ refused, moves }: { readonly refused: number; readonly moves: number }): Sentence {
  const text = `The verifier refuses ${count(refused)} of ${counted(moves, 'move')}.`
  return say('plan-proofs-refused', text, { refused, moves })
}

/** It waits for an approval that is not the one it got. */
export function approvedOther({ plan }: { readonly plan: string }): Sentence {
  return say('plan-approved-other', 'Another content than this was approved: it waits for a new approval.', { plan })
}

/** How long a plan takes that was not begun, and what of it is left for later. */
export function planExpected(facts: { readonly length: string; readonly rest: number; readonly held: string }): Sentence {
  const held = facts.held === '' ? '' : ` When it was made its moves were held: ${facts.held}.`
  const later = facts.rest === 0 ? '' : ` A plan of ${counted(facts.rest, 'move')} would reach more later.`
  return say('plan-expected', `It is expected to take ${facts.length}.${held}${later}`, facts)
}

/** How a plan ended, in the executor's words. */
export function planEnded(facts: {
  readonly phase: string
  readonly done: number
  readonly moves: number
  readonly message: string
}): Sentence {
  const { phase, done, moves, message } = facts
  const end = message === '' ? '' : `: ${withoutStop(message)}`
  return say('plan-ended', `${phase} after ${done} of ${counted(moves, 'move')}${end}.`, { ...facts })
}

export function planStandsStill({ message }: { readonly message: string }): Sentence {
  return say('plan-paused-because', `Paused: ${withoutStop(message)}.`, { message })
}

/** The policy is gone: nobody wants the plan any more. */
export function policyGone({ policy }: { readonly policy: string }): Sentence {
  return say('policy-gone', `Its policy ${policy} is gone: nothing of it will be done.`, { policy })
}

/** Approved, in its window, and not begun yet. */
export function startsSoon(): Sentence {
  return say('starts-soon', 'Starts as soon as nothing else holds it')
}

export function neverStarts(): Sentence {
  return say('never-starts', 'No window of its policy opens any more')
}

// Safety: clauses without a stop, to be joined by semicolons.

export function everyProof({ plan }: { readonly plan: string }): Sentence {
  return say('safe-proof', 'Each move has a proof that the pod fits where it goes', { plan }, [
    { text: 'proof', path: planPath(plan) },
  ])
}

export function budgetsHold(): Sentence {
  return say('safe-budgets', 'PodDisruptionBudgets hold at every step')
}

export function atOnce({ concurrent }: { readonly concurrent: number }): Sentence {
  return say('safe-concurrent', concurrent === 1 ? 'one at a time' : `at most ${count(concurrent)} at a time`, { concurrent })
}

export function canPause({ concurrent }: { readonly concurrent: number }): Sentence {
  return say('safe-pause', concurrent === 1 ? 'you can pause between any two' : 'you can pause at any time', { concurrent })
}

const limitWords = {
  branches: 'the branches of the integer program',
  pairs: 'the pairs of pods and nodes',
  orders: 'the orders of moves',
  solver: 'the time or memory of the solver',
} as const

/** Bounds of the search that a plan met. */
export function planLimits({ limits }: { readonly limits: readonly (keyof typeof limitWords)[] }): Sentence {
  const text = listed(limits.map(limit => limitWords[limit]))
  return say('plan-limits', `The search ended at a bound on ${text}: there may be a better plan.`, { limits: limits.join(',') })
}

/** Percentage points over all goals. */
export function planShortfall({ left, atLeast }: { readonly left: number; readonly atLeast: number }): Sentence {
  const points = (value: number) => String(Math.round(value * 100) / 100)
  const nearest =
    left - atLeast < 1e-6
      ? 'no plan within its limits comes closer'
      : `no plan within its limits comes closer than ${points(atLeast)}`
  return say('plan-shortfall', `Its goals together are missed by ${points(left)} points; ${nearest}.`, { left, atLeast })
}

// Moves.

/** What a move frees; any other resource by its own name. */
const freedWords = new Map([
  ['cpu', 'CPU'],
  ['pods', 'places'],
])

export interface ServedFacts {
  readonly goal: string
  readonly resource: string | undefined
  readonly how: 'relieves' | 'fills' | 'evens' | 'empties'
}

/** `frees CPU for cp-light, fills use-talos03`; `makes room` where no goal is served by it. */
export function moveServes(served: readonly ServedFacts[]): Sentence {
  const parts = served.map(({ goal, resource, how }) =>
    how === 'empties'
      ? `empties its node for ${goal}`
      : how !== 'relieves'
        ? `${how} ${goal}`
        : `frees ${resource === undefined ? 'room' : (freedWords.get(resource) ?? resource)} for ${goal}`,
  )
  const goals = [...new Set(served.map(({ goal }) => goal))].join(',')
  return parts.length === 0 ? say('move-makes-room', 'makes room') : say('move-serves', parts.join(', '), { goals })
}

/** Said of a plan that empties nodes. */
export function moveLeaves({ node }: { readonly node: string }): Sentence {
  return say('move-leaves', `leaves ${node}, which is kept for the core`, { node })
}

export function destinationGone({ node }: { readonly node: string }): Sentence {
  return say('destination-gone', `destination ${node} no longer exists`, { node })
}

export function sourceGone({ node }: { readonly node: string }): Sentence {
  return say('source-gone', `source ${node} no longer exists`, { node })
}

/** What the verifier would not let pass whatever the cluster is. */
export function sameNode({ node }: { readonly node: string }): Sentence {
  return say('move-same-node', `refused by the verifier: it would go from ${node} to ${node}`, { node })
}

/** A rule or the executor keeps it, or kept it. */
export function moveKept(facts: { readonly rule: string; readonly message: string }): Sentence {
  const { rule, message } = facts
  return say('move-kept', message === '' ? rule : `${rule}: ${message}`, { rule, message }, [
    { text: rule, path: permitsPath({ rule }) },
  ])
}

/** The plan ended before it came to it. */
export function moveNotBegun({ phase }: { readonly phase: string }): Sentence {
  return say('move-not-begun', `the plan ended before (${phase})`, { phase })
}

/** Where a move under way stands. */
export type MoveStage = 'asked' | 'leaving' | 'evicted' | 'starting'

const stageWords: Readonly<Record<MoveStage, string>> = {
  asked: 'its eviction is asked for',
  leaving: 'evicted, the old pod is ending',
  evicted: 'evicted, waiting for the new pod',
  starting: 'the new pod is started first',
}

const stateSigns: Readonly<Record<MoveState, string>> = {
  planned: '○',
  waiting: '◔',
  running: '◑',
  done: '●',
  elsewhere: '▲',
  skipped: '–',
  failed: '✕',
}

interface MoveStateFacts {
  readonly state: MoveState
  /** Stage of a move under way. */
  readonly stage?: MoveStage
  readonly forMs?: number
  readonly landedOn?: string | null
  readonly ms?: number | null
  /** A waiting move has its rule, a left-out or failed one why, a planned one what speaks against it. */
  readonly reason?: string
}

/** `planned ○`, `running ◑ evicted, waiting for the new pod 14s`, `done ● on talos03 in 21s`. */
export function moveStateText({ state, stage, forMs, landedOn, ms, reason }: MoveStateFacts): string {
  const detail = (() => {
    switch (state) {
      case 'running':
        return `${stage === undefined ? '' : stageWords[stage]}${forMs === undefined ? '' : ` ${age(forMs)}`}`.trim()
      case 'done':
        return `${landedOn == null ? '' : `on ${landedOn}`}${ms == null ? '' : ` in ${age(ms)}`}`.trim()
      case 'elsewhere':
        return landedOn == null ? '' : `landed on ${landedOn}`
      default:
        return reason ?? ''
    }
  })()
  return `${state} ${stateSigns[state]}${detail === '' ? '' : ` ${detail}`}`
}

/** `talos00 → talos03`; of the rest `889 other pairs, 61 pods`. */
export function flowText({ from, to, pairs, pods }: Pick<Flow, 'from' | 'to' | 'pairs' | 'pods'>): string {
  return pairs === 1 ? `${from} → ${to}` : `${count(pairs)} other pairs, ${counted(pods, 'pod')}`
}

// What stays.

export function notNeeded({ pods }: { readonly pods: number }): Sentence {
  return say('stay-not-needed', `${form(pods, 'It may', 'They may')} be moved; the goals do not need it`, { pods })
}

/** Why pods stay, in the planner's words. */
export function staysBecause({ reason, message }: { readonly reason: string; readonly message: string }): Sentence {
  return say('stay', message === '' ? reason : message, { reason })
}

/** What would change that. */
export function wayOut(text: string): Sentence {
  return say('way-out', text)
}

// Certificates.

interface ProofFacts {
  readonly move: Pick<Move, 'from' | 'to'>
  /** As they are shown: `14995m`. */
  readonly freeBefore: string
  readonly freeAfter: string
  readonly resource: string
  readonly allPassed: boolean
  readonly landing: readonly string[]
  /** How many they are, named or not. */
  readonly landingCount: number
  readonly mode: string
  readonly budget: { readonly name: string; readonly allowed: number; readonly expected: number } | undefined
}

/** `fits: 14995m of CPU free before, 14845m after · all filters passed · only landing place: talos03 (hold) · PDB 1 of 1`. */
export function proofText(facts: ProofFacts): Sentence {
  const { move, freeBefore, freeAfter, resource, allPassed, landing, landingCount, mode, budget } = facts
  const places = landingCount === 1 ? 'only landing place' : 'landing places'
  const named = landing.length === 0 ? (landingCount === 0 ? 'none' : `${landingCount} nodes`) : landing.join(', ')
  const parts = [
    `fits: ${freeBefore} of ${resource} free before, ${freeAfter} after`,
    allPassed ? 'all filters passed' : 'not every filter passed',
    `${places}: ${named} (${mode})`,
    budget === undefined ? 'no PDB is asked' : `PDB ${budget.allowed} of ${budget.expected}`,
  ]
  return say('proof', parts.join(' · '), { from: move.from, to: move.to, mode }, [{ text: move.to, path: nodePath(move.to) }])
}

/** Why the verifier could not be asked here. */
export const notReplayed = {
  changed: 'not replayed: the cluster is not as it was when the plan was made',
  past: 'not replayed: what the cluster was then is not kept',
  unreadable: 'not replayed: the plan is not of the shape that the verifier reads',
  large: 'not replayed here: the cluster is too large to do that beside everything else; the command does it',
} as const

/** `expires in 14m`. */
export function expiresText(ms: number): string {
  return `expires ${until(ms)}`
}

function withoutStop(text: string): string {
  return text.replace(/[.\s]+$/, '')
}

/** The plan, or its policy, is frozen. */
export function planFrozen({ where, reason }: { readonly where: string; readonly reason: string }): Sentence {
  return say('plan-frozen', `Held by ${where}: ${reason}.`, { where, reason })
}

export function planReplaced(facts: { readonly by: string; readonly moves: number; readonly agoMs: number }): Sentence {
  const { by, moves, agoMs } = facts
  return say(
    'plan-replaced',
    `This plan was replaced ${ago(agoMs)} by ${by} (${counted(moves, 'move')}): show it`,
    { ...facts },
    [{ text: 'show it', path: planPath(by) }],
  )
}
