// Goals of a RebalancePolicy as the planner takes them: labels and selectors become the nodes of this moment.

import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { isLeaving } from '#planning/goals/leaving.ts'
import type { FleetGoal, Goal, GoalMember, LeftOut } from '#planning/goals/policy.ts'
import { hasResource } from '#planning/goals/resources.ts'
import type { PolicyGoal, RebalancePolicy } from '../api.ts'
import { ratesOf } from './node-rates.ts'

interface ResolvedGoals {
  readonly goals: readonly Goal[]
  readonly fleetGoals: readonly FleetGoal[]
  readonly leftOut: readonly LeftOut[]
}

const zoneLabel = 'topology.kubernetes.io/zone'

/** All goals with their nodes. Problem: the first selector that does not parse, the first goal that asks for what its kind does not have. */
export function goalsOf({ metadata, spec }: RebalancePolicy, state: ClusterState): Parsed<ResolvedGoals> {
  const goals: Goal[] = []
  const fleetGoals: FleetGoal[] = []
  const leftOut: LeftOut[] = []
  for (const [index, goal] of spec.goals.entries()) {
    const where = `RebalancePolicy ${metadata.name}: spec.goals[${index}]`
    const named = groupsOf(goal, state, where)
    if (!named.ok) return named
    leftOut.push(...missingOf(goal, state))
    // A pool that an autoscaler took to no node has nothing to judge; the other goals stay.
    if (named.value.length === 0 || (isSelected(goal) && named.value.every(({ nodes }) => nodes.length === 0))) continue
    const isFleet = measureOf(goal) !== undefined
    if (goal.watts !== undefined || goal.cost !== undefined) {
      const used = useGoalOf(goal, named.value, { metadata, spec, state, where })
      if (!used.ok) return used
      leftOut.push(...used.value.leftOut)
      fleetGoals.push(used.value.goal)
      continue
    }
    const refused = isFleet ? refusalOf(goal, where) : undefined
    if (refused !== undefined) return { ok: false, problem: refused }
    if (!isFleet) {
      const counted = goal.pool === undefined ? { groups: named.value, leftOut: [] } : countedOf(goal, named.value, state)
      const having = havingOf(goal, counted.groups, state)
      leftOut.push(...counted.leftOut, ...having.leftOut)
      goals.push({ ...commonOf(goal), stat: goal.stat, nodes: having.groups.flatMap(({ nodes }) => nodes) })
      continue
    }
    const counted = countedOf(goal, named.value, state)
    const having = havingOf(goal, counted.groups, state)
    leftOut.push(...counted.leftOut, ...having.leftOut, ...unlabelledOf(goal, having.groups, state))
    fleetGoals.push(fleetGoalOf(goal, having.groups, state))
  }
  return { ok: true, value: { goals, fleetGoals, leftOut } }
}

/** The goals of a policy for a report; none where there is no policy, or where it has problems, which are told elsewhere. */
export function shownGoals(
  policy: RebalancePolicy | undefined,
  state: ClusterState,
): Pick<ResolvedGoals, 'goals' | 'fleetGoals'> {
  const resolved = policy === undefined ? undefined : goalsOf(policy, state)
  return resolved?.ok === true ? resolved.value : { goals: [], fleetGoals: [] }
}

/** What a goal over several nodes measures; `undefined`: it is one for each node. */
function measureOf({ spread, deviation, survives, watts, cost, per }: PolicyGoal): FleetGoal['measure'] | undefined {
  if (watts !== undefined) return 'watts'
  if (cost !== undefined) return 'cost'
  if (survives !== undefined) return 'survives'
  if (spread !== undefined) return 'spread'
  if (deviation !== undefined) return 'deviation'
  return per === 'together' ? 'share' : undefined
}

function commonOf(goal: PolicyGoal) {
  const { name, resource = 'cpu', margin, hard, max, min, weight } = goal
  return {
    ...{ name, resource, margin, hard },
    ...(max === undefined ? {} : { max }),
    ...(min === undefined ? {} : { min }),
    ...(weight === undefined ? {} : { weight }),
  }
}

