// Whether what a permit allowed is over and its workload whole again, as far as the cluster shows it. Pure over the cluster's state.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { hasBegun, lookIn } from './begun.ts'

/** True where the effect was done, and as many pods are Ready as the workload wants. False where that cannot be told. */
export function isFinished(record: PermitRecord, state: ClusterState): boolean {
  const look = lookIn(state)
  if (!hasBegun(record, look)) return false
  switch (record.verb) {
    case 'evict':
    case 'drain':
      return record.targets.every(target => look(target)?.metadata.uid !== target.uid) && isWhole(record, state)
    case 'restart':
    case 'resize':
    case 'scale':
      // Jobs run for as long as they do: what was to be done is done once they are made.
      return record.targets.every(target => target.kind === 'Job' || target.kind === 'CronJob' || isRolledOut(look(target)))
    case 'taint':
    case 'launch':
    case 'terminate':
      return false
  }
}

/** Whether an evicted pod's workload is whole: a pod that came since is Ready, and none of those that should be is missing. */
function isWhole({ workload, siblings }: PermitRecord, state: ClusterState): boolean {
  const pods = Array.from(state.pods.values()).filter(pod => pod.workload !== undefined && workloadKey(pod.workload) === workload)
  const standing = pods.filter(pod => pod.isReady && !pod.isTerminating)
  const hasNew = standing.some(pod => !siblings.includes(pod.uid))
  return hasNew && standing.length === pods.filter(pod => !pod.isTerminating).length
}

interface RolloutStatus {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
  readonly desiredNumberScheduled?: number
  readonly updatedNumberScheduled?: number
  readonly numberReady?: number
}

/** What `kubectl rollout status` waits for: all pods of the newest template, all of them Ready. */
function isRolledOut(workload: KubeObject | undefined): boolean {
  if (workload === undefined) return true
  const status: RolloutStatus = typeof workload['status'] === 'object' && workload['status'] !== null ? workload['status'] : {}
  const spec: { readonly replicas?: number } =
    typeof workload['spec'] === 'object' && workload['spec'] !== null ? workload['spec'] : {}
  if ((status.observedGeneration ?? 0) < (workload.metadata.generation ?? 0)) return false
  const { desiredNumberScheduled: desired } = status
  if (desired !== undefined) return status.updatedNumberScheduled === desired && status.numberReady === desired
  const replicas = spec.replicas ?? 1
  const { replicas: all = 0, updatedReplicas = 0, readyReplicas = 0 } = status
  return all === replicas && updatedReplicas === replicas && readyReplicas === replicas
}
