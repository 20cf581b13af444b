// Which nodes a pod could run on as far as no other pod matters: the scheduler's filters on a cluster without pods.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { type NodeVerdict, Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'

interface Refusal {
  readonly filter: string
  readonly reason: string
}

/** Filters that ask what else runs where; on an empty cluster their word means nothing. */
const dependsOnPods = new Set(['PodTopologySpread', 'InterPodAffinity'])

export class StaticFit {
  readonly #empty: Placement
  readonly #current: Placement
  readonly #nodes: readonly string[]
  readonly #refusals = new Map<string, ReadonlyMap<string, Refusal>>()

  /** `current`: the pods as they stand in `state`, where somebody has that already; it is not changed. */
  constructor(state: ClusterState, settings: SchedulerSettings, current: Placement = new Placement(state, settings)) {
    this.#current = current
    this.#empty = new Placement(state, settings, { emptyLike: current })
    this.#nodes = [...state.nodes.keys()]
  }

  /** The nodes on which `pod` could never run, each with why. */
  refusals(pod: PodState): ReadonlyMap<string, Refusal> {
    const shape = shapeOf(pod)
    const known = this.#refusals.get(shape) ?? this.#refusalsOf(pod)
    this.#refusals.set(shape, known)
    return known
  }

  #refusalsOf(pod: PodState): ReadonlyMap<string, Refusal> {
    const refusals = new Map<string, Refusal>()
    const pending = this.#empty.asPending(pod)
    const alone = this.#empty.fitting(pending)
    const besideOthers = asksForOthers(pod) ? this.#withoutOnePod(pod).fitting(pending) : undefined
    for (const node of this.#nodes) {
      const refusal = refusalOf(alone(node), filter => !dependsOnPods.has(filter))
      // Pods it must stand beside, and ports that are taken, are looked for where the cluster is now: nobody plans their move too.
      const beside = refusal ?? (besideOthers && refusalOf(besideOthers(node), isAboutCompany))
      if (beside !== undefined) refusals.set(node, beside)
    }
    return refusals
  }

  #withoutOnePod(pod: PodState): Placement {
    const placement = this.#current.fork()
    if (placement.nodeOf(pod.key) !== undefined) placement.remove(pod.key)
    return placement
  }
}

function refusalOf(verdict: NodeVerdict, counts: (filter: string, reason: string) => boolean): Refusal | undefined {
  if (verdict.kind === 'feasible') return undefined
  const reason = verdict.reasons[0] ?? ''
  return counts(verdict.filter, reason) ? { filter: verdict.filter, reason } : undefined
}

function isAboutCompany(filter: string, reason: string): boolean {
  return filter === 'NodePorts' || (filter === 'InterPodAffinity' && reason.includes("didn't match pod affinity rules"))
}

function asksForOthers(pod: PodState): boolean {
  const { affinity, containers, initContainers = [] } = pod.object.spec
  const hasAffinity = (affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0
  return (
    hasAffinity ||
    [...containers, ...initContainers].some(container => (container.ports ?? []).some(port => (port.hostPort ?? 0) > 0))
  )
}

/** What the filters read of a pod: two pods with the same text have the same refusals. */
function shapeOf(pod: PodState): string {
  const {
    nodeSelector,
    affinity,
    tolerations,
    volumes,
    topologySpreadConstraints,
    containers,
    initContainers,
    hostNetwork,
    resourceClaims,
  } = pod.object.spec
  const claims = (volumes ?? []).filter(volume => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined)
  const ports = [...containers, ...(initContainers ?? [])]
    .flatMap(container => container.ports ?? [])
    .filter(port => port.hostPort !== undefined)
  const isAlone = claims.length > 0 || asksForOthers(pod)
  const parts = [
    pod.namespace,
    nodeSelector,
    affinity,
    tolerations,
    claims,
    topologySpreadConstraints,
    ports,
    hostNetwork,
    resourceClaims,
    pod.requests,
  ]
  return JSON.stringify(isAlone ? [pod.key, ...parts] : parts)
}
