// What is said of rebalancing over time: how full nodes were, what became of plans, how often landings were predicted, who was evicted.
import type { LandingCounts, MoveResult, Sentence, UtilisationSpan } from '../contract.ts'
import { age } from './age.ts'
import { counted, form, listed } from './grammar.ts'
import { nodePath, planPath } from './links.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

export const spanWords: Readonly<Record<UtilisationSpan, string>> = { hour: 'Last hour', days: 'Last 48 hours' }

/** Thousandths as a percentage, truncated: 934 is `93%`. */
export function shareText(thousandths: number | null): string {
  return thousandths === null ? '–' : `${Math.trunc(thousandths / 10)}%`
}

/** Thousandths with their one decimal: 934 is `93.4%`. */
export function fineShareText(thousandths: number | null): string {
  return thousandths === null ? '–' : `${(thousandths / 10).toFixed(1)}%`
}

// Utilisation.

/** Since when it is noted, and that it is this process alone that remembers. `time` is a moment. */
export function notedSince({ time }: { readonly time: string }): Sentence {
  const text = `Noted since ${time} by the process that serves this page, in its memory: a restart begins anew.`
  return say('utilisation-since', text, { time })
}

export function nobodyNotes(): Sentence {
  return say('utilisation-not-noted', 'How full nodes were is not noted here: only what they are now is known.')
}

export function worstShown({ shown, nodes }: { readonly shown: number; readonly nodes: number }): Sentence {
  const text = `The ${count(shown)} of ${counted(nodes, 'node')} that miss a goal, belong to the plan or are the fullest.`
  return say('utilisation-worst', text, { shown, nodes })
}

/** Said where names were asked for that are not there. */
export function noSuchNodes({
  names,
  meant,
}: {
  readonly names: readonly string[]
  readonly meant: string | undefined
}): Sentence {
  const text = `There is no node ${listed(names)}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`
  return say(
    'utilisation-no-node',
    text,
    { names: names.join(',') },
    meant === undefined ? [] : [{ text: meant, path: nodePath(meant) }],
  )
}

export function chosenTooMany({ most }: { readonly most: number }): Sentence {
  return say('utilisation-too-many', `No more than ${counted(most, 'node')} are drawn at once; the others are in the CSV.`, {
    most,
  })
}

export function chosenNode(): Sentence {
  return say('shown-chosen', 'chosen')
}

export function missesGoal({ goal }: { readonly goal: string }): Sentence {
  return say('shown-goal', `misses ${goal}`, { goal })
}

export function nodeOfPlan({ plan }: { readonly plan: string }): Sentence {
  return say('shown-plan', `of plan ${plan}`, { plan }, [{ text: plan, path: planPath(plan) }])
}

export function fullNode(): Sentence {
  return say('shown-full', 'among the fullest')
}

export function oneOfAll(): Sentence {
  return say('shown-all', 'no goal is missed')
}

interface LineFacts {
  readonly node: string
  readonly resource: 'cpu' | 'memory'
  readonly span: UtilisationSpan
  readonly requested: { readonly first: number; readonly least: number; readonly most: number; readonly last: number } | null
  readonly used: { readonly least: number; readonly most: number; readonly last: number } | null
  readonly left: number
  readonly came: number
}

/** What a line shows: `talos00: CPU requested 93% at first, 45% at last (45% to 93%); used 57%, between 50% and 61%; 14 pods left`. */
export function lineName({ node, resource, span, requested, used, left, came }: LineFacts): string {
  const what = resource === 'cpu' ? 'CPU' : 'memory'
  const parts = [
    requested === null
      ? `${what} requested is not known`
      : `${what} requested ${shareText(requested.first)} at first, ${shareText(requested.last)} at last (${shareText(requested.least)} to ${shareText(requested.most)})`,
    used === null
      ? 'use is not known'
      : `used ${shareText(used.last)}, between ${shareText(used.least)} and ${shareText(used.most)}`,
    ...(left === 0 ? [] : [`${counted(left, 'pod')} left`]),
    ...(came === 0 ? [] : [`${counted(came, 'pod')} came`]),
  ]
  return `${node}, ${spanWords[span].toLowerCase()}: ${parts.join('; ')}`
}

/** `14 left, 1 came`. */
export function marksText({ left, came }: { readonly left: number; readonly came: number }): string {
  const parts = [...(left === 0 ? [] : [`${count(left)} left`]), ...(came === 0 ? [] : [`${count(came)} came`])]
  return parts.length === 0 ? 'no pod was moved' : parts.join(', ')
}

// Landings.

interface RateFacts {
  /** Pods that landed by any plan. */
  readonly landed: number
  /** Landings that were left to the scheduler, and those that were as foretold. */
  readonly foretold: number
  readonly expected: number
  /** Thousandths. */
  readonly rate: number | null
  readonly threshold: number
  readonly isTrusted: boolean
  /** Fewer say nothing. */
  readonly least: number
}

