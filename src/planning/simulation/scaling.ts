// How many pods a workload has: which come, which go, in the order in which the workload controllers do it.

import type { PodState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { activePodsOf } from './controllers.ts'
import { podOfTemplate, successorOf, workloadSpec } from './pod-making.ts'
import { currentSet, withSpec } from './replica-sets.ts'
import type { World } from './world.ts'

/** Gives a Deployment, StatefulSet, ReplicaSet or ReplicationController another number of pods; `undefined` for what has no scale. */
export function scaleTo(world: World, workload: KubeObject, replicas: number): string | undefined {
  const scaled = withSpec(workload, { replicas })
  switch (workload.kind) {
    case 'Deployment': {
      world.put(scaled)
      const set = currentSet(world, scaled)
      if (set === undefined) return undefined
      world.put(withSpec(set, { replicas }))
      fill(world, refreshed(world, set), replicas)
      break
    }
    case 'StatefulSet':
      world.put(scaled)
      fillOrdinals(world, scaled, replicas)
      break
    case 'ReplicaSet':
    case 'ReplicationController':
      world.put(scaled)
      fill(world, scaled, replicas)
      break
    default:
      return undefined
  }
  world.schedule()
  return `${workload.kind} ${workload.metadata.namespace}/${workload.metadata.name} has ${replicas} replicas`
}

function refreshed(world: World, { kind, metadata }: KubeObject): KubeObject {
  const found = world.object(kind, metadata.namespace, metadata.name)
  if (found === undefined) throw new Error(`${kind} ${metadata.name}: it was put a moment ago and is not there`)
  return found
}

/** Pods of a ReplicaSet come or go until there are `replicas`. */
function fill(world: World, set: KubeObject, replicas: number): void {
  const pods = activePodsOf(world, set)
  const { template } = workloadSpec(set)
  for (let at = pods.length; at < replicas; at++) {
    const [like] = pods
    // What admission put into its pods is in those that are there.
    const made = like === undefined ? undefined : successorOf(world, like.object)
    if (made !== undefined) world.create(made)
    else if (template !== undefined) world.create(podOfTemplate(world, set, { name: world.nameFor(set.metadata.name), template }))
  }
  for (const pod of surplusOf(world, pods, pods.length - replicas)) world.remove(pod.object)
}

/**
 * The first to go: without a node, not ready, cheap to delete, doubled on their node, young. `related`: pods that count as doubles; of a
 * Deployment also those of its other ReplicaSets.
 */
export function surplusOf(
  world: World,
  pods: readonly PodState[],
  count: number,
  related: readonly PodState[] = pods,
): readonly PodState[] {
  if (count <= 0) return []
  const beside = new Map<string, number>()
  for (const { nodeName = '' } of related) beside.set(nodeName, (beside.get(nodeName) ?? 0) + 1)
  const cost = ({ object }: PodState) =>
    Number(object.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0
  const doubled = ({ nodeName }: PodState) => (nodeName === undefined ? 0 : (beside.get(nodeName) ?? 0))
  const ageRank = ({ object }: PodState) => {
    const ageMs = world.nowMs - (Date.parse(object.status?.startTime ?? object.metadata.creationTimestamp ?? '') || 0)
    return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6))
  }
  return pods
    .toSorted(
      (a, b) =>
        Number(a.nodeName !== undefined) - Number(b.nodeName !== undefined) ||
        Number(a.isReady) - Number(b.isReady) ||
        cost(a) - cost(b) ||
        doubled(b) - doubled(a) ||
        ageRank(a) - ageRank(b) ||
        (a.uid < b.uid ? -1 : 1),
    )
    .slice(0, count)
}

/** The number in the name of a StatefulSet's pod; -1 where it has none. */
export function ordinalOf(pod: PodState): number {
  return Number(/-(\d+)$/.exec(pod.name)?.[1] ?? -1)
}

/** Pods of a StatefulSet come from the lowest free ordinal on, and go from the highest. */
function fillOrdinals(world: World, set: KubeObject, replicas: number): void {
  const pods = activePodsOf(world, set)
  const taken = new Set(pods.map(ordinalOf))
  for (let ordinal = 0; ordinal < replicas; ordinal++) if (!taken.has(ordinal)) makeOrdinal(world, set, ordinal)
  for (const pod of pods) if (ordinalOf(pod) >= replicas) world.remove(pod.object)
}

/** One pod of a StatefulSet; it waits for its turn. */
export function makeOrdinal(world: World, set: KubeObject, ordinal: number, replaces?: PodState): void {
  const { template } = workloadSpec(set)
  if (template === undefined) return
  const name = `${set.metadata.name}-${ordinal}`
  const labels = { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(ordinal) }
  const origin =
    replaces === undefined
      ? {}
      : { replaces: replaces.key, ...(replaces.nodeName === undefined ? {} : { from: replaces.nodeName }) }
  world.create(podOfTemplate(world, set, { name, template, labels }), origin)
}
