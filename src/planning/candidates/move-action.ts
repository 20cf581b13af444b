// How a pod is moved, and what that costs its users.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { parseScaledValue } from '#kube/values/int-or-string.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import type { MoveAction } from '../plan-record.ts'
import type { Candidate } from './candidate.ts'
import { replicasOf, workloadObject } from './workload-object.ts'

/**
 * True where a rollout can bring up the replacement before the old pod goes (rebalancing 3.16): the only replica of a Deployment that
 * rolls with an effective maxUnavailable of 0, is not paused, and holds no volume that one node keeps to itself.
 */
export function isSurge(
  state: ClusterState,
  policy: PlanPolicy,
  { pod, workload }: Pick<Candidate, 'pod' | 'workload'>,
): boolean {
  if (!policy.singleReplica.startsWith('surge') || workload.kind !== 'Deployment' || replicasOf(state, workload) !== 1)
    return false
  if (holdsExclusiveVolume(state, pod)) return false
  const spec = workloadObject(state, workload)?.['spec']
  if (typeof spec !== 'object' || spec === null || ('paused' in spec && spec.paused === true)) return false
  const strategy: Strategy =
    'strategy' in spec && typeof spec.strategy === 'object' && spec.strategy !== null ? spec.strategy : {}
  if ((strategy.type ?? 'RollingUpdate') !== 'RollingUpdate') return false
  const surge = parseScaledValue(strategy.rollingUpdate?.maxSurge ?? '25%', 1, 'up')
  const unavailable = parseScaledValue(strategy.rollingUpdate?.maxUnavailable ?? '25%', 1, 'down')
  // With both 0 the Deployment controller takes one pod away after all.
  return surge.ok && unavailable.ok && unavailable.value === 0 && surge.value > 0
}

interface Strategy {
  readonly type?: string
  readonly rollingUpdate?: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string }
}

/** Price of moving the pod (rebalancing 3.15); 1 is a stateless replica of ordinary priority. */
export function pricePerMove(
  state: ClusterState,
  { pod, workload, dearer = 1 }: Pick<Candidate, 'pod' | 'workload' | 'dearer'>,
  action: MoveAction,
): number {
  const wish = pod.object.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? ''
  const deletionCost = /^(?:0|-?[1-9][0-9]{0,9})$/.test(wish) ? Number(wish) : 0
  const base = Math.min(10, Math.max(-10, 1 + deletionCost / 2 ** 27 + pod.priority / 2 ** 25))
  const isAlone = replicasOf(state, workload) === 1 && action === 'evict'
  const factor = isAlone ? 3 : workload.kind === 'StatefulSet' ? 2 : 1
  return dearer * Math.max(0.1, base) * (factor + (holdsExclusiveVolume(state, pod) ? 1 : 0))
}

/** True where a claim of the pod is one that a single node (or pod) mounts. */
export function holdsExclusiveVolume(state: ClusterState, pod: PodState): boolean {
  return (pod.object.spec.volumes ?? []).some(volume => {
    const name = volume.persistentVolumeClaim?.claimName
    if (name === undefined) return false
    const spec = state.object('PersistentVolumeClaim', pod.namespace, name)?.['spec']
    const modes =
      typeof spec === 'object' && spec !== null && 'accessModes' in spec && Array.isArray(spec.accessModes)
        ? spec.accessModes
        : []
    return !modes.includes('ReadWriteMany') && !modes.includes('ReadOnlyMany')
  })
}