function refusalOf(goal: PolicyGoal, where: string): Problem | undefined {
  if (goal.stat === 'usage')
    return {
      code: 'goal-stat',
      where: `${where}.stat`,
      found: 'usage',
      expected: 'requests: measured use is for max and min of each node alone',
    }
  const compares = goal.spread !== undefined || goal.deviation !== undefined
  if (compares && goal.per === 'together' && goal.pool === undefined)
    return {
      code: 'goal-without-pool',
      where: `${where}.per`,
      found: 'together without a pool',
      expected: 'a pool, whose groups are compared, or per: each',
    }
  if (measureOf(goal) === 'share' && goal.max === undefined && goal.min === undefined)
    return { code: 'goal-without-bound', where, found: goal.name, expected: 'max, min or both' }
  return undefined
}

interface UseFacts extends Pick<RebalancePolicy, 'metadata' | 'spec'> {
  readonly state: ClusterState
  readonly where: string
}

/** A goal of watts or cost: all of its nodes together, also those that are cordoned. Nodes of unknown watts or price are left out and told. */
function useGoalOf(
  goal: PolicyGoal,
  groups: readonly GoalMember[],
  { metadata, spec, state, where }: UseFacts,
): Parsed<{ readonly goal: FleetGoal; readonly leftOut: readonly LeftOut[] }> {
  const measure = goal.watts === undefined ? 'cost' : 'watts'
  const nodes = groups.flatMap(group => group.nodes)
  const known = nodes.flatMap(name => state.nodes.get(name) ?? [])
  const rates = ratesOf(measure, spec, known, `RebalancePolicy ${metadata.name}`)
  if (!rates.ok) return rates
  const field = measure === 'cost' ? 'spec.prices' : 'spec.energy.nodes'
  if (rates.value.length === 0) {
    const expected = `an entry of ${field} for at least one node of the goal`
    return { ok: false, problem: { code: 'goal-without-rates', where: `${where}.${measure}`, found: 'none', expected } }
  }
  const counted = new Set(rates.value.map(({ node }) => node))
  const leftOut = nodes.flatMap(node => (counted.has(node) ? [] : [{ goal: goal.name, node, because: `not in ${field}` }]))
  const { name, hard, weight } = goal
  const single = groups.length === 1 ? groups[0]?.name : goal.pool?.label
  const members = [...counted].map(node => ({ name: node, nodes: [node] }))
  return {
    ok: true,
    value: {
      leftOut,
      goal: {
        ...{ name, measure, hard, margin: 0, resource: 'cpu', rates: rates.value, max: (goal.watts ?? goal.cost)?.atMost ?? 0 },
        sets: [{ name: single ?? 'all nodes', members }],
        ...(weight === undefined ? {} : { weight }),
      },
    },
  }
}

/** The groups of nodes that a goal names: one for each value of its pool's label, else one. */
function groupsOf(goal: PolicyGoal, state: ClusterState, where: string): Parsed<readonly GoalMember[]> {
  const all = [...state.nodes.values()]
  if (goal.pool !== undefined) {
    const { label, values } = goal.pool
    const isMeant = (value: string | undefined) => value !== undefined && (values === undefined || values.includes(value))
    const meant = all.filter(node => isMeant(labelOf(node, label)))
    return { ok: true, value: byLabel(meant, label).map(({ name, nodes }) => ({ name: `${label}=${name}`, nodes })) }
  }
  if (goal.nodeSelector === undefined && goal.nodes.length === 0 && measureOf(goal) !== undefined)
    return { ok: true, value: [{ name: 'all nodes', nodes: all.map(({ name }) => name) }] }
  const selector = goal.nodeSelector === undefined ? undefined : labelSelectorOf(goal.nodeSelector, `${where}.nodeSelector`)
  if (selector?.ok === false) return selector
  const selected = all.filter(node => selector?.value.matches(node.object.metadata.labels ?? {}) === true).map(({ name }) => name)
  const nodes = [...new Set([...goal.nodes, ...selected])]
  return { ok: true, value: [{ name: nodes.length <= 3 ? nodes.join(', ') : `${nodes.length} nodes`, nodes }] }
}

const isSelected = (goal: PolicyGoal): boolean =>
  goal.pool !== undefined || (goal.nodeSelector !== undefined && goal.nodes.length === 0)

/** Values of its pool that no node has. */
function missingOf(goal: PolicyGoal, state: ClusterState): readonly LeftOut[] {
  const { name, pool } = goal
  const all = [...state.nodes.values()]
  const missing: LeftOut[] = []
  if (pool !== undefined) {
    const known = [...new Set(all.flatMap(node => labelOf(node, pool.label) ?? []))].sort()
    const because =
      known.length === 0 ? 'no node has that label' : `no node has it; there are ${known.slice(0, mostValues).join(', ')}`
    if (pool.values === undefined && known.length === 0) missing.push({ goal: name, node: pool.label, because })
    for (const value of pool.values ?? [])
      if (!known.includes(value)) missing.push({ goal: name, node: `${pool.label}=${value}`, because })
  }
  return missing
}

