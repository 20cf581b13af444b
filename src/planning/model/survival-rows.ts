// What has to be true of sums for a loss to be survived: what is lost and can only run on certain nodes is at most what these may still be filled with.
// It is necessary and not enough: whether each pod finds its place is played afterwards.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import type { FleetGoal } from '../goals/policy.ts'
import { usualResources } from '../goals/resources.ts'
import { comesBack, takesOver } from '../goals/survival.ts'
import type { PlanInput } from '../plan-input.ts'
import type { GoalRow, ModelNode } from './move-model.ts'

/** Sets of nodes that certain pods are bound to and that are looked at beside all nodes together, those first that most is bound to. */
const mostReaches = 16

interface ClassShape {
  readonly pods: readonly PodState[]
  readonly from: number
  readonly destinations: readonly number[]
}

/** Nodes that some of the pods can run on. */
type Reach = ReadonlySet<number>

/** A row for each loss, set of nodes and resource that moves could change or that is missed; none for policies without such goals. */
export function survivalRows(
  { state, policy, settings }: PlanInput,
  classes: readonly ClassShape[],
  nodes: readonly ModelNode[],
): readonly GoalRow[] {
  const goals = policy.fleetGoals.filter(({ measure }) => measure === 'survives')
  if (goals.length === 0) return []
  const reaches = new Reaches(state, new StaticFit(state, settings))
  return goals.flatMap(goal =>
    goal.sets
      .flatMap(({ members }) => members)
      .flatMap(member => {
        const lost = new Set(member.nodes.flatMap(name => reaches.indexes.get(name) ?? []))
        const displaced = member.nodes.flatMap(name => state.podsOn(name)).filter(comesBack)
        return reaches
          .among(displaced)
          .flatMap(reach => lossRows({ goal, member: member.name, lost, displaced, reach }, { reaches, classes, nodes }))
      }),
  )
}

interface LossFacts {
  readonly goal: FleetGoal
  readonly member: string
  readonly lost: ReadonlySet<number>
  readonly displaced: readonly PodState[]
  readonly reach: Reach
}

interface LossModel {
  readonly reaches: Reaches
  readonly classes: readonly ClassShape[]
  readonly nodes: readonly ModelNode[]
}

function lossRows(
  { goal, member, lost, displaced, reach }: LossFacts,
  { reaches, classes, nodes }: LossModel,
): readonly GoalRow[] {
  const bound = displaced.filter(pod => isWithin(reaches.of(pod), reach))
  const only = new Set(
    classes.flatMap(({ pods: [pod] }, index) => (pod !== undefined && isWithin(reaches.of(pod), reach) ? [index] : [])),
  )
  const others = [...reach].filter(node => !lost.has(node))
  const counts = (index: number, node: number) => (reach.has(node) && !lost.has(node)) || (lost.has(node) && only.has(index))
  const resources = new Set<string>([...usualResources, ...bound.flatMap(({ requests }) => Object.keys(requests))])
  return [...resources].flatMap(resource => {
    const amountOf = (pod: PodState | undefined) => (resource === 'pods' ? 1 : (pod?.requests[resource] ?? 0))
    const leaving = bound.reduce((sum, pod) => sum + amountOf(pod), 0)
    const standing = others.reduce((sum, node) => sum + (nodes[node]?.used[resource] ?? 0), 0)
    const limit = others.reduce(
      (sum, node) => sum + Math.max(nodes[node]?.ceiling[resource] ?? 0, nodes[node]?.used[resource] ?? 0),
      0,
    )
    const used = leaving + standing
    const most = classes.reduce((sum, { pods, from, destinations }, index) => {
      const mayRise = !counts(index, from) && destinations.some(node => counts(index, node))
      return mayRise ? sum + pods.length * amountOf(pods[0]) : sum
    }, used)
    if (most <= limit) return []
    return [
      {
        ...{ goal: goal.name, subject: `the loss of ${member}`, node: others[0] ?? -1, resource, stat: 'requests', bound: 'max' },
        parts: [
          { nodes: others, factor: 1, used: standing },
          { nodes: [...lost], factor: 1, used: leaving, only },
        ],
        ...{ limit, used, allocatable: Math.max(1, limit), hard: goal.hard },
        ...(goal.weight === undefined ? {} : { weight: goal.weight }),
      } satisfies GoalRow,
    ]
  })
}

class Reaches {
  readonly indexes: ReadonlyMap<string, number>
  readonly #fit: StaticFit
  readonly #takers: readonly (readonly [name: string, index: number])[]
  readonly #all: Reach
  readonly #known = new Map<ReadonlyMap<string, unknown>, Reach>()

  constructor(state: ClusterState, fit: StaticFit) {
    this.#fit = fit
    this.indexes = new Map([...state.nodes.keys()].map((name, index) => [name, index]))
    this.#takers = [...state.nodes.values()].filter(takesOver).map(({ name }) => [name, this.indexes.get(name) ?? -1] as const)
    this.#all = new Set(this.#takers.map(([, index]) => index))
  }

  /** Nodes that the pod can run on whatever else runs; all of them for one that asks who runs beside it, since that can change. */
  of(pod: PodState): Reach {
    if (asksWhoIsThere(pod)) return this.#all
    const refusals = this.#fit.refusals(pod)
    const known = this.#known.get(refusals)
    if (known !== undefined) return known
    const reach = new Set(this.#takers.flatMap(([name, index]) => (refusals.has(name) ? [] : [index])))
    this.#known.set(refusals, reach)
    return reach
  }

  /** All nodes, and the sets of fewer that most of `pods` are bound to. */
  among(pods: readonly PodState[]): readonly Reach[] {
    const demand = new Map<string, { readonly reach: Reach; cpu: number }>()
    for (const pod of pods) {
      const reach = this.of(pod)
      if (reach.size === this.#all.size) continue
      const key = [...reach].join()
      const entry = demand.get(key) ?? { reach, cpu: 0 }
      entry.cpu += pod.requests['cpu'] ?? 0
      demand.set(key, entry)
    }
    const first = [...demand.values()].toSorted((a, b) => b.cpu - a.cpu).slice(0, mostReaches)
    return [this.#all, ...first.map(({ reach }) => reach)]
  }
}

function asksWhoIsThere({ object: { spec } }: PodState): boolean {
  const ports = [...spec.containers, ...(spec.initContainers ?? [])].some(({ ports = [] }) =>
    ports.some(port => (port.hostPort ?? 0) > 0),
  )
  return ports || (spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0
}

function isWithin(reach: Reach, other: Reach): boolean {
  return reach === other || (reach.size <= other.size && [...reach].every(node => other.has(node)))
}
