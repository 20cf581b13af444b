// Where each replacement lands, asked of the scheduler's model anew: the moves before are played on it, then the move is looked at
// under the plan's way of steering.

import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, NodeSelectorTerm, Taint } from '#kube/objects/objects.ts'
import type { Move } from '../plan-record.ts'
import type { Sums } from './world.ts'

/** `found`: how many of the nodes on which it could run the scheduler looks for. */
interface Seen {
  readonly nodes: readonly string[]
  readonly totals: Readonly<Sums>
  readonly found: number
  /** Names of all nodes, as the scheduler goes through them. */
  readonly order: readonly string[]
}

const softTaint: Taint = { key: 'ballast.dev/rebalance', value: 'verified', effect: 'PreferNoSchedule' }

export class LandingReplay {
  readonly state: ClusterState
  readonly #placement: Placement
  /** Pods that have moved, as they stand now; by the key of the pod in the objects. */
  readonly #moved = new Map<string, PodState>()

  constructor(objects: Iterable<KubeObject>, settings: SchedulerSettings) {
    this.state = buildClusterState(objects).state
    this.#placement = new Placement(this.state, settings)
  }

  /** Where the replacement of `key` may land and with which totals, while what may not take it is tainted; afterwards it stands on `settled`. */
  play(
    move: Move,
    key: string,
    meant: { readonly settled: string; readonly mayTake: (node: string) => boolean },
  ): Seen | { readonly missing: string } {
    const pod = this.#moved.get(key) ?? this.state.pods.get(key)
    if (pod === undefined || this.#placement.nodeOf(pod.key) === undefined) return { missing: key }
    if (!this.state.nodes.has(move.to)) return { missing: move.to }
    const pending = move.action === 'surge' ? this.#placement.asRolledOut(pod) : this.#placement.asPending(pod)
    if (move.action === 'evict') this.#placement.remove(pod.key)
    const seen = this.#look(move, pending, meant.mayTake)
    this.#placement.bind(pending, meant.settled)
    if (move.action === 'surge') this.#placement.remove(pod.key)
    this.#moved.set(key, pending)
    return seen
  }

  /** Which of `keys`, the pods of the nodes `lost`, the scheduler finds no node for once these are gone; those of high priority come first. */
  pendingWithout(lost: readonly string[], keys: readonly string[]): readonly string[] {
    const placement = this.#placement.fork()
    const isLost = (key: string) => lost.includes(placement.nodeOf(key) ?? '')
    const pods = keys.flatMap(key => this.state.pods.get(key) ?? [])
    for (const key of lost.flatMap(node => this.state.podsOn(node).map(pod => pod.key))) if (isLost(key)) placement.remove(key)
    for (const pod of pods) for (const { key } of [pod, placement.asPending(pod)]) if (isLost(key)) placement.remove(key)
    const among = [...this.state.nodes.values()].filter(node => node.isReady && !lost.includes(node.name)).map(({ name }) => name)
    return pods
      .toSorted((a, b) => b.priority - a.priority || (a.key < b.key ? -1 : 1))
      .filter(pod => {
        const pending = placement.asPending(pod)
        const [to] = placement.evaluate(pending, { among }).landing
        if (to !== undefined) placement.bind(pending, to)
        return to === undefined
      })
      .map(({ key }) => key)
  }

  #look({ certificate, to }: Move, pending: PodState, mayTake: (node: string) => boolean): Seen {
    const { mode } = certificate.landing
    const outside = this.#placement.nodes.filter(node => !mayTake(node))
    const evaluation =
      mode === 'hold'
        ? this.#placement.evaluate(namedOnly(pending, to))
        : this.#placement.evaluate(
            pending,
            mode === 'prefer' ? { extraTaints: new Map(outside.map(node => [node, [softTaint]])) } : {},
          )
    const totals: Sums = {}
    for (const [node, verdict] of evaluation.verdicts) if (verdict.kind === 'feasible') totals[node] = verdict.total
    return { nodes: evaluation.landing, totals, found: evaluation.found, order: this.#placement.searchOrder }
  }
}

/** The pod as the gate's release makes it: each of its node affinity's terms, or a new one, names the node. */
function namedOnly(pod: PodState, node: string): PodState {
  const spec = pod.object.spec
  const own = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const name = { key: 'metadata.name', operator: 'In', values: [node] }
  const terms: readonly NodeSelectorTerm[] = (own.length === 0 ? [{}] : own).map(term => ({
    ...term,
    matchFields: [...(term.matchFields ?? []), name],
  }))
  const nodeAffinity = {
    ...spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
  }
  return { ...pod, object: { ...pod.object, spec: { ...spec, affinity: { ...spec.affinity, nodeAffinity } } } }
}
