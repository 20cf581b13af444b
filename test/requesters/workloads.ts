// What the requesters know of workloads: which there are, and whether a rollout is over.
import type { ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import type { ClusterView } from '#coordination/facts/cluster-view.ts'
import type { Target } from '#coordination/intent.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject, PodTemplateSpec } from '#kube/objects/objects.ts'

/** Deployment, StatefulSet or DaemonSet, as far as a requester looks at it. */
export interface Workload extends KubeObject {
  readonly spec: { readonly replicas?: number; readonly template: PodTemplateSpec }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    readonly readyReplicas?: number
    readonly currentRevision?: string
    readonly updateRevision?: string
    readonly desiredNumberScheduled?: number
    readonly updatedNumberScheduled?: number
    readonly numberAvailable?: number
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[]
  }
}

/** `Deployment` → `apps/v1` Deployment of that name. */
export function workloadOf(view: ClusterView, kind: string, namespace: string, name: string): Workload | undefined {
  // What the API server validated as this kind has these fields.
  return view.object({ apiVersion: 'apps/v1', kind, namespace, name }) as Workload | undefined
}

export function referenceOf({ kind, metadata }: Workload): WorkloadReference {
  return { apiVersion: 'apps/v1', kind, namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid ?? '' }
}

/** The pods of a workload that are not going already, as targets. */
export function podsOf(state: ClusterState, workload: Workload): readonly Target[] {
  return [...state.pods.values()]
    .filter(pod => pod.workload?.uid === workload.metadata.uid && !pod.isTerminating && !pod.isFinished)
    .map(pod => ({ apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid }))
}

/** What a permit speaks of. */
export function targetOf(view: ClusterView, record: PermitRecord): Workload | undefined {
  const [target] = record.targets
  return target?.namespace === undefined ? undefined : workloadOf(view, target.kind, target.namespace, target.name)
}

export type Progress = 'under-way' | 'done' | 'stuck'

/** How far a rollout has come that made the workload's generation what it is named; what is older does not show it yet. */
export function rolloutOf({ kind, metadata, spec, status = {} }: Workload, generation: number): Progress {
  if ((status.observedGeneration ?? 0) < Math.max(generation, metadata.generation ?? 0)) return 'under-way'
  if (status.conditions?.some(({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded'))
    return 'stuck'
  const wanted = kind === 'DaemonSet' ? (status.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1)
  const [updated, available, all] =
    kind === 'DaemonSet'
      ? [status.updatedNumberScheduled, status.numberAvailable, status.desiredNumberScheduled]
      : kind === 'StatefulSet'
        ? [
            status.updateRevision === status.currentRevision ? status.replicas : status.updatedReplicas,
            status.readyReplicas,
            status.replicas,
          ]
        : [status.updatedReplicas, status.availableReplicas, status.replicas]
  return (updated ?? 0) >= wanted && (available ?? 0) >= wanted && (all ?? 0) <= wanted ? 'done' : 'under-way'
}
