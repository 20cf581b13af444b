// The nodes on which a replacement may land as well as on the one that was chosen for it. In a large cluster the scheduler looks at some of the
// nodes only: a taint on all but one cannot lead a pod there, a taint on the few where it must not go can keep it away from them. These are the
// closed nodes: there are more of them with every wave and never fewer, so that a plan names each once.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { preferredNames } from '../goals/preferences.ts'
import { isMeasured } from '../goals/resources.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Amounts, Move } from '../plan-record.ts'
import { acceptance } from './acceptance.ts'
import type { Intent } from './move-intent.ts'
import { mayLandBeside, RoomRules, type Slack, summed } from './room-rules.ts'

/** Below this many nodes the scheduler looks at all of them. */
export const fewestOfPartialSearch = 100
/** Nodes that a plan closes at most: each is tainted while it runs. */
const mostClosed = 1_000
/** Nodes that the moves of a plan name, those of all moves together, where they cannot say "all but the closed ones". */
const mostNamed = 30_000

/** As a move of the plan says it. */
export type Acceptable = Pick<Move, 'acceptable' | 'closed'>

interface Standing {
  /** Requested on a node now, as the plan has been played so far, `pods` included: the very same object until it changes. */
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
  readonly #reserved: ReadonlySet<string>
  /** Nodes of goals of measured use: nobody knows what a pod that lands there by chance will use. */
  readonly #measured: ReadonlySet<string>
  readonly #closed: string[] = []
  readonly #destinations = new WeakMap<readonly string[], ReadonlySet<string>>()
  /** What a pod of this wave may have brought to any node instead of to its own. */
  #loose: Amounts = {}
  #named = 0
  /** What each node may still take, as long as what is requested and awaited there stays the same. */
  readonly #slack = new Map<string, { readonly used: Amounts; readonly awaited: Amounts; readonly slack: Slack }>()
  readonly #open = new WeakMap<object, readonly string[]>()

  constructor(input: PlanInput, intents: readonly Intent[]) {
    this.#input = input
    this.#rules = new RoomRules(input.policy, { keepsMargins: true })
    for (const { candidate, to } of intents) this.#awaited.set(to, summed(this.#awaitedOn(to), withCount(candidate.pod.requests)))
    this.#reserved = new Set(intents.flatMap(({ candidate, to }) => (standsApart(candidate.pod) ? [to] : [])))
    const measured = input.policy.goals.filter(isMeasured)
    this.#measured = new Set(measured.flatMap(({ nodes }) => nodes))
  }

  /** Whether several nodes may be acceptable at all: in a small cluster one is led to exactly. */
  get isLarge(): boolean {
    return this.#input.state.nodes.size >= fewestOfPartialSearch
  }

  /** In the order in which they were closed. */
  get closedNodes(): readonly string[] {
    return this.#closed
  }

  beginWave(): void {
    this.#loose = {}
  }

  /** The move was played: its pod stands on `to`, or, where several nodes were acceptable, on another of them. */
  played({ candidate, to }: Intent, { acceptable, closed }: Acceptable): void {
    const requests = withCount(candidate.pod.requests)
    this.#awaited.set(to, minus(this.#awaitedOn(to), requests))
    if (acceptable.length > 1 || closed !== undefined) this.#loose = summed(this.#loose, requests)
    if (acceptable.length > 1) this.#named += acceptable.length
  }

