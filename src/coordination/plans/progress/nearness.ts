// Whether a policy that goes by itself comes nearer to its goals, look by look. Pure.
import type { Condition } from '#kube/objects/objects.ts'
import type { Plan } from '#planning/plan-record.ts'
import type { RebalancePolicy, RebalancePolicyStatus } from '../../api.ts'

type Nearness = NonNullable<RebalancePolicyStatus['nearness']>

/** After so many looks in a row that found the goals missed, and never nearer than before, somebody is told. */
export const looksUntilStuck = 4
/** Looks beyond that are not counted. */
const mostLooks = 1_000
/** Percentage points: less is no step towards a goal. */
const leastStep = 0.1

/** Percentage points by which goals are missed before anything is moved, over all nodes; with a goal of losses, pods. Unknown goals are left out. */
export function missingNow({ goals }: Pick<Plan, 'goals'>): number {
  return goals
    .filter(({ state }) => state !== 'unknown')
    .reduce((sum, { bound, before, wanted }) => sum + Math.max(0, bound === 'max' ? before - wanted : wanted - before), 0)
}

/** What is remembered after a look that found `missing` points. `undefined`: the policy does not go by itself. */
export function nearnessAfter(
  known: Nearness | undefined,
  { mode, missing }: { readonly mode: RebalancePolicy['spec']['mode']; readonly missing: number },
): Nearness | undefined {
  if (mode !== 'Auto') return undefined
  if (missing === 0) return { looks: 0, missing, nearest: 0 }
  // The first look that finds goals missed is the one that the others are held against.
  if (known === undefined || known.missing === 0) return { looks: 0, missing, nearest: missing }
  if (missing < known.nearest - leastStep) return { looks: 0, missing, nearest: missing }
  return { looks: Math.min(mostLooks, known.looks + 1), missing, nearest: Math.min(known.nearest, missing) }
}

export function isStuck({ looks }: Pick<Nearness, 'looks'>): boolean {
  return looks >= looksUntilStuck
}

/** The condition `Progressing` of the policy. */
export function progressing(nearness: Nearness): Condition & { readonly status: 'True' | 'False'; readonly message: string } {
  const { looks, missing, nearest } = nearness
  const points = (amount: number) => `${amount.toFixed(1)} points`
  if (missing === 0) return { type: 'Progressing', status: 'True', reason: 'GoalsMet', message: 'no goal is missed' }
  const now = `goals are missed by ${points(missing)}`
  if (!isStuck(nearness)) return { type: 'Progressing', status: 'True', reason: 'Nearing', message: now }
  const message = `${now}; ${looks} plans in a row brought them no nearer than ${points(nearest)}: the last plan says what stands in the way`
  return { type: 'Progressing', status: 'False', reason: 'NoProgress', message }
}
