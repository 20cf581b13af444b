// Where each replacement lands, asked of the scheduler's model anew: the moves before are played on it, then the move is looked at
// under the plan's way of steering.

import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, NodeSelectorTerm, Taint } from '#kube/objects/objects.ts'
import type { Move } from '../plan-record.ts'
import type { Sums } from './world.ts'

type SeenLanding = { readonly nodes: readonly string[]; readonly totals: Readonly<Sums> } | { readonly missing: string }

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

  /** Where the replacement of `key` may land and with which totals; afterwards it stands on `settled`. */
  play(move: Move, key: string, settled: string): SeenLanding {
    const pod = this.#moved.get(key) ?? this.state.pods.get(key)
    if (pod === undefined || this.#placement.nodeOf(pod.key) === undefined) return { missing: key }
    if (!this.state.nodes.has(move.to)) return { missing: move.to }
    const pending = this.#placement.asPending(pod)
    if (move.action === 'evict') this.#placement.remove(pod.key)
    const seen = this.#look(move, pending)
    this.#placement.bind(pending, settled)
    if (move.action === 'surge') this.#placement.remove(pod.key)
    this.#moved.set(key, pending)
    return seen
  }

  #look({ certificate, acceptable, to }: Move, pending: PodState): SeenLanding {
    const { mode } = certificate.landing
    const outside = this.#placement.nodes.filter(node => !acceptable.includes(node))
    const evaluation =
      mode === 'hold'
        ? this.#placement.evaluate(namedOnly(pending, to))
        : this.#placement.evaluate(
            pending,
            mode === 'prefer' ? { extraTaints: new Map(outside.map(node => [node, [softTaint]])) } : {},
          )
    const totals: Sums = {}
    for (const [node, verdict] of evaluation.verdicts) if (verdict.kind === 'feasible') totals[node] = verdict.total
    return { nodes: evaluation.landing, totals }
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