  /**
   * Where the first move of a wave may land. Nodes that must not take it are closed for good, unless it turns out that it cannot be
   * played: `undo` then opens them again. Undefined: too many nodes would have to be closed or named.
   */
  first(intent: Intent, standing: Standing): (Acceptable & { readonly undo: () => void }) | undefined {
    const undo = () => undefined
    if (this.#isToFill(intent)) return { acceptable: [intent.to], undo }
    if (this.#isBoundTo(intent)) {
      const acceptable = [intent.to, ...this.#among(intent, standing)]
      return this.#named + acceptable.length > mostNamed ? undefined : { acceptable, undo }
    }
    const before = this.#closed.length
    const reopen = () => {
      this.#closed.length = before
    }
    const others = new Set(this.#input.state.nodes.keys()).difference(new Set([...this.#closed, intent.to]))
    // Its own node is closed also where it would not fit there now: to other moves of the wave that may be open.
    const { from } = intent.candidate
    const isHarmful = (node: string) => node === from || (standing.fits(node) && !this.#mayTake(intent, node, standing))
    this.#closed.push(...[...others].filter(isHarmful))
    if (this.#closed.length > mostClosed) {
      reopen()
      return undefined
    }
    return { acceptable: [intent.to], closed: this.#closed.length, undo: reopen }
  }

  /** Where a further move of a wave may land that began with `wave`; undefined: not on all nodes of it, so that it has to wait. */
  further(intent: Intent, standing: Standing, wave: Acceptable & Pick<Move, 'from'>): Acceptable | undefined {
    const { closed } = wave
    const accepts = acceptance({ closedNodes: this.#closed }, wave)
    if (!accepts(intent.to) || accepts(intent.candidate.from) || this.#isToFill(intent)) return undefined
    if (closed === undefined) {
      if (wave.acceptable.length === 1) return { acceptable: [intent.to] }
      const others = wave.acceptable.filter(node => node !== intent.to)
      return others.every(node => this.#mayTake(intent, node, standing)) ? { acceptable: [intent.to, ...others] } : undefined
    }
    if (this.#isBoundTo(intent)) return undefined
    const isClosed = new Set(this.#closed.slice(0, closed))
    const special = wave.acceptable.filter(node => node !== intent.to && isClosed.has(node))
    const open = this.#open.get(wave) ?? Array.from(this.#input.state.nodes.keys()).filter(accepts)
    this.#open.set(wave, open)
    // What has room needs no filters.
    return open.every(node => node === intent.to || this.#mayTake(intent, node, standing) || !standing.fits(node))
      ? { acceptable: [intent.to, ...special], closed }
      : undefined
  }

  /** It serves a goal that asks for more on its node: nowhere else it would. */
  #isToFill({ to }: Intent): boolean {
    return this.#input.policy.goals.some(({ min, nodes }) => min !== undefined && nodes.includes(to))
  }

  /** Only some nodes will do: those that are wished, or those that share what its rules are about. */
  #isBoundTo({ candidate, to }: Intent): boolean {
    return preferredNames(this.#input.policy, candidate.pod)?.includes(to) === true || boundKeys(candidate.pod).length > 0
  }

  /** The nodes that will do and may take it, besides its own. */
  #among(intent: Intent, standing: Standing): readonly string[] {
    const { state, policy } = this.#input
    const { candidate, to } = intent
    const wished = preferredNames(policy, candidate.pod)
    const isWished = wished?.includes(to) === true
    const labelsOf = (node: string) => state.nodes.get(node)?.object.metadata.labels ?? {}
    const keys = boundKeys(candidate.pod)
    return (isWished ? wished : candidate.destinations).filter(
      node =>
        node !== to &&
        state.nodes.has(node) &&
        keys.every(key => labelsOf(node)[key] === labelsOf(to)[key]) &&
        this.#mayTake(intent, node, standing) &&
        standing.fits(node),
    )
  }

  /** Whether all stays as it should be where the pod lands there by chance: it is a destination, nobody else needs it, and there is room. */
  #mayTake({ candidate, to }: Intent, name: string, standing: Standing): boolean {
    const node = this.#input.state.nodes.get(name)
    if (node === undefined || name === candidate.from || this.#reserved.has(name) || this.#measured.has(name)) return false
    if (!mayLandBeside(this.#input.policy, to, name)) return false
    if (name !== to && !this.#destinationsOf(candidate.destinations).has(name)) return false
    // Where it stands, another may be refused that is still to come.
    if (standsApart(candidate.pod) && (this.#awaitedOn(name)['pods'] ?? 0) > 0) return false
    const { slack, isOver } = this.#slackOf(node, standing)
    const { requests } = candidate.pod
    return (
      !isOver &&
      1 + (this.#loose['pods'] ?? 0) <= (slack['pods'] ?? 0) &&
      everyAmount(requests, (amount, resource) => amount + (this.#loose[resource] ?? 0) <= (slack[resource] ?? 0)) &&
      everyAmount(
        this.#loose,
        (amount, resource) => resource in requests || resource === 'pods' || amount <= (slack[resource] ?? 0),
      )
    )
  }

  #slackOf(node: NodeState, standing: Standing): Slack {
    const used = standing.used(node.name)
    const awaited = this.#awaitedOn(node.name)
    const known = this.#slack.get(node.name)
    if (known?.used === used && known.awaited === awaited) return known.slack
    const slack = this.#rules.slack(node, summed(used, awaited))
    this.#slack.set(node.name, { used, awaited, slack })
    return slack
  }

  #destinationsOf(destinations: readonly string[]): ReadonlySet<string> {
    const known = this.#destinations.get(destinations) ?? new Set(destinations)
    this.#destinations.set(destinations, known)
    return known
  }

  #awaitedOn(node: string): Amounts {
    return this.#awaited.get(node) ?? nothing
  }
}

const nothing: Amounts = {}

function everyAmount(amounts: Amounts, holds: (amount: number, resource: string) => boolean): boolean {
  for (const resource in amounts) if (!holds(amounts[resource] ?? 0, resource)) return false
  return true
}

const withCount = (requests: Amounts): Amounts => ({ ...requests, pods: 1 })

function minus(from: Amounts, part: Amounts): Amounts {
  return summed(from, Object.fromEntries(Object.entries(part).map(([resource, amount]) => [resource, -amount])))
}

const hostname = 'kubernetes.io/hostname'

/** It asks for a node without certain pods, or for an even spread: where it stands decides where others may. */
function standsApart({ object }: PodState): boolean {
  const { affinity, topologySpreadConstraints = [] } = object.spec
  return (
    (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0 ||
    (affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0 ||
    topologySpreadConstraints.some(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
  )
}

/** Labels of nodes that such rules are about, single nodes aside: where it lands with another value, later moves may find them broken. */
function boundKeys({ object }: PodState): readonly string[] {
  const { affinity, topologySpreadConstraints = [] } = object.spec
  const keys = [
    ...(affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(({ topologyKey }) => topologyKey),
    ...(affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(({ topologyKey }) => topologyKey),
    ...topologySpreadConstraints
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
      .map(({ topologyKey }) => topologyKey),
  ]
  return [...new Set(keys)].filter(key => key !== hostname)
}
