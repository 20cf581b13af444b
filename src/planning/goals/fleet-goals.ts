// Goals over several nodes: their rows, how they stand, and what is wrong with them. Whether a loss is survived is played elsewhere.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Problem } from '#kube/problem.ts'
import type { GoalPart, GoalRow } from '../model/move-model.ts'
import type { Amounts, GoalOutcome, Loss } from '../plan-record.ts'
import { leastAbove, marginProblems, missingNode, mostBelow, outOfRange, requestedOn } from './bounds.ts'
import { type Measure, measured } from './measures.ts'
import { figureOfUses, isWithinUse, unusedNodes, useRow, usesOf, wholeOfRates } from './node-use.ts'
import type { FleetGoal, GoalMember, PlanPolicy } from './policy.ts'
import { isUsual, resourceProblems } from './resources.ts'

type GoalSet = FleetGoal['sets'][number]

/** What a member uses and has. */
interface Standing {
  readonly used: number
  readonly allocatable: number
}

/** Shares are no whole numbers: what is beyond a bound by less is not. */
const smallestShare = 1e-9

const measureOf = { spread: 'range', deviation: 'deviation' } as const satisfies Record<string, Measure>

const isOfUse = ({ measure }: Pick<FleetGoal, 'measure'>): boolean => measure === 'watts' || measure === 'cost'

/** The rows of goals over several nodes, but for those of a loss. */
export function fleetRows(state: ClusterState, policy: Pick<PlanPolicy, 'fleetGoals'>): readonly GoalRow[] {
  const indexes = new Map([...state.nodes.keys()].map((name, index) => [name, index]))
  const partOf = ({ nodes }: GoalMember, standing: Standing, factor: number): GoalPart => ({
    nodes: nodes.flatMap(name => indexes.get(name) ?? []),
    factor,
    used: standing.used,
  })
  return policy.fleetGoals.flatMap(goal =>
    goal.sets.flatMap((set): readonly GoalRow[] => {
      const members = known(set, member => standingOf(state, goal, member))
      const common = {
        ...{ goal: goal.name, subject: set.name, resource: goal.resource, hard: goal.hard },
        stat: 'requests' as const,
        ...(goal.weight === undefined ? {} : { weight: goal.weight }),
        node: indexes.get(members[0]?.member.nodes[0] ?? '') ?? -1,
      }
      if (goal.measure === 'watts' || goal.measure === 'cost')
        return goal.max === undefined ? [] : [{ ...common, resource: 'cpu', ...useRow(goal, usesOf(state, goal), indexes) }]
      if (members.length === 0 || goal.measure === 'survives') return []
      if (goal.measure !== 'share') {
        if (goal.max === undefined || members.length < 2) return []
        const measure = measureOf[goal.measure]
        const parts = members.map(({ member, standing }) => partOf(member, standing, 100 / standing.allocatable))
        const used = measured(
          measure,
          parts.map(part => part.used * part.factor),
        )
        return [{ ...common, parts, measure, bound: 'max', limit: Math.max(0, goal.max - goal.margin), used, allocatable: 100 }]
      }
      const { used, allocatable } = together(members.map(({ standing }) => standing))
      const parts = members.map(({ member, standing }) => partOf(member, standing, 1))
      const row = { ...common, parts, used, allocatable }
      return [
        ...(goal.max === undefined
          ? []
          : [{ ...row, bound: 'max' as const, limit: mostBelow(goal.max - goal.margin, allocatable) }]),
        ...(goal.min === undefined
          ? []
          : [{ ...row, bound: 'min' as const, limit: leastAbove(goal.min + goal.margin, allocatable) }]),
      ]
    }),
  )
}

/** Members that have any of the resource: of the others there is no share. */
function known(set: GoalSet, standingFor: (member: GoalMember) => Standing) {
  return set.members.map(member => ({ member, standing: standingFor(member) })).filter(({ standing }) => standing.allocatable > 0)
}

