// A model that is too large for the integer program: those of its pairs of class and destination that can be in an answer better than the best
// known one. The relaxation of the whole says what each pair costs at least (its reduced cost); what lies beyond the gap is in no better answer.
import { type Assignment, type MoveModel, modelSize } from '../model/move-model.ts'
import { moveProgram } from '../model/move-program.ts'
import type { SolveOnce, StageAnswer } from './solve.ts'

/** Above this many unknowns the relaxation takes too long as well. */
const largestRelaxation = 150_000
const smallest = 1e-6

export interface Relaxed {
  /** What any answer misses the goals by at least, in percentage points. */
  readonly shortfall: number
  /** What any answer that meets the goals costs at least; undefined: none does, or the solver did not say. */
  readonly cost: number | undefined
  /** Moves that any answer that meets the goals has at least. */
  readonly moves: number | undefined
  /** The model with at most so many pairs: those of the best answer that is known, then the most promising. */
  part(most: number, best: Known): Part
}

/** The best that is known. */
interface Known {
  readonly assignment: Assignment
  readonly shortfall: number
  readonly cost: number
}

interface Part {
  readonly model: MoveModel
  /** No answer that is better has a pair that is not in it: one of less shortfall where the goals cannot be met, else one of less cost. */
  covers(best: Omit<Known, 'assignment'>): boolean
}

/** Undefined where the solver does not come to an answer. */
export async function relaxed(model: MoveModel, solve: SolveOnce, signal: AbortSignal): Promise<Relaxed | undefined> {
  if (modelSize(model) > largestRelaxation) return undefined
  const met = await relaxation(model, false, ['moves', 'cost'], solve, signal)
  if (met?.status === 'optimal') {
    const [moves, cost] = met.answers
    return { shortfall: 0, cost: cost?.objective, moves: moves?.objective, part: partsOf(model, met, 'cost') }
  }
  // Not even parts of pods meet the goals: then it is about how far they are missed.
  const missed = await relaxation(model, true, ['shortfall'], solve, signal)
  if (missed?.status !== 'optimal') return undefined
  const shortfall = missed.answers[0]?.objective ?? 0
  return { shortfall, cost: undefined, moves: undefined, part: partsOf(model, missed, 'shortfall') }
}

interface Relaxation {
  readonly status: StageAnswer['status']
  readonly answers: readonly StageAnswer[]
  /** Each pair, in the order of the program. */
  readonly pairs: readonly Pair[]
}

interface Pair {
  readonly class: number
  readonly to: number
  readonly reducedCost: number
  readonly isUsed: boolean
}

async function relaxation(
  model: MoveModel,
  allowShortfall: boolean,
  objectives: readonly string[],
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<Relaxation | undefined> {
  const program = moveProgram(model, { allowShortfall, secondary: false })
  const stages = objectives.map(objective => ({ objective, kind: 'relaxation', nodes: 1, hasReducedCosts: true }) as const)
  const { stages: answers } = await solve(program.model, { stages }, signal)
  const last = answers.at(-1)
  if (last === undefined) return undefined
  const { reducedCosts = [], values = [] } = last
  const pairs = program.flows.map(({ class: index, to, column }) => ({
    class: index,
    to,
    reducedCost: Math.max(0, reducedCosts[column] ?? 0),
    isUsed: (values[column] ?? 0) > smallest,
  }))
  return { status: answers.length < objectives.length ? 'failed' : last.status, answers, pairs }
}

function partsOf(model: MoveModel, { answers, pairs }: Relaxation, by: 'cost' | 'shortfall'): Relaxed['part'] {
  const bound = answers.at(-1)?.objective ?? 0
  const width = model.nodes.length
  // Pairs of one price are many: each class begins elsewhere, so that not all have the same few destinations.
  const turned = ({ class: index, to }: Pair) => (to + index) % width
  const ordered = pairs.toSorted(
    (a, b) => Number(b.isUsed) - Number(a.isUsed) || a.reducedCost - b.reducedCost || turned(a) - turned(b) || a.class - b.class,
  )
  /** What a pair of a better answer costs at most; below 0: there is no better answer. */
  const gapTo = ({ shortfall, cost }: Omit<Known, 'assignment'>) => {
    if (by === 'shortfall') return shortfall - bound
    // Costs are whole: better is better by one.
    return shortfall > smallest ? Number.POSITIVE_INFINITY : Math.floor(cost - 1 - bound + smallest)
  }
  return (most, best) => {
    const gap = gapTo(best)
    const inBest = new Set(best.assignment.map(({ class: index, to }) => `${index}>${to}`))
    const [known, others] = partitioned(ordered, ({ class: index, to }) => inBest.has(`${index}>${to}`))
    const possible = others.filter(pair => pair.isUsed || pair.reducedCost <= gap + smallest)
    const taken = [...known, ...possible].slice(0, most)
    const kept = new Map<number, number[]>()
    for (const { class: index, to } of taken) kept.set(index, [...(kept.get(index) ?? []), to])
    const isTaken = new Set(taken)
    const cheapestLeft = pairs.reduce(
      (least, pair) => (isTaken.has(pair) ? least : Math.min(least, pair.reducedCost)),
      Number.POSITIVE_INFINITY,
    )
    const classes = model.classes.map((moving, index) => ({
      ...moving,
      destinations: (kept.get(index) ?? []).toSorted((a, b) => a - b),
    }))
    return { model: { ...model, classes }, covers: best => cheapestLeft > gapTo(best) + smallest }
  }
}

function partitioned<T>(items: readonly T[], isFirst: (item: T) => boolean): readonly [T[], T[]] {
  const first: T[] = []
  const rest: T[] = []
  for (const item of items) (isFirst(item) ? first : rest).push(item)
  return [first, rest]
}
