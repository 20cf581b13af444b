// Goals as bounds in integers, what contradicts in them, and whether a cluster meets them.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { Problem } from '#kube/problem.ts'
import type { GoalRow } from '../model/move-model.ts'
import type { Amounts, GoalOutcome, NodeShare } from '../plan-record.ts'
import { leastAbove, marginProblems, missingNode, mostBelow, mostWithin, outOfRange, requestedOn } from './bounds.ts'
import { fleetOutcomes, fleetProblems, type PlayedLosses } from './fleet-goals.ts'
import type { Goal, GoalResource, PlanPolicy } from './policy.ts'
import { furtherResources, hasResource, isMeasured, resourceProblems, usualResources } from './resources.ts'

/** What pods and nodes really use, as measured; absent nodes or pods are not known. */
export interface Measurements {
  readonly nodes: ReadonlyMap<string, Amounts>
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, Amounts>
}

/** The rows of all goals on nodes that exist; usage goals of nodes that were not measured are left out. */
export function goalRows(state: ClusterState, policy: PlanPolicy, measured: Measurements | undefined): readonly GoalRow[] {
  const indexes = new Map([...state.nodes.keys()].map((name, index) => [name, index]))
  return policy.goals.flatMap(goal =>
    goal.nodes.flatMap(name => {
      const index = indexes.get(name)
      const used = usedOf(state, goal, name, measured)
      if (index === undefined || used === undefined || !hasResource(state, name, goal.resource)) return []
      const allocatable = state.nodes.get(name)?.allocatable[goal.resource] ?? 0
      const common = {
        goal: goal.name,
        node: index,
        resource: goal.resource,
        stat: goal.stat,
        used,
        allocatable,
        hard: goal.hard,
        ...(goal.weight === undefined ? {} : { weight: goal.weight }),
      }
      return [
        ...(goal.max === undefined
          ? []
          : [{ ...common, bound: 'max' as const, limit: mostBelow(goal.max - goal.margin, allocatable) }]),
        ...(goal.min === undefined
          ? []
          : [{ ...common, bound: 'min' as const, limit: leastAbove(goal.min + goal.margin, allocatable) }]),
      ]
    }),
  )
}

function usedOf(state: ClusterState, goal: Goal, node: string, measured: Measurements | undefined): number | undefined {
  if (isMeasured(goal)) return measured?.nodes.get(node)?.[goal.resource]
  return requestedOn(state, node)[goal.resource] ?? 0
}

/**
 * CPU, memory and pods of every node, and of the further resources that the goals of `policy` are about those of the nodes that have any;
 * `change` is added to what their pods request.
 */
export function nodeShares(
  state: ClusterState,
  change: ReadonlyMap<string, Amounts> = new Map(),
  policy?: Pick<PlanPolicy, 'goals' | 'fleetGoals'>,
): readonly NodeShare[] {
  const further = policy === undefined ? [] : furtherResources(policy)
  return [...state.nodes.values()].flatMap(node => {
    const requested = requestedOn(state, node.name)
    const named = further.filter(resource => (node.allocatable[resource] ?? 0) > 0)
    return [...usualResources, ...named].map(resource => {
      const used = (requested[resource] ?? 0) + (change.get(node.name)?.[resource] ?? 0)
      const allocatable = node.allocatable[resource] ?? 0
      return { node: node.name, resource, used, allocatable, percent: percentOf(used, allocatable) }
    })
  })
}

function percentOf(used: number, allocatable: number): number {
  return allocatable > 0 ? (used * 100) / allocatable : 0
}

/**
 * Each goal, before and after: of one node for each node, then those over several. Judged without the margin, on the exact fraction: `max`
 * strictly below, `min` strictly above. A loss that nobody played (no `losses`) is unknown: sums alone do not say that it is survived.
 */