function standingOf(
  state: ClusterState,
  { resource }: FleetGoal,
  { nodes }: GoalMember,
  change: ReadonlyMap<string, Amounts> = new Map(),
): Standing {
  return together(
    nodes.map(name => ({
      used: (requestedOn(state, name)[resource] ?? 0) + (change.get(name)?.[resource] ?? 0),
      allocatable: state.nodes.get(name)?.allocatable[resource] ?? 0,
    })),
  )
}

function together(standings: readonly Standing[]): Standing {
  return {
    used: standings.reduce((sum, { used }) => sum + used, 0),
    allocatable: standings.reduce((sum, { allocatable }) => sum + allocatable, 0),
  }
}

/** Losses as they were played; `undefined` where nobody played them. */
export interface PlayedLosses {
  readonly before: (goal: FleetGoal) => Loss | undefined
  readonly after: (goal: FleetGoal) => Loss | undefined
}

/** Each goal over several nodes, before and after, judged on exact fractions and without the margin. */
export function fleetOutcomes(
  { fleetGoals }: Pick<PlanPolicy, 'fleetGoals'>,
  state: ClusterState,
  change: ReadonlyMap<string, Amounts>,
  losses: PlayedLosses | undefined,
): readonly GoalOutcome[] {
  return fleetGoals.flatMap(goal =>
    goal.sets.flatMap((set): readonly GoalOutcome[] => {
      if (goal.measure === 'survives') return [lossOutcome(goal, set, losses)]
      if (isOfUse(goal)) return useOutcomes(goal, set, { state, change })
      const members = known(set, member => standingOf(state, goal, member))
      const before = members.map(({ standing }) => standing)
      const after = members.map(({ member }) => standingOf(state, goal, member, change))
      return (['max', 'min'] as const).flatMap(bound => {
        const wanted = goal[bound]
        if (wanted === undefined) return []
        const figure = figureOf(goal, after)
        // Nobody knows a share of what no node has.
        const isKnown = members.length > 0 || isUsual(goal.resource)
        const isMet = isKnown && isWithin(goal.measure, after, bound, wanted)
        return [
          {
            ...commonOf(goal, set),
            ...{ bound, wanted, before: figureOf(goal, before), after: figure },
            state: !isKnown ? ('unknown' as const) : isMet ? ('met' as const) : ('missed' as const),
            shortBy: isMet || !isKnown ? 0 : Math.abs(figure - wanted),
          },
        ]
      })
    }),
  )
}

function commonOf(goal: FleetGoal, set: GoalSet) {
  const { name, resource, hard, measure, weight } = goal
  return {
    ...{ goal: name, node: set.name, resource, hard, measure, members: set.members },
    stat: 'requests' as const,
    ...(weight === undefined ? {} : { weight }),
  }
}

function figureOf({ measure }: Pick<FleetGoal, 'measure'>, standings: readonly Standing[]): number {
  const percent = ({ used, allocatable }: Standing) => (allocatable > 0 ? (used * 100) / allocatable : 0)
  if (measure === 'spread' || measure === 'deviation') return measured(measureOf[measure], standings.map(percent))
  return percent(together(standings))
}

function isWithin(measure: FleetGoal['measure'], standings: readonly Standing[], bound: 'max' | 'min', wanted: number): boolean {
  if (measure === 'share') {
    const { used, allocatable } = together(standings)
    return bound === 'max' ? used <= mostBelow(wanted, allocatable) : used >= leastAbove(wanted, allocatable)
  }
  if (measure === 'spread') return isSpread(standings, wanted)
  return figureOf({ measure }, standings) <= wanted + smallestShare
}

