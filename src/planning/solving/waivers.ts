// What stands in the way of goals all at once: every obstacle of every pod, and what would be won if people took one kind of it away, or all
// of them. On paper: what is won is a choice of moves, whose order and landings nobody has played.
import { Budgets } from '../candidates/budgets.ts'
import { sortPods } from '../candidates/movable.ts'
import { podsOfGoals } from '../candidates/pods-of-goals.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { workloadKey } from '../goals/policy.ts'
import { buildModel } from '../model/build-model.ts'
import { movedPods } from '../model/move-model.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Plan, StayCode } from '../plan-record.ts'
import { chooseMoves } from './choose-moves.ts'
import type { SolveOnce } from './solve.ts'

/** Obstacles that a line of somebody's takes away; the others are what a pod is, or what only time ends. */
const waivableCodes = [
  'Unlabelled',
  'OwnerNone',
  'NamespaceExcluded',
  'NoPDB',
  'PDBNeverAllows',
  'LocalStorage',
  'SingleReplica',
  'DoNotDisrupt',
  'NotSafeToEvict',
  'Frozen',
] as const satisfies readonly StayCode[]

/** Whether people can take it away by a line of theirs. */
export function isWaivable(code: StayCode): boolean {
  const codes: readonly StayCode[] = waivableCodes
  return codes.includes(code)
}

export interface Waiver {
  /** What is taken away: one kind, or all of them at once. */
  readonly codes: readonly StayCode[]
  readonly pods: number
  /** `namespace/Kind/name`, in order. */
  readonly workloads: readonly string[]
  /** Percentage points that all goals together would still miss; 0: all are met. */
  readonly missing: number
  readonly moves: number
}

const smallest = 1e-6

/** What each waiver would win, the best first; those that win nothing are left out. Empty where the goals are met, or nothing can be waived. */
export async function waiversOf(
  input: PlanInput,
  plan: Pick<Plan, 'outcome' | 'unmovable'>,
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<readonly Waiver[]> {
  if (plan.outcome === 'met') return []
  const codes = waivableCodes.filter(code => plan.unmovable.some(one => codesOf(one).includes(code)))
  const now = await outcomeWithout(input, new Set(), solve, signal)
  const sets = codes.length > 1 ? [...codes.map(code => [code]), codes] : codes.map(code => [code])
  const waivers: Waiver[] = []
  for (const set of sets) {
    const { missing, moves } = await outcomeWithout(input, new Set(set), solve, signal)
    if (missing > now.missing - smallest) continue
    const taken: ReadonlySet<string> = new Set(set)
    const held = plan.unmovable.filter(one => codesOf(one).some(code => taken.has(code)))
    const workloads = [...new Set(held.flatMap(({ workload }) => (workload === undefined ? [] : [workloadKey(workload)])))].sort()
    waivers.push({ codes: set, pods: held.length, workloads, missing, moves })
  }
  // All at once is only told where it wins more than the best of them alone.
  const alone = Math.min(...waivers.filter(({ codes: set }) => set.length === 1).map(({ missing }) => missing))
  return waivers
    .filter(({ codes: set, missing }) => set.length === 1 || missing < alone - smallest)
    .toSorted((a, b) => a.missing - b.missing || a.workloads.length - b.workloads.length)
}

function codesOf({ code, also }: Plan['unmovable'][number]): readonly string[] {
  return [code, ...also.map(reason => reason.code)]
}

async function outcomeWithout(
  input: PlanInput,
  waived: ReadonlySet<StayCode>,
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<{ readonly missing: number; readonly moves: number }> {
  const asked = { ...input, waived }
  const tools = { budgets: Budgets.of(input.state, input.nowMs), fit: new StaticFit(input.state, input.settings) }
  const { candidates } = sortPods(asked, tools, input.state.pods.values(), podsOfGoals(asked))
  const { model } = buildModel(asked, candidates, new Set())
  const choice = await chooseMoves(model, { method: input.policy.method, isProbe: true }, solve, signal)
  return choice.isFeasible
    ? { missing: choice.shortfall, moves: movedPods(choice.assignment) }
    : { missing: Number.POSITIVE_INFINITY, moves: 0 }
}
