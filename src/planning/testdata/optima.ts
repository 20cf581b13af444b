// Holds a plan to what an independent model proved (`optima.json`).

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { leastAbove, mostBelow } from '../goals/bounds.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import type { Plan } from '../plan-record.ts'
import { dumpOf, type Family, type OptimumCluster } from './optimum-clusters.ts'

interface Value {
  readonly shortfall: number
  readonly cost: number
}

export interface KnownOptimum {
  readonly family: Family
  readonly seed: number
  readonly nodes: number
  /** First digits of the dump's SHA-256: what was asked is what the seed makes. */
  readonly hash: string
  /** `quiet`: the goals hold already. `infeasible`: no choice of moves meets the hard goals. */
  readonly status: 'optimal' | 'infeasible' | 'quiet'
  /** Whether the goals are judged by their margins, or, where those cannot be had, without. */
  readonly goals?: 'margins' | 'bare'
  /** The best choice of moves, their order left aside. */
  readonly assignment?: Value
  /** The best that moves reach one after the other, with stops. `none`: no order meets the hard goals; `null`: not known. */
  readonly sequence?: Value | 'none' | null
}

interface Fixture {
  readonly solver: string
  readonly command: string
  readonly optima: readonly KnownOptimum[]
}

export function knownOptima(): readonly KnownOptimum[] {
  const fixture: Fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'optima.json'), 'utf8'))
  return fixture.optima
}

export function dumpHash(cluster: OptimumCluster): string {
  return createHash('sha256').update(dumpOf(cluster)).digest('hex').slice(0, 16)
}

const smallest = 1e-6
/** Where the search for an order ends at its bound: seven moves among forty pods on fourteen full nodes. */
const ordersNotFound: ReadonlySet<string> = new Set(['full 21'])

/** Each thing in which `plan` is not as it was proven to be at best; empty for the best one. */
export function disagreements(
  plan: Plan,
  policy: PlanPolicy,
  known: KnownOptimum & { readonly hasPast: boolean },
): readonly string[] {
  const { assignment, sequence } = known
  if (known.status === 'infeasible' || sequence === 'none')
    return plan.moves.length === 0 && plan.outcome !== 'met' ? [] : [`${plan.outcome} with ${plan.moves.length} moves, though the hard goals cannot be met`]
  if (assignment === undefined) return ['the fixture knows no optimum']
  const found = { shortfall: shortfallOf(plan, policy, known.goals !== 'bare'), cost: costOf(plan, policy) }
  const words = (value: Value) => `short by ${value.shortfall} for ${value.cost}`
  // Without margins within reach the planner looks at both: its cost is then that of the better one.
  const hasFreeCost = known.hasPast || (known.goals === 'bare' && policy.goals.some(({ margin }) => margin > 0))
  const best = sequence ?? assignment
  const isBest = Math.abs(found.shortfall - best.shortfall) < smallest && (hasFreeCost || found.cost === best.cost)
  const saysNoOrder = plan.unmovable.some(({ code }) => code === 'NoSafeOrder')
  // An order that was not found where there is one is told as that: not found, and not proven to be none.
  const isOpen = plan.limits?.some(({ limit }) => limit === 'orders') === true
  const isKnownGap = ordersNotFound.has(`${known.family} ${known.seed}`) && isOpen
  const isAllowed =
    isBest || isKnownGap || (sequence === null && saysNoOrder && found.shortfall >= assignment.shortfall - smallest)
  return [
    ...(isAllowed ? [] : [`${words(found)}, where ${words(best)} is the best`]),
    ...(plan.objective.lowerBound > plan.moves.length + smallest ? [`a bound of ${plan.objective.lowerBound} above its ${plan.moves.length} moves`] : []),
  ]
}

function shortfallOf(plan: Plan, policy: PlanPolicy, withMargins: boolean): number {
  let sum = 0
  for (const { nodes, resource, max, min, margin } of policy.goals) {
    for (const { used, allocatable } of plan.after.filter(share => nodes.includes(share.node) && share.resource === resource)) {
      const less = withMargins ? margin : 0
      const over = max === undefined ? 0 : Math.max(0, used - mostBelow(max - less, allocatable))
      const under = min === undefined ? 0 : Math.max(0, leastAbove(min + less, allocatable) - used)
      sum += ((over + under) * 100) / allocatable
    }
  }
  return sum
}

const costOf = ({ objective }: Plan, policy: PlanPolicy) => (policy.objective === 'moves' ? objective.cost : Math.round(objective.cost * 1000))
