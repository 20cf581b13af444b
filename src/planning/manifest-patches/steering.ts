// How a template says where its pods are to land: a wish where the scheduler follows it for sure, a demand where it would not.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, NodeAffinity, NodeSelectorRequirement, PodSpec } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { goalOutcomes, type Measurements } from '../goals/goals.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import { workloadKey } from '../goals/policy.ts'
import { lossesNow } from '../goals/survival.ts'
import type { Amounts, GoalOutcome } from '../plan-record.ts'
import { workloadSpec } from '../simulation/pod-making.ts'
import { rollOut } from '../simulation/rollouts.ts'
import { World } from '../simulation/world.ts'
import type { WorkloadMove } from './placement-choice.ts'

type Affinity = NonNullable<PodSpec['affinity']>
type Strength = 'preferred' | 'required'

/** A move with how firmly its manifest has to say it. */
export interface SteeredMove extends WorkloadMove {
  readonly strength: Strength
  /** What else the scheduler would have chosen with a wish alone. */
  readonly instead: readonly string[]
}

export interface Steered {
  readonly moves: readonly SteeredMove[]
  /** Each goal, the worst of all orders of rollouts that were played. */
  readonly goals: readonly GoalOutcome[]
  /** Pods of changed workloads that found no place in some order. */
  readonly stuck: readonly string[]
  /** Workloads that in some order stood on their nodes in other numbers than chosen, by `namespace/kind/name`. */
  readonly uneven: ReadonlySet<string>
  /** The cluster after the last order. */
  readonly after: ClusterState
}

/** Orders of rollouts that are played: nobody knows in which order a GitOps tool and the controllers get to them. */
const orders = 8
const hostname = 'kubernetes.io/hostname'
const heaviest = 100

/** The expression that picks nodes: by their host names, as labels have them. */
function expressionFor(state: Pick<ClusterState, 'nodes'>, nodes: readonly string[]): NodeSelectorRequirement {
  const values = nodes.map(node => state.nodes.get(node)?.object.metadata.labels?.[hostname] ?? node)
  return { key: hostname, operator: 'In', values }
}

/** `affinity` with the wish, or the demand, for nodes; what else it says stays. */
export function affinityTowards(
  affinity: Affinity | undefined,
  expression: NodeSelectorRequirement,
  strength: Strength,
): Affinity {
  const before = affinity?.nodeAffinity
  const nodeAffinity = strength === 'required' ? demanding(before, expression) : wishing(before, expression)
  return { ...affinity, nodeAffinity }
}

function wishing(before: NodeAffinity | undefined, expression: NodeSelectorRequirement): NodeAffinity {
  const terms = before?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  // A wish for a host of the same weight is one of an earlier plan: it changes its mind.
  const others = terms.filter(({ weight, preference }) => {
    const [only, second] = preference.matchExpressions ?? []
    const isOurs =
      weight === heaviest && only?.key === hostname && second === undefined && (preference.matchFields ?? []).length === 0
    return !isOurs
  })
  const wish = { weight: heaviest, preference: { matchExpressions: [expression] } }
  return { ...before, preferredDuringSchedulingIgnoredDuringExecution: [...others, wish] }
}

