// What is said while a plan is replayed: one function a message.
import type { MoveState, Sentence } from '../contract.ts'
import type { TileKind } from '../contract-replay.ts'
import { age } from './age.ts'
import { goalWords, type ShareFacts, shareWords } from './en.ts'
import { counted, form, listed } from './grammar.ts'
import { nearGoal } from './percent.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

interface StepFacts {
  readonly n: number
  readonly of: number
  /** `monitoring/mimir-querier-5d8f-z`. */
  readonly pod: string
  readonly from: string
  readonly to: string
  readonly state: MoveState
  readonly landedOn: string | null
  readonly ms: number | null
}

/** `Move 4 of 15: monitoring/mimir-querier-5d8f-z goes from talos00 to talos03.` Of what was done it tells what happened. */
export function replayStep(facts: StepFacts): Sentence {
  const { n, of, pod, from, to, landedOn, ms, state } = facts
  const took = ms === null ? '' : `, Ready after ${age(ms)}`
  const what = (() => {
    switch (state) {
      case 'planned':
        return `goes from ${from} to ${to}`
      case 'waiting':
        return `is to go from ${from} to ${to}, and has to wait`
      case 'running':
        return `is on its way from ${from} to ${to}`
      case 'done':
        return `went from ${from} to ${landedOn ?? to}${took}`
      case 'elsewhere':
        return landedOn === null
          ? `left ${from}, and its replacement got no node`
          : `left ${from} and came to ${landedOn} instead of ${to}${took}`
      case 'skipped':
        return `stayed on ${from}`
      case 'failed':
        return `was to go from ${from} to ${to}, and that failed`
    }
  })()
  return say('replay-step', `Move ${count(n)} of ${count(of)}: ${pod} ${what}.`, { n, of, pod, from, to, state })
}

/** Said where the policy of a plan is not there: which goals a move serves is not known, only those of the plan. */
export function servesPlan({ goals }: { readonly goals: readonly string[] }): Sentence {
  const text = goals.length === 0 ? 'the plan does not say for which goal' : `for the plan's goals: ${listed(goals, 4)}`
  return say('replay-serves', text, { goals: goals.join(',') })
}

/** `Before: 15 pods are to leave 2 nodes.` */
export function replayBefore({ moves, nodes }: { readonly moves: number; readonly nodes: number }): Sentence {
  const text =
    moves === 0
      ? 'The plan moves nothing.'
      : `Before: ${counted(moves, 'move')} ${form(moves, 'is', 'are')} planned, away from ${counted(nodes, 'node')}.`
  return say('replay-before', text, { moves, nodes })
}

/** `After: 14 of 15 moves are made, 1 was refused.` */
export function replayAfter(facts: {
  readonly moves: number
  readonly made: number
  readonly refused: number
  readonly isOver: boolean
}): Sentence {
  const { moves, made, refused, isOver } = facts
  const kept = refused === 0 ? '' : `, ${count(refused)} ${form(refused, 'is', 'are')} refused`
  const text = isOver
    ? `After: ${count(made)} of ${counted(moves, 'move')} ${form(made, 'was', 'were')} made${kept}.`
    : `After: ${counted(moves, 'move')} ${form(moves, 'is', 'are')} made${kept}.`
  return say('replay-after', text, { moves, made, refused })
}

/** `cp-light: talos00 has 93.3% of its CPU requested; the goal is at most 70%.` */
export function replayGoal(
  facts: Omit<ShareFacts, 'stat' | 'now'> & { readonly goal: string; readonly percent: number; readonly met: boolean },
): Sentence {
  const { goal, node, resource, percent } = facts
  const share = shareWords(nearGoal(percent, facts), resource, 'requests')
  return say('replay-goal', `${goal}: ${node} has ${share}; ${goalWords(facts)}.`, { goal, node, resource, percent })
}

// Tiles.

/** Why pods are drawn as one. */
export type TogetherReason = 'record' | 'small' | 'hidden' | 'pool'

const togetherWords: Readonly<Record<TogetherReason, string>> = {
  record: 'the plan keeps what they request together, and not each of them',
  small: 'they are the smallest of their node',
  hidden: 'some are in namespaces that you may not see',
  pool: 'they stay in their pool',
}

/** `44 pods, drawn as one: the plan keeps what they request together, and not each of them`. */
export function podsTogether({
  pods,
  reasons,
}: {
  readonly pods: number
  readonly reasons: readonly TogetherReason[]
}): Sentence {
  const why = reasons.map(reason => togetherWords[reason]).join('; ')
  return say('replay-together', `${counted(pods, 'pod')}, drawn as one: ${why}`, { pods, reasons: reasons.join(',') })
}

export function movesBy({ plan, to }: { readonly plan: string; readonly to: string }): Sentence {
  return say('replay-moves', `plan ${plan} moves it to ${to}`, { plan, to })
}

/** The plan keeps the first thousand reasons. */
export function reasonNotKept(): Sentence {
  return say('replay-reason-not-kept', 'the plan does not say of it why it stays: it names the first 1,000 pods at most')
}

// The legend.

/** What may be done with a pod, in a word and in a clause. */
export const tileWords: Readonly<Record<TileKind, { readonly name: string; readonly means: string }>> = {
  moves: { name: 'moves', means: 'this plan moves it' },
  may: { name: 'may move', means: 'nothing holds it; the goals do not need it elsewhere' },
  held: { name: 'needs a permit', means: 'a label, a budget, a rule or a time has to let it go first' },
  pinned: { name: 'pinned', means: 'it cannot run or be replaced anywhere else' },
  rest: { name: 'not told', means: 'nothing is told of them one by one' },
}

// Notes.

export function drawnFromRecord({ nodes }: { readonly nodes: number }): Sentence {
  const text = `Of ${counted(nodes, 'node')} the pods that stay are drawn as one: a plan keeps only what they request together, and nothing else is known here of then.`
  return say('replay-from-record', text, { nodes })
}

export function nodesNotKept({ nodes }: { readonly nodes: number }): Sentence {
  return say('replay-nodes-not-kept', `Of ${counted(nodes, 'node')} nothing is kept.`, { nodes })
}

/** Goals whose bound is no line of requests. */
export function goalsNotDrawn({ goals }: { readonly goals: readonly string[] }): Sentence {
  const text = `Without a line: ${listed(goals, 4)}, of which requests on one node do not tell.`
  return say('replay-goals-not-drawn', text, { goals: goals.join(',') })
}

export function policyNotThere({ policy }: { readonly policy: string }): Sentence {
  return say('replay-policy-gone', `Policy ${policy} is not there: its goals have no lines.`, { policy })
}

export function movesNotDrawn({ moves, pool }: { readonly moves: number; readonly pool: string }): Sentence {
  const text = `${counted(moves, 'move')} of other pools ${form(moves, 'is', 'are')} not drawn here; ${pool} has no part in ${form(moves, 'it', 'them')}.`
  return say('replay-moves-not-drawn', text, { moves, pool })
}