/** `30 of 31 landings were where the model of the scheduler said: 96.7%, at least 90% are needed to leave landings to it alone.` */
export function landingRateText({ landed, foretold, expected, rate, threshold, isTrusted, least }: RateFacts): Sentence {
  const facts = { landed, foretold, expected, ...(rate === null ? {} : { rate }) }
  if (rate === null) {
    const none =
      landed === 0
        ? 'No pod has been moved by a plan that is kept.'
        : 'Every landing was held: the scheduler had no choice, and its model is not judged.'
    return say('landing-rate-none', none, facts)
  }
  const hits = `${count(expected)} of ${counted(foretold, 'landing')} ${form(foretold, 'was', 'were')} where the model of the scheduler said: ${fineShareText(rate)}`
  if (!isTrusted)
    return say('landing-rate-low', `${hits}, below ${shareText(threshold)}: nothing is left to the scheduler alone.`, facts)
  const few =
    foretold < least
      ? `; ${count(least)} are needed to judge it`
      : `; at least ${shareText(threshold)} are needed to leave landings to it alone`
  return say('landing-rate', `${hits}${few}.`, facts)
}

export const landingWords: Readonly<Record<keyof LandingCounts, string>> = {
  expected: 'as meant',
  other: 'on another node',
  back: 'back where they came from',
  pending: 'on no node',
  unheld: 'elsewhere, not held',
}

/** Sign and word of what became of a move. */
export function resultText(result: MoveResult): string {
  return `${resultSigns[result]} ${resultWords[result]}`
}

const resultWords: Readonly<Record<MoveResult, string>> = {
  expected: 'as meant',
  other: 'elsewhere',
  back: 'back',
  pending: 'no node',
  unheld: 'not held',
  planned: 'planned',
  waiting: 'waits',
  running: 'under way',
  skipped: 'left out',
  failed: 'failed',
}

const resultSigns: Readonly<Record<MoveResult, string>> = {
  expected: '●',
  other: '▲',
  back: '▲',
  pending: '▲',
  unheld: '△',
  planned: '○',
  waiting: '◔',
  running: '◑',
  skipped: '–',
  failed: '✕',
}

// A plan against what happened.

/** `15 moves were planned, 14 landed where they were meant, 1 elsewhere; it took 6m12s.` */
export function planHappened(facts: {
  readonly moves: number
  readonly counts: LandingCounts
  readonly failed: number
  readonly skipped: number
  readonly tookMs: number | undefined
}): Sentence {
  const { moves, counts, failed, skipped, tookMs } = facts
  const elsewhere = counts.other + counts.back + counts.unheld
  const parts = [
    `${count(counts.expected)} landed where ${form(counts.expected, 'it was', 'they were')} meant`,
    ...(elsewhere === 0 ? [] : [`${count(elsewhere)} elsewhere`]),
    ...(counts.pending === 0 ? [] : [`${count(counts.pending)} found no node`]),
    ...(failed === 0 ? [] : [`${count(failed)} failed`]),
    ...(skipped === 0 ? [] : [`${count(skipped)} ${form(skipped, 'was', 'were')} left out`]),
  ]
  const took = tookMs === undefined ? '' : `; it took ${age(tookMs)}`
  const text = `${counted(moves, 'move')} ${form(moves, 'was', 'were')} planned: ${parts.join(', ')}${took}.`
  return say('plan-happened', text, { moves, ...counts, failed, skipped })
}

/** Nothing of it has begun. */
export function planNotBegun({ plan, moves }: { readonly plan: string; readonly moves: number }): Sentence {
  const text = `Nothing of ${plan} has begun: ${counted(moves, 'move')} ${form(moves, 'is', 'are')} planned.`
  return say('plan-not-begun', text, { plan, moves }, [{ text: plan, path: planPath(plan) }])
}

/** A landing elsewhere made a new plan. */
export function planFollowed({ by }: { readonly by: string }): Sentence {
  return say('plan-followed', `Planned anew as ${by}.`, { by }, [{ text: by, path: planPath(by) }])
}

/** A workload that came back is left alone. `time` is a moment. */
export function leftAloneUntil({ time }: { readonly time: string }): Sentence {
  return say('left-alone', `Left alone until ${time}.`, { time })
}

/** In the executor's words. */
export function saidOfMove({ text }: { readonly text: string }): Sentence {
  return say('move-said', text)
}

export function noPlans(): Sentence {
  return say('no-plans-yet', 'No plan is kept: nothing was planned yet, or all goals have been met for long.')
}

// Evictions of the drop-in.

/** `12 pods were evicted and 2 attempts were refused, as far as Events and permits are kept.` */
export function evictionsText(facts: { readonly evicted: number; readonly refused: number }): Sentence {
  const { evicted, refused } = facts
  if (evicted + refused === 0)
    return say(
      'evictions-none',
      'No eviction by the strategies of the descheduler is among the Events and permits that are kept.',
      facts,
    )
  const also = refused === 0 ? '' : ` and ${counted(refused, 'attempt')} ${form(refused, 'was', 'were')} refused`
  const text = `${counted(evicted, 'pod was', 'pods were')} evicted by the strategies of the descheduler${also}, as far as Events and permits are kept.`
  return say('evictions', text, facts)
}

/** Its Event and its permit name no strategy. */
export const unnamedStrategy = 'not named'
