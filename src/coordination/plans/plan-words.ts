// What is said about a plan as a whole, in its status, events and the terminal.
import { energyLines } from '#planning/energy/sentences.ts'
import { isMeasured } from '#planning/goals/resources.ts'
import type { IsolationOutcome, Plan } from '#planning/plan-record.ts'
import { explanationLines, leftOutLines, notPlayed } from '#planning/sentences.ts'
import { expectedLines } from './timetable/expected.ts'
import type { Foretold } from './timetable/foretell.ts'
import { type Undoing, undoingSentence } from './trial/undone.ts'

/** The least that a whole number of moves can be; solvers miss a whole number by a hair. */
export function wholeBound(lowerBound: number): number {
  return Math.ceil(lowerBound - 1e-6)
}

/** What a plan's sentence reads of it. */
type Spoken = Pick<Plan, 'goals' | 'isolation' | 'moves' | 'outcome' | 'problems'> & {
  /** As `Plan` has it. */
  readonly method: string
  readonly objective: Pick<Plan['objective'], 'lowerBound' | 'withMargins'>
}

/** `15 moves reach both goals; no plan needs fewer than 15 (milp)`. */
export function planSentence(plan: Spoken): string {
  const count = plan.moves.length
  const moves = count === 1 ? '1 move' : `${count} moves`
  const missed = plan.goals.filter(goal => goal.state === 'missed').map(goal => goal.goal)
  const open = plan.goals.filter(goal => goal.state === 'unknown')
  const namesOf = (goals: typeof open) => [...new Set(goals.map(goal => goal.goal))].join(', ')
  const unknown = namesOf(open)
  const unmeasured = namesOf(open.filter(isMeasured))
  const absent = namesOf(open.filter(goal => goal.measure !== 'survives' && !isMeasured(goal)))
  const unplayed = namesOf(open.filter(({ measure }) => measure === 'survives'))
  const still = [
    unmeasured === '' ? '' : `; ${unmeasured} stands still: what its nodes use was not measured`,
    absent === '' ? '' : `; ${absent} stands still: no node of it has what it is about`,
    unplayed === '' ? '' : `; ${unplayed} is not known: ${notPlayed}`,
  ].join('')
  const bound = wholeBound(plan.objective.lowerBound)
  // A bound of 0 says nothing: whether fewer would do is not known then.
  const optimal =
    count === 0
      ? ''
      : bound <= 0
        ? `; whether fewer would do is not known (${plan.method})`
        : `; no plan that reaches as much${plan.objective.withMargins === true ? ', margins included,' : ''} needs fewer than ${bound} (${plan.method})`
  if (plan.problems.length > 0) return `nothing is moved: the policy has ${plan.problems.length} problems`
  if (plan.isolation !== undefined) return isolationSentence(plan, plan.isolation, { moves, missed })
  if (plan.outcome === 'infeasible') return 'no choice of moves reaches the goals'
  if (missed.length > 0) return `${moves} leave ${[...new Set(missed)].join(', ')} unmet${optimal}${still}`
  const which = unknown === '' ? 'all goals' : 'the other goals'
  if (count > 0) return `${moves} ${count === 1 ? 'reaches' : 'reach'} ${which}${optimal}${still}`
  if (plan.goals.length === 0) return 'there are no goals'
  return plan.goals.every(goal => goal.state === 'unknown') && unmeasured !== ''
    ? `nothing is moved: what the nodes of ${unknown} use was not measured`
    : `${which} are met already${still}`
}

/** `23 moves leave nothing but the core on talos00; all goals are met`. */
function isolationSentence(
  plan: Pick<Plan, 'goals' | 'moves'>,
  { nodes, toMove, left }: IsolationOutcome,
  { moves, missed }: { readonly moves: string; readonly missed: readonly string[] },
): string {
  const where = nodes.join(', ')
  const goals =
    plan.goals.length === 0 ? '' : missed.length === 0 ? '; all goals are met' : `; not met: ${[...new Set(missed)].join(', ')}`
  if (left.length > 0) return `${left.length} of ${toMove} pods find no place away from ${where}`
  return toMove === 0
    ? `no pod that can leave is on ${where}${goals}`
    : `${moves} ${plan.moves.length === 1 ? 'takes' : 'take'} all that can leave off ${where}${goals}`
}

/** Where the scheduler may choose among many nodes: on which none lands, and how probable that is for all moves together. */
export function landingLines({ moves, closedNodes = [] }: Pick<Plan, 'moves' | 'closedNodes'>): readonly string[] {
  if (moves.every(({ closed }) => closed === undefined)) return []
  const likely = moves.reduce((product, { certificate }) => product * (certificate.landing.likely ?? 1), 1)
  const odds = likely === 1 ? 'the scheduler cannot choose one of these' : `with a probability of ${(likely * 100).toFixed(2)} %`
  const nodes = closedNodes.length === 1 ? '1 node' : `${closedNodes.length} nodes`
  return [`replacements land on any node but ${nodes} that must not take them: ${odds}`]
}

/** The same, how long it is expected to take, and where goals are out of reach what stands in the way and what would help; a line each, at most 4,096 characters. */
export function planMessage(plan: Plan, foretold?: Pick<Foretold, 'timetable' | 'rest'>): string {
  const because = plan.outcome === 'met' ? leftOutLines(plan) : explanationLines(plan)
  const energy = plan.energy === undefined ? [] : energyLines(plan.energy).slice(0, 1)
  const expected = foretold === undefined ? [] : expectedLines({ ...foretold, plan })
  return [planSentence(plan), ...expected, ...landingLines(plan), ...because, ...energy].join('\n').slice(0, 4096)
}

/** What a plan undoes, and how long that is expected to take. */
export function undoingMessage(plan: Plan, undoing: Undoing, foretold?: Pick<Foretold, 'timetable' | 'rest'>): string {
  const expected = foretold === undefined ? [] : expectedLines({ ...foretold, plan })
  return [undoingSentence(plan, undoing), ...expected].join('\n').slice(0, 4096)
}
