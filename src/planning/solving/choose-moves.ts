// Chooses the moves: greedy first, then the integer program stage by stage in the order of §3.15, each answer rounded and checked
// in integers before it is believed.

import { lpText } from '../model/lp-text.ts'
import { type Assignment, costOf, type MoveModel, modelSize, movedPods } from '../model/move-model.ts'
import { assignmentOf, type MoveProgram, moveProgram, startOf } from '../model/move-program.ts'
import { brokenRules, brokenStructure, tallyOf } from '../model/tally.ts'
import type { Stage } from '../plan-record.ts'
import { countingBound, greedyAssignment, usefulPairs } from './greedy.ts'
import type { SolveOnce, StageAnswer, StagePlan } from './solve.ts'

export interface Choice {
  readonly assignment: Assignment
  /** Percentage points by which goals are missed, over all goals. */
  readonly shortfall: number
  /** `proven`: no assignment misses the goals by less. */
  readonly certainty: 'proven' | 'unproven'
  /** False: hard goals cannot be met, and the assignment is empty. */
  readonly isFeasible: boolean
  readonly method: 'milp' | 'greedy' | 'none'
  readonly lowerBound: number
  readonly stages: readonly Stage[]
  readonly lp: string
  /** Why the solver's answer is missing, for a log. */
  readonly failure?: string
}

/** Above this many unknowns only pairs that touch a goal are looked at, and above it still the greedy choice stands. */
const largestModel = 20_000
const trimmedSize = 6_000
/** Above this many the later objectives are left out: they cost more time than they are worth. */
const largestSecondary = 4_000
const nodesOfMain = 5_000
const nodesOfSecondary = 500
const smallest = 1e-6

