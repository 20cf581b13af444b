// How a template says where its pods are to land: a wish where the scheduler follows it for sure, a demand where it would not.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, NodeAffinity, NodeSelectorRequirement, PodSpec } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { goalOutcomes } from '../goals/goals.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import { workloadKey } from '../goals/policy.ts'
import { lossesNow } from '../goals/survival.ts'
import type { GoalOutcome } from '../plan-record.ts'
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

interface Steered {
  readonly moves: readonly SteeredMove[]
  /** Each goal, the worst of all orders of rollouts that were played. */
  readonly goals: readonly GoalOutcome[]
  /** Pods of changed workloads that found no place in some order. */
  readonly stuck: readonly string[]
  /** The cluster after the last order. */
  readonly after: ClusterState
}

/** Orders of rollouts that are played: nobody knows in which order a GitOps tool and the controllers get to them. */
const orders = 8
const hostname = 'kubernetes.io/hostname'
const heaviest = 100

/** The expression that picks a node: by its host name, as labels have it. */
function expressionFor(state: Pick<ClusterState, 'nodes'>, node: string): NodeSelectorRequirement {
  return { key: hostname, operator: 'In', values: [state.nodes.get(node)?.object.metadata.labels?.[hostname] ?? node] }
}

/** `affinity` with the wish, or the demand, for one node; what else it says stays. */
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

interface Cluster {
  readonly objects: readonly KubeObject[]
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly policy: PlanPolicy
}

/**
 * Plays the rollouts in several orders. A workload that lands elsewhere in any of them, or might, is to demand its node. `firm`: all
 * demand. Ends when nothing changes any more.
 */
export function steer(cluster: Cluster, moves: readonly WorkloadMove[], firm: boolean): Steered {
  let steered: readonly SteeredMove[] = moves.map(move => ({ ...move, strength: firm ? 'required' : 'preferred', instead: [] }))
  for (;;) {
    const plays = Array.from({ length: orders }, (_, seed) => playOrder(cluster, steered, seed))
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
    return { moves: steered, goals: worstOf(plays.map(({ goals }) => goals)), stuck, after: last.after }
  }
}

interface Played {
  /** By workload: nodes other than the wanted one that a pod could have landed on. */
  readonly elsewhere: ReadonlyMap<string, ReadonlySet<string>>
  readonly goals: readonly GoalOutcome[]
  readonly stuck: readonly string[]
  readonly after: ClusterState
}

function playOrder({ objects, state, settings, policy }: Cluster, moves: readonly SteeredMove[], seed: number): Played {
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
      const named = landing.filter(node => node !== move.to)
      return landingSize > landing.length ? [...named, 'others'] : named
    })
    if (others.length > 0) elsewhere.set(workloadKey(move.workload), new Set(others))
  }
  const none = { requests: new Map(), usage: new Map() }
  const uids = new Set(moves.map(({ workload }) => workload.uid))
  const stuck = [...world.state.pods.values()]
    .filter(pod => pod.nodeName === undefined && uids.has(pod.workload?.uid ?? ''))
    .map(({ key }) => key)
  return {
    elsewhere,
    goals: goalOutcomes(policy, world.state, none, undefined, lossesNow(world.state, policy, settings)),
    stuck,
    after: world.state,
  }
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
