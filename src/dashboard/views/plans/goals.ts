// Each goal of each policy: how far its nodes are from it now, and after the plan at hand. Met and unmet are told by exact values.
import type { RebalancePlan } from '#coordination/api.ts'
import { leastAbove, mostBelow, requestedOn } from '#planning/goals/bounds.ts'
import { isMeasured, isUsual } from '#planning/goals/resources.ts'
import type { Goal, NodeRow } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import {
  goalMet,
  goalMissed,
  goalUnknown,
  noAllocatableWords,
  noneOfWords,
  notReadyWords,
  requestsUnknownWords,
  unknownNodeWords,
  useUnknownWords,
} from '../../words/en.ts'
import { notKeptWords } from '../../words/en-verdict.ts'
import { exactPercent } from '../../words/percent.ts'
import { nodeRows } from '../nodes/nodes.ts'
import { amountAfter, openPlan, sharesAfter } from './after.ts'
import { isEnded } from './plan-facts.ts'
import { type PolicyGoal, policyGoals } from './policy-goals.ts'

/** Every goal; `after` is of `shown`, by default the plan at hand, while its moves are still to come. */
export function goalRows(picture: Picture, shown: RebalancePlan | undefined = openPlan(picture)): readonly Goal[] {
  const goals = policyGoals(picture)
  // Once it is over what is now is what came of it, and of much else since.
  const plan = shown !== undefined && isEnded(shown) ? undefined : shown
  if (goals.length === 0) return []
  const rows = new Map(nodeRows(picture).map(row => [row.name, row]))
  return goals.map(goal => {
    const now = goal.nodes.map(node => standingIn(picture, goal, rows.get(node) ?? node))
    const own = goal.policy === plan?.spec.policyRef.name ? plan : undefined
    return goalRow(goal, { now, after: goal.nodes.flatMap(node => standingAfter(picture, goal, rows.get(node), own)) })
  })
}

/** One node held against a goal. */
type Standing =
  | { readonly kind: 'unknown'; readonly node: string; readonly because: string }
  | {
      readonly kind: 'known'
      readonly node: string
      readonly percent: number
      /** Points beyond the bound; negative or 0: as far from it where the goal is met. */
      readonly beyond: number
      readonly missed: 'over' | 'short' | undefined
      readonly bound: number
    }

interface GoalFacts {
  readonly now: readonly Standing[]
  readonly after: readonly Standing[]
}

function goalRow(goal: PolicyGoal, { now, after }: GoalFacts): Goal {
  const unknown = now.find(one => one.kind === 'unknown')
  const worst = unknown === undefined ? worstOf(now) : undefined
  const bounds = { min: goal.min ?? null, max: goal.max ?? null }
  const common = {
    name: goal.shownName,
    nodes: goal.nodes,
    resource: goal.resource,
    stat: goal.stat,
    ...bounds,
    after: worstOf(after)?.percent ?? null,
    hard: goal.hard,
  }
  if (worst === undefined) {
    const because = goalUnknown({ because: unknown?.because ?? 'no node matches it' })
    return { ...common, now: null, met: false, shortfallPoints: 0, because }
  }
  const { missed, percent, bound, beyond } = worst
  if (missed === undefined) return { ...common, now: percent, met: true, shortfallPoints: 0, because: goalMet(bounds) }
  const because = goalMissed({ side: missed, shortfall: Math.max(0, beyond), bound })
  return { ...common, now: percent, met: false, shortfallPoints: Math.max(0, beyond), because }
}

/** Whether a goal is neither met nor missed: what it speaks of is not known. */
export function isUnknown({ now }: Goal): boolean {
  return now === null
}

/** How a node, by its row or where it has none by its name, stands in `picture`; of an earlier moment nobody knows. */
function standingIn(picture: Picture, goal: PolicyGoal, node: NodeRow | string): Standing {
  const [name, row] = typeof node === 'string' ? [node, undefined] : [node.name, node]
  if (picture.past !== undefined && row !== undefined) return { kind: 'unknown', node: name, because: notKeptWords(name) }
  return standingNow(picture, goal, name, row)
}

function standingNow(picture: Picture, goal: PolicyGoal, node: string, row: NodeRow | undefined): Standing {
  const unknown = (because: string): Standing => ({ kind: 'unknown', node, because })
  if (row === undefined) return unknown(unknownNodeWords(node))
  if (row.ready === false) return unknown(notReadyWords(node))
  const allocatable = allocatableOf(picture, goal, row)
  if (allocatable <= 0) return unknown(isUsual(goal.resource) ? noAllocatableWords(node) : noneOfWords(node, goal.resource))
  const amount = amountOf(picture, goal, row)
  if (amount === null) return unknown(isMeasured(goal) ? useUnknownWords(node) : requestsUnknownWords(node))
  return standing(goal, node, { amount, allocatable })
}