function demanding(before: NodeAffinity | undefined, expression: NodeSelectorRequirement): NodeAffinity {
  const terms = before?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const nodeSelectorTerms =
    terms.length === 0
      ? [{ matchExpressions: [expression] }]
      : terms.map(term => {
          const others = (term.matchExpressions ?? []).filter(({ key, operator }) => key !== hostname || operator !== 'In')
          return { ...term, matchExpressions: [...others, expression] }
        })
  return { ...before, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
}

/** The workload with its template changed. */
function steeredObject(state: ClusterState, move: WorkloadMove, strength: Strength): KubeObject {
  const spec = workloadSpec(move.object)
  const { template } = spec
  if (template === undefined) return move.object
  const affinity = affinityTowards(template.spec.affinity, expressionFor(state, move.to), strength)
  return { ...move.object, spec: { ...spec, template: { ...template, spec: { ...template.spec, affinity } } } }
}

/** The node's expression and the affinity that the workload's template is to have. */
export function affinityOf(state: ClusterState, move: SteeredMove, given: Affinity | undefined): Affinity {
  return affinityTowards(given, expressionFor(state, move.to), move.strength)
}

export interface SteeredCluster {
  readonly objects: readonly KubeObject[]
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly policy: PlanPolicy
  readonly measured: Measurements | undefined
}

/**
 * Plays the rollouts in several orders. A workload that lands elsewhere in any of them, or might, is to demand its node. `firm`: all
 * demand. Ends when nothing changes any more.
 */
export function steer(cluster: SteeredCluster, moves: readonly WorkloadMove[], firm: boolean): Steered {
  let steered: readonly SteeredMove[] = moves.map(move => ({ ...move, strength: firm ? 'required' : 'preferred', instead: [] }))
  for (;;) {
    const plays = Array.from({ length: steered.length === 0 ? 1 : orders }, (_, seed) => playOrder(cluster, steered, seed))
    const astray = new Map<string, Set<string>>()
    for (const { elsewhere } of plays)
      for (const [key, nodes] of elsewhere) astray.set(key, new Set([...(astray.get(key) ?? []), ...nodes]))
    const next = steered.map((move): SteeredMove => {
      const nodes = astray.get(workloadKey(move.workload))
      return nodes === undefined || move.strength === 'required'
        ? move
        : { ...move, strength: 'required', instead: [...nodes].sort() }
    })
    const isSettled = next.every((move, at) => move.strength === steered[at]?.strength)
    steered = next
    const last = plays.at(-1)
    if (!isSettled || last === undefined) continue
    const stuck = [...new Set(plays.flatMap(play => play.stuck))].sort()
    const uneven = new Set(plays.flatMap(play => play.uneven))
    return { moves: steered, goals: worstOf(plays.map(({ goals }) => goals)), stuck, uneven, after: last.after }
  }
}

interface Played {
  /** By workload: nodes other than the wanted one that a pod could have landed on. */
  readonly elsewhere: ReadonlyMap<string, ReadonlySet<string>>
  readonly goals: readonly GoalOutcome[]
  readonly stuck: readonly string[]
  readonly uneven: readonly string[]
  readonly after: ClusterState
}

function playOrder(
  { objects, state, settings, policy, measured }: SteeredCluster,
  moves: readonly SteeredMove[],
  seed: number,
): Played {
  const random = seededRandom(seed)
  const world = new World(objects, { settings, random, kubelet: 'fast' })
  const elsewhere = new Map<string, ReadonlySet<string>>()
  for (const move of shuffled(moves, random)) {
    const object = steeredObject(state, move, move.strength)
    world.put(object)
    world.takeLandings()
    rollOut(world, object)
    world.schedule()
    const others = world.takeLandings().flatMap(({ landing, landingSize }) => {
      const named = landing.filter(node => !move.to.includes(node))
      return landingSize > landing.length ? [...named, 'others'] : named
    })
    if (others.length > 0) elsewhere.set(workloadKey(move.workload), new Set(others))
  }
  const change = { requests: new Map<string, Amounts>(), usage: usageChange(world.state, moves, measured) }
  const uids = new Set(moves.map(({ workload }) => workload.uid))
  const stuck = [...world.state.pods.values()]
    .filter(pod => pod.nodeName === undefined && uids.has(pod.workload?.uid ?? ''))
    .map(({ key }) => key)
  return {
    elsewhere,
    goals: goalOutcomes(policy, world.state, change, measured, lossesNow(world.state, policy, settings)),
    stuck,
    uneven: moves.filter(move => isUneven(world.state, move)).map(({ workload }) => workloadKey(workload)),
    after: world.state,
  }
}

function countsOf(state: ClusterState, uid: string): ReadonlyMap<string, number> {
  const own = state.podsOf(uid).filter(pod => !pod.isFinished)
  return new Map([...Map.groupBy(own, ({ nodeName = '' }) => nodeName)].map(([node, pods]) => [node, pods.length]))
}

function isUneven(state: ClusterState, { workload, shares }: WorkloadMove): boolean {
  const counts = countsOf(state, workload.uid)
  return counts.size !== shares.size || [...shares].some(([node, count]) => counts.get(node) !== count)
}

/** What nodes use more or less than measured, when each new pod uses what those before it did on average. */
function usageChange(
  state: ClusterState,
  moves: readonly WorkloadMove[],
  measured: Measurements | undefined,
): ReadonlyMap<string, Amounts> {
  const change = new Map<string, Record<string, number>>()
  const add = (node: string, use: Amounts, factor: number) => {
    const sum = change.get(node) ?? {}
    for (const [resource, amount] of Object.entries(use)) sum[resource] = (sum[resource] ?? 0) + amount * factor
    change.set(node, sum)
  }
  for (const { workload, pods } of moves) {
    const uses = pods.map(pod => ({ node: pod.nodeName ?? '', use: measured?.pods.get(pod.key) ?? {} }))
    for (const { node, use } of uses) add(node, use, -1)
    for (const [node, count] of countsOf(state, workload.uid))
      for (const { use } of uses) add(node, use, count / Math.max(1, uses.length))
  }
  return change
}

function shuffled<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map(item => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** The outcome of each goal that is furthest from it. */
function worstOf(plays: readonly (readonly GoalOutcome[])[]): readonly GoalOutcome[] {
  const [first = []] = plays
  return first.map((_, at) => {
    const all = plays.flatMap(goals => goals[at] ?? [])
    return all.reduce((worst, goal) =>
      goal.shortBy > worst.shortBy || (goal.state !== 'met' && worst.state === 'met') ? goal : worst,
    )
  })
}
