// The workload of a pod as the cluster has it.
import type { ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { workloadKey } from '../goals/policy.ts'

/** The workload's own object; `undefined` where the cluster does not hold it. */
export function workloadObject(state: ClusterState, workload: WorkloadReference | undefined): KubeObject | undefined {
  return workload && state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
}

/** `spec.replicas` of the workload, else how many pods it has. */
export function replicasOf(state: ClusterState, workload: WorkloadReference): number {
  const spec = workloadObject(state, workload)?.['spec']
  const replicas = typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : undefined
  if (typeof replicas === 'number') return replicas
  const key = workloadKey(workload)
  return [...state.pods.values()].filter(
    pod => pod.workload !== undefined && !pod.isFinished && workloadKey(pod.workload) === key,
  ).length
}