/** Nodes of a goal that nothing tells with which others they are lost. */
function unlabelledOf({ name, survives }: PolicyGoal, groups: readonly GoalMember[], state: ClusterState): readonly LeftOut[] {
  const label = survives === 'zone' ? zoneLabel : survives
  if (label === undefined || label === 'node') return []
  return groups.flatMap(({ nodes }) =>
    nodes.flatMap(node => {
      const known = state.nodes.get(node)
      const isTold = known === undefined || labelOf(known, label) !== undefined
      return isTold ? [] : [{ goal: name, node, because: `without the label ${label}` }]
    }),
  )
}

/** Values of a label that are told where another was asked for. */
const mostValues = 8

const labelOf = ({ object }: NodeState, label: string): string | undefined => object.metadata.labels?.[label]

function byLabel(nodes: readonly NodeState[], label: string): readonly GoalMember[] {
  const groups = Map.groupBy(
    nodes.filter(node => labelOf(node, label) !== undefined),
    node => labelOf(node, label) ?? '',
  )
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => ({ name, nodes: members.map(node => node.name) }))
}

/** The groups without the nodes that do not count, which are told. A node that is cordoned can be lost all the same. */
function countedOf(goal: PolicyGoal, groups: readonly GoalMember[], state: ClusterState) {
  const leftOut: LeftOut[] = []
  const isCounted = (name: string) => {
    const node = state.nodes.get(name)
    // What is not there at all is a problem of the policy, and told as one.
    if (node === undefined) return true
    const isClosed = !node.isSchedulable || isLeaving(node)
    const because = !node.isReady ? 'not ready' : isClosed && goal.survives === undefined ? 'cordoned' : undefined
    if (because !== undefined) leftOut.push({ goal: goal.name, node: name, because })
    return because === undefined
  }
  const counted = groups
    .map(({ name, nodes }) => ({ name, nodes: nodes.filter(isCounted) }))
    .filter(({ nodes }) => nodes.length > 0)
  return { groups: counted, leftOut }
}

/**
 * The groups without the nodes that have nothing of the goal's resource, which are told: a share of nothing is none. Where none of them has any
 * they stay, and the policy's problems say so.
 */
function havingOf({ name, resource }: PolicyGoal, groups: readonly GoalMember[], state: ClusterState) {
  const isThere = (node: string) => resource === undefined || !state.nodes.has(node) || hasResource(state, node, resource)
  const all = groups.flatMap(({ nodes }) => nodes)
  if (!all.some(isThere)) return { groups, leftOut: [] }
  const leftOut = all.flatMap(node => (isThere(node) ? [] : [{ goal: name, node, because: `has no ${resource}` }]))
  return {
    groups: groups.map(group => ({ ...group, nodes: group.nodes.filter(isThere) })).filter(({ nodes }) => nodes.length > 0),
    leftOut,
  }
}

function fleetGoalOf(goal: PolicyGoal, groups: readonly GoalMember[], state: ClusterState): FleetGoal {
  const { max: _, min: __, ...common } = commonOf(goal)
  const one = (name: string): GoalMember => ({ name, nodes: [name] })
  if (goal.survives !== undefined) {
    const label = goal.survives === 'zone' ? zoneLabel : goal.survives
    const nodes = groups.flatMap(group => group.nodes)
    const members =
      label === 'node'
        ? nodes.map(one)
        : byLabel(
            nodes.flatMap(name => state.nodes.get(name) ?? []),
            label,
          )
    return { ...common, measure: 'survives', margin: 0, sets: [{ name: `any one ${goal.survives}`, members }] }
  }
  const points = goal.spread ?? goal.deviation
  if (points === undefined)
    return { ...commonOf(goal), measure: 'share', sets: groups.map(group => ({ name: group.name, members: [group] })) }
  const sets =
    goal.per === 'together'
      ? [{ name: goal.pool?.label ?? '', members: groups }]
      : groups.map(({ name, nodes }) => ({ name, members: nodes.map(one) }))
  return { ...common, measure: goal.spread === undefined ? 'deviation' : 'spread', sets, max: points.max }
}