export function goalOutcomes(
  policy: PlanPolicy,
  state: ClusterState,
  change: GoalChange,
  measured: Measurements | undefined,
  losses?: PlayedLosses,
): readonly GoalOutcome[] {
  return [...nodeOutcomes(policy, state, change, measured), ...fleetOutcomes(policy, state, change.requests, losses)]
}

/** What changes on each node: in requests, and in measured use. */
interface GoalChange {
  readonly requests: ReadonlyMap<string, Amounts>
  readonly usage: ReadonlyMap<string, Amounts>
}

function nodeOutcomes(
  policy: PlanPolicy,
  state: ClusterState,
  change: GoalChange,
  measured: Measurements | undefined,
): readonly GoalOutcome[] {
  return policy.goals.flatMap(goal =>
    goal.nodes.flatMap(name => {
      const allocatable = state.nodes.get(name)?.allocatable[goal.resource] ?? 0
      const used = hasResource(state, name, goal.resource) ? usedOf(state, goal, name, measured) : undefined
      const changes = isMeasured(goal) ? change.usage : change.requests
      const after = (used ?? 0) + (changes.get(name)?.[goal.resource] ?? 0)
      return (['max', 'min'] as const).flatMap((bound): GoalOutcome[] => {
        const wanted = goal[bound]
        if (wanted === undefined) return []
        const isMet = bound === 'max' ? after <= mostBelow(wanted, allocatable) : after >= leastAbove(wanted, allocatable)
        const percent = percentOf(after, allocatable)
        return [
          {
            goal: goal.name,
            node: name,
            resource: goal.resource,
            stat: goal.stat,
            bound,
            wanted,
            hard: goal.hard,
            ...(goal.weight === undefined ? {} : { weight: goal.weight }),
            before: percentOf(used ?? 0, allocatable),
            after: percent,
            state: used === undefined ? 'unknown' : isMet ? 'met' : 'missed',
            shortBy: used === undefined || isMet ? 0 : Math.abs(percent - wanted),
          },
        ]
      })
    }),
  )
}

/** What is wrong with a policy on this cluster, all of it: unknown nodes, percentages out of range, goals that exclude each other. */
export function policyProblems(policy: PlanPolicy, state: ClusterState): readonly Problem[] {
  const where = `RebalancePolicy ${policy.name}`
  return [
    ...policy.goals.flatMap((goal, at) => goalProblems(policy, goal, `${where}: spec.goals[${at}]`, state)),
    ...fleetProblems(policy, where, state),
    ...duplicateNames(policy, where),
    ...selectorProblems(policy, where),
    ...contradictions(policy, where, state),
    ...policy.preferences.flatMap((preference, at) =>
      preference.nodes.flatMap((name, index) => missingNode(name, `${where}: spec.preferences[${at}].nodes[${index}]`, state)),
    ),
    ...Object.entries(policy.headroom).flatMap(([resource, percent]) =>
      outOfRange(percent, `${where}: spec.headroom.${resource}`),
    ),
    ...(Number.isInteger(policy.limits.perPlan) && policy.limits.perPlan >= 0
      ? []
      : [
          {
            code: 'limit-range',
            where: `${where}: spec.limits.perPlan`,
            found: String(policy.limits.perPlan),
            expected: 'a whole number from 0 up',
          },
        ]),
  ]
}

/** A selector that does not parse selects nothing: what it was meant to leave out or to name would not be. */
function selectorProblems({ scope, preferences }: PlanPolicy, where: string): readonly Problem[] {
  const named = [
    { selector: scope.labelSelector, place: `${where}: spec.scope.labelSelector` },
    { selector: scope.nodeSelector, place: `${where}: spec.scope.nodeSelector` },
    ...preferences.map(({ labelSelector }, at) => ({
      selector: labelSelector,
      place: `${where}: spec.preferences[${at}].labelSelector`,
    })),
  ]
  return named.flatMap(({ selector, place }) => {
    const parsed = selector === undefined ? undefined : labelSelectorOf(selector, place)
    return parsed?.ok === false ? [parsed.problem] : []
  })
}

