// Moves that are made for what nodes really use: they wait where nobody measures that any more. Pure.
import type { Measurements } from '#planning/goals/goals.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import { servedGoals } from '#planning/goals/served-goals.ts'
import { usageGoals } from '#planning/goals/usage-rules.ts'

interface Route {
  readonly from: string
  readonly to: string
}

/** Whether `move` is made for goals of usage alone; what only makes room is, where the policy has no others. */
export function servesUsage(move: Route, policy: Pick<PlanPolicy, 'goals' | 'isolation'>): boolean {
  if (policy.isolation !== undefined) return false
  const others = policy.goals.filter(goal => !usageGoals(policy).includes(goal))
  if (others.length === policy.goals.length || servedGoals(move, others).length > 0) return false
  return others.length === 0 || servedGoals(move, policy.goals).length > 0
}

/** Why `move` has to wait: a node whose use it is to change is not measured now. `undefined`: it need not. */
export function unmeasuredNode(
  move: Route,
  policy: Pick<PlanPolicy, 'goals' | 'isolation'>,
  measured: Measurements | undefined,
): string | undefined {
  if (!servesUsage(move, policy)) return undefined
  const about = usageGoals(policy).find(({ nodes }) =>
    [move.from, move.to].some(node => nodes.includes(node) && measured?.nodes.has(node) !== true),
  )
  if (about === undefined) return undefined
  const node = [move.from, move.to].find(name => about.nodes.includes(name) && measured?.nodes.has(name) !== true) ?? ''
  return `goal ${about.name} stands still: what ${node} uses was not measured within two minutes`
}
