// Chooses placements and plays them until the goals hold in every order of rollouts, or nothing else is left to try.

import type { Sorting } from '../candidates/movable.ts'
import { workloadKey } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import type { GoalOutcome } from '../plan-record.ts'
import { type ChoiceTools, choosePlacements, type WorkloadMove } from './placement-choice.ts'
import { type Steered, type SteeredCluster, steer } from './steering.ts'
import { type TemplateUnits, templateUnits } from './template-units.ts'

interface Placements {
  readonly steered: Steered
  readonly units: TemplateUnits
  /** Why the solver gave no answer. */
  readonly failure?: string
}

/** So often workloads whose pods do not share nodes as chosen are kept whole, and the rest is chosen anew. */
const mostAttempts = 4

/**
 * The best of: whole workloads, each to one node; then such as share several nodes; and both again without the margins of the goals, since a
 * goal that just holds beats one that is missed.
 */
export async function attemptPlacements(
  input: PlanInput,
  sorting: Sorting,
  cluster: SteeredCluster,
  { firm, ...tools }: ChoiceTools & { readonly firm: boolean },
): Promise<Placements> {
  const units = templateUnits(input, sorting)
  const nothing = steer(cluster, [], firm)
  let best = nothing
  if (isMet(nothing)) return { steered: nothing, units }
  let failure: string | undefined
  const played = new Set<string>()
  const shared = new Set(units.units.filter(({ pods }) => pods.length > 1).map(({ key }) => key))
  const hasMargins = [...input.policy.goals, ...input.policy.fleetGoals].some(({ margin }) => margin > 0)
  for (const wished of hasMargins ? [input, withoutMargins(input)] : [input]) {
    for (const first of shared.size === 0 ? [new Set<string>()] : [new Set<string>(), shared]) {
      const divisible = new Set(first)
      for (let count = 0; count < mostAttempts; count++) {
        const choice = await choosePlacements(wished, { units: units.units, candidates: sorting.candidates, divisible }, tools)
        failure ??= choice.failure
        const key = JSON.stringify(choice.moves.map(({ workload, shares }) => [workloadKey(workload), [...shares]]))
        if (played.has(key)) break
        played.add(key)
        const steered = steer(cluster, choice.moves, firm)
        if (isBetter(steered, best)) best = steered
        if (isMet(best)) return { steered: best, units }
        const uneven = choice.moves
          .map(({ workload }) => workloadKey(workload))
          .filter(key => steered.uneven.has(key) && divisible.has(key))
        if (uneven.length === 0) break
        for (const key of uneven) divisible.delete(key)
      }
    }
  }
  return { steered: best, units, ...(failure === undefined || best.moves.length > 0 ? {} : { failure }) }
}

function isMet({ goals, stuck }: Steered): boolean {
  return stuck.length === 0 && goals.every(({ state }) => state !== 'missed')
}

/** Fewer pods without a place, then fewer points missed, then fewer pods replaced. A hard goal that is missed is worse than any change. */
function isBetter(one: Steered, other: Steered): boolean {
  const rank = (steered: Steered) => [
    steered.stuck.length,
    steered.goals.filter(({ hard, state }) => hard && state === 'missed').length,
    missedPoints(steered.goals),
    steered.moves.reduce((sum, { pods }) => sum + pods.length, 0),
  ]
  const [left, right] = [rank(one), rank(other)]
  const at = left.findIndex((value, index) => Math.abs(value - (right[index] ?? 0)) > 1e-6)
  return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0)
}

function missedPoints(goals: readonly GoalOutcome[]): number {
  return goals.reduce((sum, { shortBy, state, weight = 1 }) => sum + weight * (shortBy + (state === 'missed' ? 1e-3 : 0)), 0)
}

function withoutMargins(input: PlanInput): PlanInput {
  const { policy } = input
  const goals = policy.goals.map(goal => ({ ...goal, margin: 0 }))
  const fleetGoals = policy.fleetGoals.map(goal => ({ ...goal, margin: 0 }))
  return { ...input, policy: { ...policy, goals, fleetGoals } }
}

/** Why a move of a plan is not among the placements. */
export interface Unsaid {
  /** `namespace/kind/name`. */
  readonly workload: string
  readonly because: string
}

/** Workloads that a plan moves and `placements` do not as it needs, each with the reason. `moved`: how many pods of each a plan moves. */
export function unsaidOf({ steered, units }: Placements, moved: ReadonlyMap<string, number>): readonly Unsaid[] {
  const placed = new Set(steered.moves.map(({ workload }) => workloadKey(workload)))
  return [...moved]
    .filter(([key]) => !placed.has(key) || steered.uneven.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([workload, count]) => {
      const uneven = 'it is placed, but in some order of rollouts its pods share those nodes otherwise than chosen'
      const because = placed.has(workload) ? uneven : units.refused.get(workload)
      return { workload, because: because ?? wholeOnly(units, workload, count) }
    })
}

function wholeOnly({ units }: TemplateUnits, workload: string, count: number): string {
  const all = units.find(({ key }) => key === workload)?.pods.length ?? 0
  return count < all
    ? `a template cannot tell its ${all} pods apart, of which the plan moves ${count}; all of them together bring the goals no nearer in every order of rollouts`
    : 'its rollout was tried with those of others, and the goals come no nearer so in every order of rollouts'
}

/** Whether it goes where `to` says, for people: one node, or several with how many pods each. */
export function destinationWords({ to, shares }: Pick<WorkloadMove, 'to' | 'shares'>): string {
  return to.length === 1 ? (to[0] ?? '') : to.map(node => `${shares.get(node) ?? 0} on ${node}`).join(', ')
}