function goalProblems(policy: PlanPolicy, goal: Goal, where: string, state: ClusterState): Problem[] {
  return [
    ...goal.nodes.flatMap((name, at) => missingNode(name, `${where}.nodes[${at}]`, state)),
    ...(goal.nodes.length === 0
      ? [{ code: 'goal-without-node', where: `${where}.nodes`, found: '[]', expected: 'at least one node' }]
      : []),
    ...(goal.max === undefined ? [] : outOfRange(goal.max, `${where}.max`)),
    ...(goal.min === undefined ? [] : outOfRange(goal.min, `${where}.min`)),
    ...outOfRange(goal.margin, `${where}.margin`),
    ...marginProblems(goal, 'share', where),
    ...(goal.max === undefined && goal.min === undefined
      ? [{ code: 'goal-without-bound', where, found: goal.name, expected: 'max, min or both' }]
      : []),
    ...resourceProblems(goal, goal.nodes, where, state),
    ...aboveHeadroom(policy, goal, where, state),
  ]
}

function duplicateNames({ goals, fleetGoals }: PlanPolicy, where: string): Problem[] {
  const names = [...goals, ...fleetGoals].map(({ name }) => name)
  const places = [...goals.map((_, at) => `spec.goals[${at}].name`), ...fleetGoals.map(({ name }) => `spec.goals (${name})`)]
  return names.flatMap((name, at) =>
    names.indexOf(name) === at
      ? []
      : [
          {
            code: 'goal-name-duplicate',
            where: `${where}: ${places[at] ?? ''}`,
            found: name,
            expected: 'a name that no other goal has',
          },
        ],
  )
}

/** A `min` that headroom keeps out of reach by itself. */
function aboveHeadroom(policy: PlanPolicy, goal: Goal, where: string, state: ClusterState): Problem[] {
  const { min } = goal
  const percent = new Map(Object.entries(policy.headroom)).get(goal.resource)
  if (min === undefined || goal.stat === 'usage' || percent === undefined) return []
  return goal.nodes.flatMap(name => {
    const allocatable = state.nodes.get(name)?.allocatable[goal.resource]
    if (allocatable === undefined) return []
    const most = Math.max(mostWithin(percent, allocatable), requestedOn(state, name)[goal.resource] ?? 0)
    if (leastAbove(min + goal.margin, allocatable) <= most) return []
    const limit = `${percent} % (spec.headroom.${goal.resource})`
    return [
      {
        code: 'goal-above-headroom',
        where: `${where}.min`,
        found: `${min} with margin ${goal.margin}`,
        expected: `less than ${limit} on node ${name}`,
      },
    ]
  })
}

/** Pairs of bounds on one node, resource and stat that no amount can meet together. */
function contradictions(policy: PlanPolicy, where: string, state: ClusterState): Problem[] {
  const bounds = policy.goals.flatMap((goal, at) => goal.nodes.map(node => ({ goal, at, node })))
  return bounds.flatMap(low =>
    bounds.flatMap(high => {
      const { min } = low.goal
      const { max } = high.goal
      if (min === undefined || max === undefined || low.node !== high.node) return []
      if (low.goal.resource !== high.goal.resource || low.goal.stat !== high.goal.stat) return []
      const allocatable = state.nodes.get(low.node)?.allocatable[low.goal.resource] ?? 0
      if (leastAbove(min + low.goal.margin, allocatable) <= mostBelow(max - high.goal.margin, allocatable)) return []
      return [
        {
          code: 'goals-contradict',
          where: `${where}: spec.goals[${low.at}].min`,
          found: `${min} with margin ${low.goal.margin}`,
          expected: `less than max ${max} with margin ${high.goal.margin} of goal ${high.goal.name} on node ${low.node}, both for ${resourceOf(low.goal)}`,
        },
      ]
    }),
  )
}

function resourceOf(goal: Goal): `${GoalResource} ${Goal['stat']}` {
  return `${goal.resource} ${goal.stat}`
}