/** The assignment with the least shortfall, then cost, then the later objectives. */
export async function chooseMoves(
  model: MoveModel,
  options: {
    readonly method: 'auto' | 'milp' | 'greedy' /** Only whether the goals can be met is asked. */
    readonly isProbe?: boolean
  },
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<Choice> {
  const empty: Assignment = []
  const untouched = tallyOf(model, empty).shortfall()
  if (untouched === 0) return { ...settled, stages: [], assignment: empty, shortfall: 0, lp: '' }
  const isTrimmed = modelSize(model) > largestModel
  const small = isTrimmed ? trimmed(model) : model
  const incumbent = greedyAssignment(small)
  const greedy = greedyChoice(small, incumbent, model)
  if (options.method === 'greedy' || (options.isProbe === true && greedy.isFeasible && greedy.shortfall === 0)) return greedy
  if (options.method === 'auto' && modelSize(small) > largestModel) return greedy
  return milpChoice(small, { greedy, incumbent, isTrimmed, whole: model, isProbe: options.isProbe ?? false }, solve, signal)
}

const settled = { certainty: 'proven', isFeasible: true, method: 'none', lowerBound: 0 } as const

function greedyChoice(model: MoveModel, assignment: Assignment, whole: MoveModel): Choice {
  const shortfall = tallyOf(model, assignment).shortfall()
  const isFeasible = brokenRules(model, assignment).length === 0
  return {
    assignment: isFeasible ? assignment : [],
    shortfall: isFeasible ? shortfall : tallyOf(model, []).shortfall(),
    certainty: isFeasible && shortfall === 0 ? 'proven' : 'unproven',
    isFeasible,
    method: 'greedy',
    lowerBound: shortfall === 0 ? countingBound(whole) : 0,
    stages: [
      { name: 'shortfall', value: shortfall, proven: shortfall === 0 },
      { name: 'cost', value: costOf(model, assignment), proven: false },
    ],
    lp: lpOf(model, shortfall),
  }
}

/** The question as a text that other solvers answer alike: the least cost that meets the goals, else the least shortfall. */
function lpOf(model: MoveModel, shortfall: number): string {
  const isMet = shortfall === 0
  return lpText(moveProgram(model, { allowShortfall: !isMet, secondary: false }).model, isMet ? 'cost' : 'shortfall')
}

interface Known {
  readonly greedy: Choice
  readonly incumbent: Assignment
  /** The model is a part of `whole`: a bound on it says nothing about the whole. */
  readonly isTrimmed: boolean
  readonly whole: MoveModel
  readonly isProbe: boolean
}

async function milpChoice(model: MoveModel, known: Known, solve: SolveOnce, signal: AbortSignal): Promise<Choice> {
  const reachesGoals = known.greedy.shortfall === 0 && known.greedy.isFeasible
  const secondary = modelSize(model) <= largestSecondary && !known.isProbe
  const program = moveProgram(model, { allowShortfall: !reachesGoals, secondary })
  const stages = stagePlans({ reachesGoals, secondary, isProbe: known.isProbe })
  const start = known.greedy.isFeasible ? startOf(program, known.incumbent) : []
  const solution = await solve(program.model, { stages, start }, signal)
  const first = solution.stages[0]
  if (first?.status === 'infeasible' && !known.isTrimmed) {
    return { ...known.greedy, assignment: [], isFeasible: false, certainty: 'proven', method: 'milp', lp: lpOf(model, 0) }
  }
  const best = bestAnswer(model, program, solution.stages, known)
  if (best === undefined || best.stages.length === 0)
    return { ...known.greedy, ...(solution.failure === undefined ? {} : { failure: solution.failure }) }
  const shortfall = tallyOf(model, best.assignment).shortfall()
  const shortfallStage = solution.stages.find(stage => stage.name === 'shortfall')
  const isProven = shortfall === 0 || (shortfallStage?.status === 'optimal' && !known.isTrimmed)
  return {
    assignment: best.assignment,
    shortfall,
    certainty: isProven ? 'proven' : 'unproven',
    isFeasible: true,
    method: 'milp',
    lowerBound: lowerBound(solution.stages, known, shortfall),
    stages: [
      ...(reachesGoals ? [{ name: 'shortfall', value: 0, proven: true }] : []),
      ...best.stages.map(stage => ({
        name: stage.name,
        value: stage.name === 'cost' ? costOf(model, best.assignment) : rounded(stage.objective),
        proven:
          stage.status === 'optimal' && (!known.isTrimmed || stage.name !== 'cost' || isFewest(model, best.assignment, known)),
      })),
    ],
    lp: lpOf(model, shortfall),
    ...(solution.failure === undefined ? {} : { failure: solution.failure }),
  }
}

/** A part of the model cannot prove that a cost is the least; where each move costs the same the count of the whole model can. */
function isFewest(model: MoveModel, assignment: Assignment, known: Known): boolean {
  return costOf(model, assignment) === movedPods(assignment) && movedPods(assignment) <= countingBound(known.whole)
}

function stagePlans(options: {
  readonly reachesGoals: boolean
  readonly secondary: boolean
  readonly isProbe: boolean
}): readonly StagePlan[] {
  const integer = (objective: string, nodes: number): StagePlan => ({ objective, kind: 'integer', nodes })
  // A model without soft goals has no shortfall to stage: then whether there is any answer is asked by the cost.
  if (options.isProbe) return [integer('shortfall', nodesOfMain), integer('cost', 1)]
  return [
    ...(options.reachesGoals ? [] : [integer('shortfall', nodesOfMain)]),
    { objective: 'moves', kind: 'relaxation', nodes: 1 },
    integer('cost', nodesOfMain),
    ...(options.secondary
      ? ['workloads', 'preferences', 'colocation', 'share'].map(name => integer(name, nodesOfSecondary))
      : []),
  ]
}

/** The last stage's answer that is true in integers, with the stages up to it. */
function bestAnswer(
  model: MoveModel,
  program: MoveProgram,
  answers: readonly StageAnswer[],
  known: Known,
): { readonly assignment: Assignment; readonly stages: readonly StageAnswer[] } | undefined {
  let best:
    | {
        readonly assignment: Assignment
        readonly stages: readonly StageAnswer[]
        readonly shortfall: number
        readonly cost: number
      }
    | undefined
  const seen: StageAnswer[] = []
  if (known.greedy.isFeasible) {
    best = { assignment: known.incumbent, stages: [], shortfall: known.greedy.shortfall, cost: costOf(model, known.incumbent) }
  }
  for (const answer of answers) {
    if (answer.kind === 'relaxation' || answer.values === undefined) continue
    seen.push(answer)
    const assignment = assignmentOf(program, answer.values)
    if (brokenStructure(model, assignment).length > 0 || brokenRules(model, assignment).length > 0) continue
    const shortfall = tallyOf(model, assignment).shortfall()
    const cost = costOf(model, assignment)
    const isWorse =
      best !== undefined &&
      (shortfall > best.shortfall + smallest ||
        (answer.name !== 'shortfall' && cost > best.cost && shortfall >= best.shortfall - smallest))
    if (!isWorse) best = { assignment, stages: [...seen], shortfall, cost }
  }
  return best
}

function lowerBound(answers: readonly StageAnswer[], known: Known, shortfall: number): number {
  const counted = shortfall === 0 ? countingBound(known.whole) : 0
  if (known.isTrimmed) return counted
  const relaxed = answers.find(answer => answer.kind === 'relaxation' && answer.status === 'optimal')?.objective ?? 0
  return relaxed > 0 ? rounded(relaxed) : counted
}

/** To what a floating-point solver can stand for. */
function rounded(value: number): number {
  const steps = Math.round(value * 1e6) / 1e6
  return steps === 0 ? 0 : steps
}

/**
 * The model with only the destinations that help a goal, and of those so many that the whole comes to `trimmedSize`: nodes to be filled
 * first, then of the roomier half each class takes its own stretch, so that not all crowd on the same few.
 */
function trimmed(model: MoveModel): MoveModel {
  const useful = Map.groupBy(usefulPairs(model), pair => pair.class)
  const each = Math.max(4, Math.floor(trimmedSize / Math.max(1, useful.size)))
  const nodesOf = (bound: 'max' | 'min') => new Set(model.goals.flatMap(goal => (goal.bound === bound ? [goal.node] : [])))
  const [toFill, toEmpty] = [nodesOf('min'), nodesOf('max')]
  const rooms = model.nodes.map(roomOf)
  const byRoom = (a: number, b: number) => (rooms[b] ?? 0) - (rooms[a] ?? 0) || a - b
  let turn = 0
  const pick = (destinations: readonly number[]): readonly number[] => {
    if (destinations.length <= each) return destinations
    const wanted = destinations.filter(node => toFill.has(node) && (rooms[node] ?? 0) > 0)
    const others = destinations.filter(node => !toFill.has(node) && !toEmpty.has(node) && (rooms[node] ?? 0) > 0).toSorted(byRoom)
    const stretch = Math.max(0, each - wanted.length)
    const picked = Array.from({ length: Math.min(stretch, others.length) }, (_, at) => others[(turn + at) % others.length] ?? 0)
    turn += stretch
    return [...wanted.slice(0, each), ...picked].toSorted((a, b) => a - b)
  }
  return {
    ...model,
    classes: model.classes.map((moving, index) => ({
      ...moving,
      destinations: pick((useful.get(index) ?? []).map(pair => pair.to)),
    })),
  }
}

/** The smallest part that is free of what a node may be filled with. */
function roomOf({ ceiling, used }: MoveModel['nodes'][number]): number {
  return Math.min(
    ...['cpu', 'memory', 'pods'].map(
      resource => ((ceiling[resource] ?? 0) - (used[resource] ?? 0)) / Math.max(1, ceiling[resource] ?? 0),
    ),
  )
}

/** How far the moves lie above what is proven necessary, as a part of them. */
export function gapOf(moves: number, bound: number): number {
  return moves === 0 ? 0 : (moves - Math.ceil(bound - smallest)) / moves
}
