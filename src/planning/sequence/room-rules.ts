// Where a policy lets a pod land besides the node that was chosen for it: what the node then uses stays within the headroom and within the goals
// that bound it from above.
import type { NodeState } from '#cluster/cluster-state.ts'
import { mostBelow, mostWithin } from '../goals/bounds.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import type { Amounts } from '../plan-record.ts'

export interface Slack {
  readonly slack: Amounts
  readonly isOver: boolean
}

export class RoomRules {
  readonly #policy: Pick<PlanPolicy, 'headroom' | 'goals'>
  readonly #keepsMargins: boolean
  readonly #limits = new Map<string, Amounts>()

  /** `keepsMargins`: a goal is kept by its margin too. */
  constructor(policy: Pick<PlanPolicy, 'headroom' | 'goals'>, { keepsMargins }: { readonly keepsMargins: boolean }) {
    this.#policy = policy
    this.#keepsMargins = keepsMargins
  }

  /** Whether `used`, requested on the node by everything there and to come with `pods` among it, is within all bounds. */
  allows(node: Pick<NodeState, 'name' | 'allocatable'>, used: Amounts): boolean {
    const limits = this.#limitsOf(node)
    return Object.entries(used).every(([resource, amount]) => amount <= (limits[resource] ?? 0))
  }

  /** What is left on the node of each of its resources beside `used`; `isOver`: some of it is too much already. */
  slack(node: Pick<NodeState, 'name' | 'allocatable'>, used: Amounts): Slack {
    const limits = this.#limitsOf(node)
    const slack: Record<string, number> = { ...limits }
    for (const [resource, amount] of Object.entries(used)) slack[resource] = (limits[resource] ?? 0) - amount
    return { slack, isOver: Object.keys(used).some(resource => (slack[resource] ?? 0) < 0) }
  }

  #limitsOf({ name, allocatable }: Pick<NodeState, 'name' | 'allocatable'>): Amounts {
    const known = this.#limits.get(name)
    if (known !== undefined) return known
    const { headroom, goals } = this.#policy
    const limits: Record<string, number> = { ...allocatable }
    for (const [resource, percent] of Object.entries(headroom)) limits[resource] = mostWithin(percent, allocatable[resource] ?? 0)
    for (const { nodes, resource, max, margin } of goals) {
      if (max === undefined || !nodes.includes(name)) continue
      limits[resource] = Math.min(
        limits[resource] ?? 0,
        mostBelow(this.#keepsMargins ? max - margin : max, allocatable[resource] ?? 0),
      )
    }
    this.#limits.set(name, limits)
    return limits
  }
}

/**
 * Whether `node` may take a pod in place of `to` without a goal over several nodes noticing: only where both are in the same groups. Between
 * nodes that are compared, and where losses are to be survived, it depends on everything else; then nowhere else will do.
 */
export function mayLandBeside({ fleetGoals }: Pick<PlanPolicy, 'fleetGoals'>, to: string, node: string): boolean {
  return fleetGoals.every(
    ({ measure, sets }) =>
      measure === 'share' &&
      sets.every(({ members }) => members.every(({ nodes }) => nodes.includes(to) === nodes.includes(node))),
  )
}

/** The sum, resource by resource. */
export function summed(...parts: readonly Amounts[]): Amounts {
  const sum: Record<string, number> = {}
  for (const part of parts) for (const [resource, amount] of Object.entries(part)) sum[resource] = (sum[resource] ?? 0) + amount
  return sum
}
