// Where goals of requests stand, counted on the raw objects: what a stored plan says of them is held to this.

import type { FleetGoal, Goal, NodeRate, PlanPolicy } from '../goals/policy.ts'
import type { GoalOutcome, Move } from '../plan-record.ts'
import { controller } from './budget-count.ts'
import type { StandingNode, World } from './world.ts'

/** The cluster before a plan and after it. */
interface BeforeAndAfter {
  readonly before: World
  readonly after: World
}

/** Both, of two worlds of the same objects; the second is changed. */
export function played(before: World, after: World, moves: readonly Move[]): BeforeAndAfter {
  for (const { pod, to } of moves) {
    const key = `${pod.namespace}/${pod.name}`
    const source = after.nodeOf(key)
    const target = after.nodes.get(to)
    const standing = source?.pods.get(key)
    if (source === undefined || target === undefined || standing === undefined) continue
    source.pods.delete(key)
    target.pods.set(key, standing)
  }
  return { before, after }
}

/** Whether its figures can be counted: measured use and losses cannot. */
export function isCountable(goal: { readonly stat?: string; readonly measure?: string; readonly resource: string }): boolean {
  return goal.measure !== 'survives' && (goal.stat !== 'usage' || goal.resource === 'pods')
}

/** Each goal that can be counted, for each of its nodes or sets, in the order of the policy. */
export function recountedGoals(policy: Pick<PlanPolicy, 'goals' | 'fleetGoals'>, worlds: BeforeAndAfter): readonly GoalOutcome[] {
  return [
    ...policy.goals.filter(isCountable).flatMap(goal => goal.nodes.flatMap(node => ofNode(goal, node, worlds))),
    ...policy.fleetGoals.filter(isCountable).flatMap(goal => goal.sets.flatMap(set => ofSet(goal, set, worlds))),
  ]
}

interface Amount {
  readonly used: number
  readonly has: number
}

function amountOf(world: World, names: readonly string[], resource: string): Amount {
  const nodes = names.flatMap(name => world.nodes.get(name) ?? [])
  return {
    used: nodes.reduce((sum, node) => sum + (world.used(node)[resource] ?? 0), 0),
    has: nodes.reduce((sum, node) => sum + (node.allocatable[resource] ?? 0), 0),
  }
}

const percentOf = ({ used, has }: Amount): number => (has > 0 ? (used * 100) / has : 0)

/** On the exact fraction, strictly. */
function isShareWithin({ used, has }: Amount, bound: 'max' | 'min', wanted: number): boolean {
  const [left, right] = [BigInt(used) * 100_000_000n, BigInt(Math.round(wanted * 1e6)) * BigInt(has)]
  return bound === 'max' ? left < right : left > right
}

function ofNode(goal: Goal, node: string, { before, after }: BeforeAndAfter): readonly GoalOutcome[] {
  const [was, is] = [amountOf(before, [node], goal.resource), amountOf(after, [node], goal.resource)]
  return boundsOf(goal).map(({ bound, wanted }) =>
    outcome({ ...goal, node, bound, wanted }, { before: percentOf(was), after: percentOf(is) }, isShareWithin(is, bound, wanted)),
  )
}

function ofSet(goal: FleetGoal, set: FleetGoal['sets'][number], worlds: BeforeAndAfter): readonly GoalOutcome[] {
  const { measure, rates } = goal
  const facts = { ...goal, stat: 'requests' as const, node: set.name }
  return boundsOf(goal).map(({ bound, wanted }) => {
    if (measure === 'watts' || measure === 'cost') {
      const [was, is] = [takenBy(rates, worlds.before), takenBy(rates, worlds.after)]
      const figures = { before: was.figure, after: is.figure }
      const counted = outcome({ ...facts, bound, wanted }, figures, is.figure <= wanted + 1e-9)
      return { ...counted, ...(is.unused.length === 0 ? {} : { unused: is.unused }) }
    }
    const amounts = (world: World) =>
      set.members.map(({ nodes }) => amountOf(world, nodes, goal.resource)).filter(({ has }) => has > 0)
    const [was, is] = [amounts(worlds.before), amounts(worlds.after)]
    const figures = { before: figureOf(measure, was), after: figureOf(measure, is) }
    const isMet =
      measure === 'share'
        ? isShareWithin(together(is), bound, wanted)
        : measure === 'spread'
          ? isSpreadWithin(is, wanted)
          : figures.after <= wanted + 1e-9
    return outcome({ ...facts, bound, wanted }, figures, isMet)
  })
}

function boundsOf({
  max,
  min,
}: Pick<Goal, 'max' | 'min'>): readonly { readonly bound: 'max' | 'min'; readonly wanted: number }[] {
  return [
    ...(max === undefined ? [] : [{ bound: 'max' as const, wanted: max }]),
    ...(min === undefined ? [] : [{ bound: 'min' as const, wanted: min }]),
  ]
}

type Facts = Pick<GoalOutcome, 'node' | 'resource' | 'stat' | 'bound' | 'wanted' | 'hard'> & {
  readonly name: string
  readonly measure?: FleetGoal['measure']
}

function outcome(
  { name, node, resource, stat, bound, wanted, hard, measure }: Facts,
  { before, after }: { readonly before: number; readonly after: number },
  isMet: boolean,
): GoalOutcome {
  return {
    ...{ goal: name, node, resource, stat, bound, wanted, hard, before, after, shortBy: 0 },
    ...(measure === undefined ? {} : { measure }),
    state: isMet ? 'met' : 'missed',
  }
}

function together(amounts: readonly Amount[]): Amount {
  return {
    used: amounts.reduce((sum, { used }) => sum + used, 0),
    has: amounts.reduce((sum, { has }) => sum + has, 0),
  }
}

function figureOf(measure: FleetGoal['measure'], amounts: readonly Amount[]): number {
  if (measure === 'share') return percentOf(together(amounts))
  const percents = amounts.map(percentOf)
  if (percents.length === 0) return 0
  if (measure === 'spread') return Math.max(...percents) - Math.min(...percents)
  const mean = percents.reduce((sum, percent) => sum + percent, 0) / percents.length
  return percents.reduce((sum, percent) => sum + Math.abs(percent - mean), 0) / percents.length
}

function isSpreadWithin(amounts: readonly Amount[], points: number): boolean {
  return amounts.every(high =>
    amounts.every(low => {
      const apart = BigInt(high.used) * BigInt(low.has) - BigInt(low.used) * BigInt(high.has)
      return apart * 100_000_000n <= BigInt(Math.round(points * 1e6)) * BigInt(high.has) * BigInt(low.has)
    }),
  )
}

/** What nodes take by their rates, and those on which nothing is that would have to go elsewhere. */
export function takenBy(
  rates: readonly NodeRate[] = [],
  world: World,
): { readonly figure: number; readonly unused: readonly string[]; readonly missing: readonly string[] } {
  const [unused, missing]: [string[], string[]] = [[], []]
  let figure = 0
  for (const { node: name, unused: empty, idle, full } of rates) {
    const node = world.nodes.get(name)
    if (node === undefined) {
      missing.push(name)
      continue
    }
    const { used, has } = amountOf(world, [name], 'cpu')
    if (isHeld(node)) figure += idle + (has > 0 ? ((full - idle) / has) * used : 0)
    else figure += empty
    if (!isHeld(node)) unused.push(name)
  }
  return { figure, unused, missing }
}

function isHeld({ pods }: StandingNode): boolean {
  return [...pods.values()].some(({ object, isTerminating }) => {
    const maker = controller(object)?.kind
    return !isTerminating && maker !== 'DaemonSet' && maker !== 'Node'
  })
}
