// The nodes on which a replacement may land as well as on the one that was chosen for it. In a large cluster the scheduler looks at some of the
// nodes only: a taint on all but one cannot lead a pod there, a taint on the few where it must not go can keep it away from them.
import type { PodState } from '#cluster/cluster-state.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import { preferredNames } from '../goals/preferences.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Amounts } from '../plan-record.ts'
import type { Intent } from './move-intent.ts'
import { mayLandBeside, RoomRules, summed } from './room-rules.ts'

/** Below this many nodes the scheduler looks at all of them. */
const fewestOfPartialSearch = 100
/** Nodes that one move can name. */
const mostNodes = 500
/** Nodes that all moves of a plan name together, in their sets and in their certificates: some 17 bytes each, and an object has 1.5 MiB at most. */
const mostNamed = 60_000

/** Moves that a plan can have where each names the nodes of a cluster that is so large. */
export function mostMovesOf({ landing }: Pick<PlanPolicy, 'landing'>, nodes: number): number {
  const namesMany = landing === 'prefer' && nodes >= fewestOfPartialSearch && nodes <= mostNodes
  return namesMany ? Math.floor(mostNamed / (2 * nodes)) : Number.POSITIVE_INFINITY
}

interface Standing {
  /** Requested on a node now, as the plan has been played so far, `pods` included. */
  used(node: string): Amounts
  /** Whether every filter passes the replacement on a node now. */
  fits(node: string): boolean
}

export class AcceptableNodes {
  readonly #input: PlanInput
  readonly #rules: RoomRules
  /** What the moves that were not played yet bring to each node. */
  readonly #awaited = new Map<string, Amounts>()
  /** Where pods go that stand with no other, or evenly: what lands beside them by chance could take their place. */
  readonly #closed: ReadonlySet<string>
  /** What a pod of this wave may have brought to any node instead of to its own. */
  #loose: Amounts = {}

  constructor(input: PlanInput, intents: readonly Intent[]) {
    this.#input = input
    this.#rules = new RoomRules(input.policy, { keepsMargins: true })
    for (const { candidate, to } of intents) this.#awaited.set(to, summed(this.#awaitedOn(to), withCount(candidate.pod.requests)))
    this.#closed = new Set(intents.flatMap(({ candidate, to }) => (standsApart(candidate.pod) ? [to] : [])))
  }

  /** Whether several nodes may be acceptable at all: in a small cluster one is led to exactly. */
  get isLarge(): boolean {
    const { nodes } = this.#input.state
    return nodes.size >= fewestOfPartialSearch && nodes.size <= mostNodes && this.#hasPlainGoals
  }

  get #hasPlainGoals(): boolean {
    const { policy } = this.#input
    return (
      policy.isolation === undefined && policy.goals.every(({ stat, resource }) => stat === 'requests' || resource === 'pods')
    )
  }

  beginWave(): void {
    this.#loose = {}
  }

  /** The move was played: its pod stands on `to`, or, where `isLoose`, on another of its nodes. */
  played({ candidate, to }: Intent, isLoose: boolean): void {
    const requests = withCount(candidate.pod.requests)
    this.#awaited.set(to, minus(this.#awaitedOn(to), requests))
    if (isLoose) this.#loose = summed(this.#loose, requests)
  }

  /** All nodes where the pod of `intent` may land, its own first; that alone where only it will do. `within`: those of the wave so far. */
  of({ candidate, to }: Intent, standing: Standing, within: readonly string[] | undefined): readonly string[] {
    const { state, policy } = this.#input
    if (standsApart(candidate.pod) || policy.goals.some(({ min, nodes }) => min !== undefined && nodes.includes(to))) return [to]
    const wished = preferredNames(policy, candidate.pod)
    const isWished = wished?.includes(to) === true
    const requests = withCount(candidate.pod.requests)
    const others = (within ?? [...state.nodes.keys()]).filter(name => {
      const node = state.nodes.get(name)
      if (node === undefined || name === to || name === candidate.from || this.#closed.has(name)) return false
      if (isWished && !wished.includes(name)) return false
      if (!mayLandBeside(policy, to, name)) return false
      const used = summed(standing.used(name), this.#awaitedOn(name), this.#loose, requests)
      return this.#rules.allows(node, used) && standing.fits(name)
    })
    return [to, ...others]
  }

  #awaitedOn(node: string): Amounts {
    return this.#awaited.get(node) ?? {}
  }
}

const withCount = (requests: Amounts): Amounts => ({ ...requests, pods: 1 })

function minus(from: Amounts, part: Amounts): Amounts {
  return summed(from, Object.fromEntries(Object.entries(part).map(([resource, amount]) => [resource, -amount])))
}

/** It asks for a node without certain pods, or for an even spread: where it stands decides where others may. */
function standsApart({ object }: PodState): boolean {
  const { affinity, topologySpreadConstraints = [] } = object.spec
  return (
    (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0 ||
    (affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0 ||
    topologySpreadConstraints.some(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
  )
}
