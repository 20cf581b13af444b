// Chooses the moves: greedy first, then the integer program stage by stage in the order of §3.15, each answer rounded and checked
// in integers before it is believed.

import { lpText } from '../model/lp-text.ts'
import { type Assignment, costOf, type MoveModel, modelSize, movedPods } from '../model/move-model.ts'
import { assignmentOf, type MoveProgram, moveProgram, startOf } from '../model/move-program.ts'
import { brokenRules, brokenStructure, tallyOf } from '../model/tally.ts'
import type { LimitMet, Stage } from '../plan-record.ts'
import { countingBound, greedyAssignment, usefulPairs } from './greedy.ts'
import { mergedClasses } from './merged-classes.ts'
import { type Relaxed, relaxed } from './promising-pairs.ts'
import type { Solution, SolveOnce, StageAnswer, StagePlan } from './solve.ts'

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
  /** Percentage points that any assignment misses the goals by at least. */
  readonly leastShortfall: number
  /** Bounds of the search that were met: what is not proven may be better. */
  readonly limits: readonly LimitMet[]
  readonly stages: readonly Stage[]
  readonly lp: string
  /** Why the solver's answer is missing, for a log. */
  readonly failure?: string
}

/** How many unknowns, pairs of class and destination, are looked at together. */
interface Sizes {
  /** Above it only a part of the pairs is: those that can be in a better answer, as far as the relaxation of the whole can tell. */
  readonly largestModel: number
  /** The first part has so many. */
  readonly firstPart: number
  /** Above it the later objectives are left out, which cost more time than they are worth, and classes that only those tell apart are one. */
  readonly largestSecondary: number
}

const usualSizes: Sizes = { largestModel: 20_000, firstPart: 6_000, largestSecondary: 4_000 }
/** Parts of a model that are solved one after the other: each with what the answer before left possible. */
const mostParts = 2
const nodesOfMain = 5_000
const nodesOfSecondary = 500
const smallest = 1e-6