/** Pods have no other measure than their number. */
function amountOf({ state }: Picture, { resource, stat }: PolicyGoal, row: NodeRow): number | null {
  const { count } = row.pods
  // Rows have no column for it; where pods may not be seen they have no count of them either.
  if (!isUsual(resource)) return count === null ? null : (requestedOn(state, row.name)[resource] ?? 0)
  if (resource === 'pods') return count
  return stat === 'usage' ? row[resource].used : row[resource].requested
}

function allocatableOf({ state }: Picture, { resource }: PolicyGoal, row: NodeRow): number {
  return isUsual(resource) ? row[resource].allocatable : (state.nodes.get(row.name)?.allocatable[resource] ?? 0)
}

function standingAfter(
  picture: Picture,
  goal: PolicyGoal,
  row: NodeRow | undefined,
  plan: RebalancePlan | undefined,
): readonly Standing[] {
  if (isMeasured(goal) || row === undefined) return []
  const { resource } = goal
  const amount = isUsual(resource) ? sharesAfter(plan).get(row.name)?.[resource] : amountAfter(plan, row.name, resource)
  const allocatable = allocatableOf(picture, goal, row)
  return amount === undefined || allocatable <= 0 ? [] : [standing(goal, row.name, { amount, allocatable })]
}

/** By the planner's own bounds: strictly below a maximum, strictly above a minimum. */
function standing(
  { min, max }: PolicyGoal,
  node: string,
  { amount, allocatable }: { readonly amount: number; readonly allocatable: number },
): Standing {
  const percent = exactPercent(amount, allocatable) ?? 0
  const over = max === undefined ? undefined : { bound: max, beyond: percent - max, isMet: amount <= mostBelow(max, allocatable) }
  const short =
    min === undefined ? undefined : { bound: min, beyond: min - percent, isMet: amount >= leastAbove(min, allocatable) }
  const known = { kind: 'known', node, percent } as const
  if (over?.isMet === false) return { ...known, missed: 'over', bound: over.bound, beyond: over.beyond }
  if (short?.isMet === false) return { ...known, missed: 'short', bound: short.bound, beyond: short.beyond }
  const nearest = [over, short].flatMap(one => one ?? []).toSorted((a, b) => b.beyond - a.beyond)[0]
  return { ...known, missed: undefined, bound: nearest?.bound ?? 0, beyond: nearest?.beyond ?? 0 }
}

/** The one that is furthest beyond its bound, or nearest to it where all are within; misses before all else. */
function worstOf(standings: readonly Standing[]): (Standing & { readonly kind: 'known' }) | undefined {
  let worst: (Standing & { readonly kind: 'known' }) | undefined
  for (const one of standings) {
    if (one.kind === 'unknown') continue
    const isWorse =
      worst === undefined ||
      (one.missed !== undefined && worst.missed === undefined) ||
      ((one.missed === undefined) === (worst.missed === undefined) && one.beyond > worst.beyond)
    if (isWorse) worst = one
  }
  return worst
}

/** Nodes that miss a goal, each with the one that it is furthest beyond. */
export function missedGoals(picture: Picture): ReadonlyMap<string, { readonly goal: string; readonly beyond: number }> {
  const missed = new Map<string, { readonly goal: string; readonly beyond: number }>()
  const goals = policyGoals(picture)
  if (goals.length === 0) return missed
  const rows = new Map(nodeRows(picture).map(row => [row.name, row]))
  for (const goal of goals) {
    for (const node of goal.nodes) {
      const standing = standingIn(picture, goal, rows.get(node) ?? node)
      if (standing.kind === 'unknown' || standing.missed === undefined) continue
      if ((missed.get(node)?.beyond ?? 0) <= standing.beyond) missed.set(node, { goal: goal.shownName, beyond: standing.beyond })
    }
  }
  return missed
}

/** The node that a goal's figure is of: the worst of its nodes. */
export function worstNodeOf(picture: Picture, goal: Goal): string | undefined {
  const found = policyGoals(picture).find(({ shownName }) => shownName === goal.name)
  if (found === undefined) return undefined
  const rows = new Map(nodeRows(picture).map(row => [row.name, row]))
  return worstOf(found.nodes.map(node => standingIn(picture, found, rows.get(node) ?? node)))?.node
}

/** Where the goal is missed on `node`: its exact percent there; `undefined` where it is met, unknown, or not held to it. */
export function standingOf(picture: Picture, goal: Goal, node: string): number | undefined {
  const found = policyGoals(picture).find(({ shownName }) => shownName === goal.name)
  const row = nodeRows(picture).find(({ name }) => name === node)
  if (found === undefined || !found.nodes.includes(node)) return undefined
  const standing = standingIn(picture, found, row ?? node)
  return standing.kind === 'known' && standing.missed !== undefined ? standing.percent : undefined
}
