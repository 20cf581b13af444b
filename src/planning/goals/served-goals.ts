// Why a move is made, as far as goals say it: which of them it serves, and from which end.
import type { GoalResource } from './policy.ts'

/** A goal as far as serving it goes. */
export interface ServableGoal {
  readonly name: string
  readonly nodes: readonly string[]
  /** Absent where it is about whole nodes: an isolation. */
  readonly resource?: GoalResource
  readonly max?: number | undefined
  readonly min?: number | undefined
}

interface ServedGoal {
  readonly goal: string
  readonly resource: GoalResource | undefined
  /** `relieves`: it leaves a node with a `max`. `fills`: it comes to a node with a `min`. */
  readonly how: 'relieves' | 'fills'
}

/** The goals that a move serves, in their order; none where it only makes room for others. A goal may be served from both ends. */
export function servedGoals(
  { from, to }: { readonly from: string; readonly to: string },
  goals: readonly ServableGoal[],
): readonly ServedGoal[] {
  return goals.flatMap(({ name: goal, nodes, resource, max, min }): readonly ServedGoal[] => [
    ...(max !== undefined && nodes.includes(from) ? [{ goal, resource, how: 'relieves' as const }] : []),
    ...(min !== undefined && nodes.includes(to) ? [{ goal, resource, how: 'fills' as const }] : []),
  ])
}