/** The assignment with the least shortfall, then cost, then the later objectives. */
export async function chooseMoves(
  model: MoveModel,
  options: {
    readonly method: 'auto' | 'milp' | 'greedy'
    /** Only whether the goals can be met is asked. */
    readonly isProbe?: boolean
    readonly sizes?: Sizes
  },
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<Choice> {
  const empty: Assignment = []
  const untouched = tallyOf(model, empty).shortfall()
  if (untouched === 0) return { ...settled, stages: [], assignment: empty, shortfall: 0, lp: '' }
  // The later objectives tell workloads apart; a model that is too large for those is asked nothing else of them.
  const { sizes = usualSizes } = options
  if (modelSize(model) <= sizes.largestSecondary) return await chosen(model, options, solve, signal)
  const merged = mergedClasses(model)
  const choice = await chosen(merged.model, { ...options, sizes: { ...sizes, largestSecondary: 0 } }, solve, signal)
  return { ...choice, assignment: merged.share(choice.assignment) }
}

async function chosen(
  model: MoveModel,
  { method, isProbe = false, sizes = usualSizes }: Parameters<typeof chooseMoves>[1],
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<Choice> {
  const isTooLarge = modelSize(model) > sizes.largestModel
  const small = isTooLarge ? trimmed(model, sizes.firstPart) : model
  const incumbent = greedyAssignment(small)
  const greedy = greedyChoice(small, incumbent, model)
  if (method === 'greedy' || (isProbe && greedy.isFeasible && greedy.shortfall === 0)) return greedy
  const known = { greedy, incumbent, whole: model, isProbe, sizes }
  if (!isTooLarge) return await milpChoice(model, known, solve, signal)
  const bounds = await relaxed(model, solve, signal)
  if (bounds !== undefined) return await choiceOfParts(bounds, known, solve, signal)
  if (method === 'auto' && modelSize(small) > sizes.largestModel) return greedy
  return await milpChoice(small, { ...known, bounds: nothingKnown }, solve, signal)
}

/** The integer program of the most promising pairs; where its answer leaves others possible, once more with those. */
async function choiceOfParts(bounds: Relaxed, known: Known, solve: SolveOnce, signal: AbortSignal): Promise<Choice> {
  let latest = known
  let choice: Choice = known.greedy
  for (let count = 0; count < mostParts; count++) {
    const part = bounds.part(count === 0 ? known.sizes.firstPart : known.sizes.largestModel, bestOf(choice, known.whole))
    choice = await milpChoice(part.model, { ...latest, bounds: { ...bounds, covers: part.covers } }, solve, signal)
    if (part.covers(bestOf(choice, known.whole)) || !choice.isFeasible) return choice
    latest = { ...known, incumbent: choice.assignment, greedy: { ...choice, isFeasible: true } }
  }
  return choice
}

const bestOf = ({ assignment, shortfall, isFeasible }: Choice, model: MoveModel) =>
  isFeasible
    ? { assignment, shortfall, cost: costOf(model, assignment) }
    : { assignment: [], shortfall: Number.POSITIVE_INFINITY, cost: Number.POSITIVE_INFINITY }

const settled = {
  certainty: 'proven',
  isFeasible: true,
  method: 'none',
  lowerBound: 0,
  leastShortfall: 0,
  limits: [],
} as const

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
    leastShortfall: 0,
    limits: [],
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
  readonly whole: MoveModel
  readonly isProbe: boolean
  readonly sizes: Sizes
  /** The model is a part of `whole`: a bound on it says nothing about the whole, but these do. */
  readonly bounds?: Bounds
}

type Bounds = Pick<Relaxed, 'shortfall' | 'cost' | 'moves'> & Pick<ReturnType<Relaxed['part']>, 'covers'>

const nothingKnown: Bounds = { shortfall: 0, cost: undefined, moves: undefined, covers: () => false }

async function milpChoice(model: MoveModel, known: Known, solve: SolveOnce, signal: AbortSignal): Promise<Choice> {
  const reachesGoals = known.greedy.shortfall === 0 && known.greedy.isFeasible
  const secondary = modelSize(known.whole) <= known.sizes.largestSecondary && !known.isProbe
  const program = moveProgram(model, { allowShortfall: !reachesGoals, secondary })
  const stages = stagePlans({ reachesGoals, secondary, isProbe: known.isProbe })
  const start = known.greedy.isFeasible ? startOf(program, known.incumbent) : []
  const solution = await solve(program.model, { stages, start }, signal)
  // Parts of moves may meet hard goals that whole moves do not: then only the first integer stage says so.
  const first = solution.stages.find(({ kind, status }) => kind === 'integer' || status === 'infeasible')
  if (first?.status === 'infeasible' && known.bounds === undefined) {
    return { ...known.greedy, assignment: [], isFeasible: false, certainty: 'proven', method: 'milp', lp: lpOf(model, 0) }
  }
  const best = bestAnswer(model, program, solution.stages, known)
  if (best === undefined || best.stages.length === 0)
    return {
      ...known.greedy,
      limits: limitsMet(solution, true),
      ...(solution.failure === undefined ? {} : { failure: solution.failure }),
    }
  const shortfall = tallyOf(model, best.assignment).shortfall()
  const shortfallStage = solution.stages.find(stage => stage.name === 'shortfall')
  const { bounds } = known
  const cost = costOf(model, best.assignment)
  const isNearest = bounds === undefined || shortfall <= bounds.shortfall + smallest || bounds.covers({ shortfall, cost })
  const isProven = shortfall === 0 || (shortfallStage?.status === 'optimal' && isNearest)
  return {
    assignment: best.assignment,
    shortfall,
    certainty: isProven ? 'proven' : 'unproven',
    isFeasible: true,
    method: 'milp',
    lowerBound: lowerBound(solution.stages, known, best.assignment),
    leastShortfall: Math.min(shortfall, isProven ? shortfall : leastShortfall(shortfallStage, bounds)),
    limits: limitsMet(solution, isNearest),
    stages: [
      ...(reachesGoals ? [{ name: 'shortfall', value: 0, proven: true }] : []),
      ...best.stages.map(stage => ({
        name: stage.name,
        value: stage.name === 'cost' ? cost : rounded(stage.objective),
        proven: stage.status === 'optimal' && (stage.name === 'cost' ? isCheapest(model, best.assignment, known) : isNearest),
      })),
    ],
    lp: lpOf(model, shortfall),
    ...(solution.failure === undefined ? {} : { failure: solution.failure }),
  }
}

/** The dual bound of what is missed at least: that of the whole model, where only a part was solved. */
function leastShortfall(stage: StageAnswer | undefined, bounds: Bounds | undefined): number {
  if (bounds !== undefined) return rounded(bounds.shortfall)
  const bound = stage?.status === 'limit' || stage?.status === 'optimal' ? stage.bound : 0
  return Number.isFinite(bound) ? Math.max(0, rounded(bound)) : 0
}

function limitsMet({ stages, failure }: Solution, coversAll: boolean): readonly LimitMet[] {
  const isBranched = stages.some(
    ({ name, kind, status }) => kind === 'integer' && status === 'limit' && (name === 'shortfall' || name === 'cost'),
  )
  return [
    ...(isBranched ? [{ limit: 'branches', most: nodesOfMain } as const] : []),
    ...(coversAll ? [] : [{ limit: 'pairs' } as const]),
    ...(failure === undefined ? [] : [{ limit: 'solver', detail: failure } as const]),
  ]
}

/** A part of the model proves it only where no better answer has any other pair; where each move costs the same the count of the whole model can too. */
function isCheapest(model: MoveModel, assignment: Assignment, { bounds, whole }: Known): boolean {
  if (bounds === undefined) return true
  const cost = costOf(model, assignment)
  if (bounds.cost !== undefined && bounds.covers({ shortfall: tallyOf(model, assignment).shortfall(), cost })) return true
  return cost === movedPods(assignment) && movedPods(assignment) <= countingBound(whole)
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

/** Moves that any answer as good as this one has at least: the most that anything proves. */
function lowerBound(answers: readonly StageAnswer[], { whole, bounds }: Known, assignment: Assignment): number {
  const isMet = tallyOf(whole, assignment).shortfall() === 0
  const counted = isMet ? countingBound(whole) : 0
  const costsOne = whole.classes.every(({ cost }) => cost === 1)
  if (bounds !== undefined) {
    const moves = movedPods(assignment)
    if (isMet && costsOne && bounds.covers({ shortfall: 0, cost: moves }) && isSolved(answers)) return moves
    return Math.max(counted, isMet ? rounded(bounds.moves ?? 0) : 0)
  }
  const relaxation = answers.find(answer => answer.kind === 'relaxation' && answer.status === 'optimal')?.objective ?? 0
  // Branch and bound proves more than the relaxation says, where each move costs the same; that it proves more in parts of moves says nothing.
  const branched = costsOne ? answers.find(({ name, kind }) => name === 'cost' && kind === 'integer') : undefined
  const proven = branched?.status === 'optimal' || branched?.status === 'limit' ? branched.bound : 0
  const most = Math.max(counted, rounded(relaxation))
  const branchedMoves = Number.isFinite(proven) ? Math.ceil(proven - smallest) : 0
  return branchedMoves > Math.ceil(most - smallest) ? Math.min(branchedMoves, movedPods(assignment)) : most
}

const isSolved = (answers: readonly StageAnswer[]): boolean =>
  answers.some(({ name, kind, status }) => name === 'cost' && kind === 'integer' && status === 'optimal')

/** To what a floating-point solver can stand for. */
function rounded(value: number): number {
  const steps = Math.round(value * 1e6) / 1e6
  return steps === 0 ? 0 : steps
}

/**
 * The model with only the destinations that help a goal, and of those so many that the whole comes to `most`: nodes to be filled
 * first, then of the roomier half each class takes its own stretch, so that not all crowd on the same few.
 */
function trimmed(model: MoveModel, most: number): MoveModel {
  const useful = Map.groupBy(usefulPairs(model), pair => pair.class)
  const each = Math.max(4, Math.floor(most / Math.max(1, useful.size)))
  // What a row over several nodes wants filled and what emptied only its answer says.
  const single = model.goals.filter(({ parts }) => parts === undefined)
  const ofBound = (bound: 'max' | 'min') => new Set(single.flatMap(goal => (goal.bound === bound ? [goal.node] : [])))
  const [toFill, toEmpty] = [ofBound('min'), ofBound('max')]
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
