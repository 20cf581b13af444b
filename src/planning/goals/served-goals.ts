// Why a move is made, as far as goals say it: which of them it serves, and from which end.
import type { FleetGoal, GoalResource } from './policy.ts'

/** A goal as far as serving it goes. */
export interface ServableGoal {
  readonly name: string
  readonly nodes: readonly string[]
  /** Absent where it is about whole nodes: an isolation. */
  readonly resource?: GoalResource
  readonly max?: number | undefined
  readonly min?: number | undefined
  /** Set for a goal over several nodes. */
  readonly measure?: FleetGoal['measure']
  readonly sets?: FleetGoal['sets']
}

/** The goals of a policy as far as serving them goes. */
export function servableGoals(policy: {
  readonly goals: readonly ServableGoal[]
  readonly fleetGoals: readonly FleetGoal[]
}): readonly ServableGoal[] {
  return [...policy.goals, ...policy.fleetGoals.map(goal => ({ ...goal, nodes: [] }))]
}

interface ServedGoal {
  readonly goal: string
  readonly resource: GoalResource | undefined
  /** `empties`: it leaves a node that takes watts or money. `relieves`: it leaves a node with a `max`. `fills`: it comes to a node with a `min`. `evens`: it goes between nodes that are compared. */
  readonly how: 'relieves' | 'fills' | 'evens' | 'empties'
}

/** The goals that a move serves, in their order; none where it only makes room for others. A goal may be served from both ends. */
export function servedGoals(
  { from, to }: { readonly from: string; readonly to: string },
  goals: readonly ServableGoal[],
): readonly ServedGoal[] {
  return goals.flatMap(({ name: goal, nodes, resource, max, min, measure, sets = [] }): readonly ServedGoal[] => [
    ...sets.flatMap((set): readonly ServedGoal[] => {
      const [source, target] = [from, to].map(node => set.members.findIndex(member => member.nodes.includes(node)))
      if (measure === 'survives' || source === target) return []
      if (measure === 'watts' || measure === 'cost') return source === -1 ? [] : [{ goal, resource: undefined, how: 'empties' }]
      if (measure !== 'share') return [{ goal, resource, how: 'evens' }]
      return [
        ...(max !== undefined && target === -1 ? [{ goal, resource, how: 'relieves' as const }] : []),
        ...(min !== undefined && source === -1 ? [{ goal, resource, how: 'fills' as const }] : []),
      ]
    }),
    ...(max !== undefined && nodes.includes(from) ? [{ goal, resource, how: 'relieves' as const }] : []),
    ...(min !== undefined && nodes.includes(to) ? [{ goal, resource, how: 'fills' as const }] : []),
  ])
}