/** Whether the fullest is at most so many points above the emptiest, in whole numbers. */
function isSpread(standings: readonly Standing[], points: number): boolean {
  const isFuller = (a: Standing, b: Standing) => BigInt(a.used) * BigInt(b.allocatable) > BigInt(b.used) * BigInt(a.allocatable)
  const [first] = standings
  if (first === undefined) return true
  const fullest = standings.reduce((most, one) => (isFuller(one, most) ? one : most), first)
  const emptiest = standings.reduce((least, one) => (isFuller(least, one) ? one : least), first)
  const [high, low] = [BigInt(fullest.allocatable), BigInt(emptiest.allocatable)]
  const apart = BigInt(fullest.used) * low - BigInt(emptiest.used) * high
  return apart * 100_000_000n <= BigInt(Math.round(points * 1e6)) * high * low
}

/** Watts, or a price an hour. */
function useOutcomes(
  goal: FleetGoal,
  set: GoalSet,
  { state, change }: { readonly state: ClusterState; readonly change: ReadonlyMap<string, Amounts> },
): readonly GoalOutcome[] {
  const { max: wanted, rates = [] } = goal
  if (wanted === undefined) return []
  const uses = usesOf(state, goal, change)
  const after = figureOfUses(uses)
  const isMet = isWithinUse(after, wanted)
  const unused = unusedNodes(uses)
  return [
    {
      ...commonOf(goal, set),
      ...{ rates, bound: 'max', wanted, before: figureOfUses(usesOf(state, goal)), after },
      state: isMet ? 'met' : 'missed',
      shortBy: isMet ? 0 : (100 * (after - wanted)) / Math.max(wholeOfRates(goal), smallestShare),
      ...(unused.length === 0 ? {} : { unused }),
    },
  ]
}

/** Counted in pods: none may stay Pending. */
function lossOutcome(goal: FleetGoal, set: GoalSet, losses: PlayedLosses | undefined): GoalOutcome {
  const [before, after] = [losses?.before(goal), losses?.after(goal)]
  const pending = after?.pending.length ?? 0
  return {
    ...commonOf(goal, set),
    bound: 'max',
    ...{ wanted: 0, before: before?.pending.length ?? 0, after: pending, shortBy: pending },
    state: after === undefined ? 'unknown' : pending === 0 ? 'met' : 'missed',
    ...(after === undefined || pending === 0 ? {} : { loss: after }),
  }
}

/** What is wrong with goals over several nodes; `where` is the place of each. */
export function fleetProblems(policy: PlanPolicy, where: string, state: ClusterState): readonly Problem[] {
  return policy.fleetGoals.flatMap(goal => {
    const place = `${where}: spec.goals (${goal.name})`
    const counted = goal.sets.reduce((sum, { members }) => sum + members.length, 0)
    const fewest = goal.measure === 'share' || isOfUse(goal) ? 1 : 2
    const isSmall = goal.sets.length === 0 || (counted < fewest && goal.measure !== 'survives')
    const names = goal.sets.flatMap(({ members }) => members.flatMap(({ nodes }) => nodes))
    return [
      ...names.flatMap(name => missingNode(name, `${place}.nodes`, state)),
      ...(isOfUse(goal) || goal.measure === 'survives' ? [] : resourceProblems(goal, names, place, state)),
      ...(isSmall || counted === 0
        ? [
            {
              code: 'goal-without-node',
              where: place,
              found: counted === 0 ? 'no node that is ready and takes pods' : 'one node',
              expected: fewest === 1 ? 'at least one node' : 'at least two nodes (or groups of nodes) to compare',
            },
          ]
        : []),
      ...(goal.max === undefined || isOfUse(goal) ? [] : outOfRange(goal.max, `${place}.max`)),
      ...(goal.min === undefined ? [] : outOfRange(goal.min, `${place}.min`)),
      ...outOfRange(goal.margin, `${place}.margin`),
      ...marginProblems(goal, goal.measure === 'share' ? 'share' : 'points', place),
      ...(goal.measure === 'share' && goal.max !== undefined && goal.min !== undefined && goal.min >= goal.max
        ? [{ code: 'goals-contradict', where: `${place}.min`, found: String(goal.min), expected: `less than max ${goal.max}` }]
        : []),
    ]
  })
}
