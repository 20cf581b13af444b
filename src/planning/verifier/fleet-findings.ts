// Goals over several nodes, counted anew on the raw objects. Losses are played anew by the scheduler's model, which knows no headroom: a loss that is
// said to be survived must be, and one that is not has to name the pods that stay Pending.

import type { GoalOutcome } from '../plan-record.ts'
import { controller } from './budget-count.ts'
import type { Finding } from './finding.ts'
import { takenBy } from './goal-recount.ts'
import type { LandingReplay } from './landing-replay.ts'
import type { StandingNode, World } from './world.ts'

/** Figures are printed with a decimal; they are held to more. */
const smallest = 1e-6
/** Watts and prices are held to this; only about so far beyond a bound floating point may call it either. */
const smallestUse = 1e-9

/** Each figure after the plan that is another, and each verdict that its figure does not bear out. */
export function fleetFindings(goals: readonly GoalOutcome[], world: World, landing: LandingReplay): Finding[] {
  return goals.flatMap(goal => {
    if (goal.measure === undefined) return []
    if (goal.measure === 'watts' || goal.measure === 'cost') return useFindings(goal, world)
    return goal.measure === 'survives' ? lossFindings(goal, world, landing) : shareFindings(goal, world)
  })
}

function shareFindings(goal: GoalOutcome, world: World): Finding[] {
  const sums = (goal.members ?? []).map(({ nodes }) => sumOf(standing(world, nodes), goal.resource))
  const shares = sums.filter(({ has }) => has > 0)
  const figure = figureOf(goal.measure, shares)
  const field = `goal ${goal.goal} on ${goal.node}`
  const isExact = goal.measure !== 'deviation'
  const isMet = isExact ? isWithin(goal, shares) : figure <= goal.wanted + smallest
  const state = isMet ? 'met' : 'missed'
  return [
    ...(Math.abs(goal.after - figure) <= smallest
      ? []
      : [{ code: 'goal', field: `${field}: after`, found: String(goal.after), expected: String(figure) }]),
    // A figure that is the bound itself, by less than floating point tells, may be called either.
    ...(goal.state === state || (!isExact && Math.abs(figure - goal.wanted) <= smallest)
      ? []
      : [{ code: 'goal', field, found: goal.state, expected: state }]),
  ]
}

/** What the nodes take by their rates: those that hold something that would have to go elsewhere, and by their CPU. */
function useFindings(goal: GoalOutcome, world: World): Finding[] {
  const field = `goal ${goal.goal} on ${goal.node}`
  const wrong = (what: string, found: unknown, expected: unknown): Finding => ({
    ...{ code: 'goal', field: `${field}${what}` },
    ...{ found: String(found), expected: String(expected) },
  })
  const { figure, unused, missing } = takenBy(goal.rates, world)
  const findings = missing.map(name => wrong(': rates', name, 'a node of this cluster'))
  const state = figure <= goal.wanted + smallestUse ? 'met' : 'missed'
  if (Math.abs(goal.after - figure) > smallest) findings.push(wrong(': after', goal.after, figure))
  const isOnEdge = Math.abs(figure - goal.wanted - smallestUse) < smallestUse / 2
  if (goal.state !== state && !isOnEdge) findings.push(wrong('', goal.state, state))
  if ((goal.unused ?? []).join() !== unused.join())
    findings.push(wrong(': unused', (goal.unused ?? []).join(', ') || 'none', unused.join(', ') || 'none'))
  return findings
}

interface Sum {
  readonly used: number
  readonly has: number
}

function standing(world: World, names: readonly string[]): readonly StandingNode[] {
  return names.flatMap(name => world.nodes.get(name) ?? [])
}

/** Requests on `nodes` and what they have, of one resource. */
function sumOf(nodes: readonly StandingNode[], resource: string): Sum {
  let [used, has] = [0, 0]
  for (const node of nodes) {
    has += node.allocatable[resource] ?? 0
    for (const pod of node.pods.values()) used += resource === 'pods' ? 1 : (pod.requests[resource] ?? 0)
  }
  return { used, has }
}

function figureOf(measure: GoalOutcome['measure'], sums: readonly Sum[]): number {
  const percents = sums.map(({ used, has }) => (100 * used) / has)
  if (percents.length === 0) return 0
  if (measure === 'spread') return Math.max(...percents) - Math.min(...percents)
  if (measure === 'share') {
    const has = sums.reduce((total, sum) => total + sum.has, 0)
    return (100 * sums.reduce((total, sum) => total + sum.used, 0)) / has
  }
  const mean = percents.reduce((total, percent) => total + percent, 0) / percents.length
  return percents.reduce((total, percent) => total + Math.abs(percent - mean), 0) / percents.length
}

function isWithin({ measure, bound, wanted }: GoalOutcome, sums: readonly Sum[]): boolean {
  const points = BigInt(Math.round(wanted * 1e6))
  if (measure === 'spread')
    return sums.every(high =>
      sums.every(low => {
        const apart = BigInt(high.used) * BigInt(low.has) - BigInt(low.used) * BigInt(high.has)
        return apart * 100_000_000n <= points * BigInt(high.has) * BigInt(low.has)
      }),
    )
  const used = BigInt(sums.reduce((total, sum) => total + sum.used, 0)) * 100_000_000n
  const limit = points * BigInt(sums.reduce((total, sum) => total + sum.has, 0))
  return bound === 'max' ? used < limit : used > limit
}

function lossFindings(goal: GoalOutcome, world: World, landing: LandingReplay): Finding[] {
  const field = `goal ${goal.goal}: ${goal.node}`
  const wrong = (found: string, expected: string): Finding => ({ code: 'goal', field, found, expected })
  if (goal.state === 'missed') {
    const pending = goal.loss?.pending ?? []
    const lost = goal.members?.find(({ name }) => name === goal.loss?.lost)
    const isThere = pending.every(key => lost?.nodes.includes(world.nodeOf(key)?.name ?? '') === true)
    return pending.length > 0 && isThere && goal.after === pending.length
      ? []
      : [wrong(`${goal.after} Pending`, 'the pods of one loss that have no place')]
  }
  if (goal.state !== 'met') return []
  return (goal.members ?? []).flatMap(member => {
    const [pending] = landing.pendingWithout(member.nodes, displacedFrom(standing(world, member.nodes)))
    return pending === undefined ? [] : [wrong('met', `missed: without ${member.name} ${pending} stays Pending`)]
  })
}

/** Pods that something other than their node makes again. */
function displacedFrom(nodes: readonly StandingNode[]): readonly string[] {
  return nodes
    .flatMap(node => [...node.pods.values()])
    .filter(({ object, isTerminating }) => {
      const maker = controller(object)?.kind
      return !isTerminating && maker !== undefined && maker !== 'DaemonSet' && maker !== 'Node'
    })
    .map(({ key }) => key)
}
