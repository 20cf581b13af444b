// A workload with what stands for its present template, as a take-over reads it.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Observation } from './observation.ts'
import { type ObservedCluster, topOf } from './observed-cluster.ts'
import type { PastEvent } from './past-events.ts'
import { revisionOf } from './template-changes.ts'

export interface Rebuilt {
  readonly id: string
  readonly observation: Observation
  /** Only a pod's age tells of it: another account of the same takes its place. */
  readonly isGuess: boolean
  /** It was our doing: it wakes a workload, and counts against nothing. */
  readonly isOurs: boolean
  /** When it began, where it is a rollout. */
  readonly beganMs?: number
}

export interface Past {
  readonly cluster: ObservedCluster
  readonly events: readonly PastEvent[]
  readonly nowMs: number
}

export interface Frame {
  readonly key: string
  readonly namespace: string
  /** The controllers right above the pods that stand for the present template. */
  readonly current: KubeObject
  readonly pods: readonly Pod[]
  readonly permits: readonly PermitRecord[]
}

export function frameOf(workload: KubeObject, { cluster }: Past): Frame {
  const current = workload.kind === 'Deployment' ? (currentSet(workload, cluster) ?? workload) : workload
  const key = workloadKey(topOf(cluster, workload))
  return {
    key,
    namespace: workload.metadata.namespace ?? '',
    current,
    pods: [...cluster.podsUnder(current.metadata.uid ?? '')].filter(pod => pod.metadata.deletionTimestamp === undefined),
    permits: cluster.ledger().ofWorkload(key),
  }
}

/** The ReplicaSet of the highest revision. */
function currentSet(deployment: KubeObject, cluster: ObservedCluster): KubeObject | undefined {
  return setsByRevision(deployment, cluster).at(-1)
}

export function setsByRevision(deployment: KubeObject, cluster: ObservedCluster): readonly KubeObject[] {
  return [...cluster.replicaSetsUnder(deployment.metadata.uid ?? '')].sort((a, b) => (revisionOf(a) ?? 0) - (revisionOf(b) ?? 0))
}
