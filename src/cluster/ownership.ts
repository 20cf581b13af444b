// Who a pod belongs to: the topmost controller above it, and the owner label that says who may move or scale it (rebalancing 3.17).

import type { KubeObject, ObjectMeta, OwnerReference, Pod } from '#kube/objects.ts'
import { parseApiVersion } from '#kube/resource.ts'
import type { ClusterState, PodState, WorkloadReference } from './cluster-state.ts'

/** What finding owners needs of a cluster. */
export interface OwnerLookup {
  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined
}

/** More levels than any real chain has; a ring of owner references ends here. */
const mostLevels = 10

/** The owner reference with `controller: true`. */
export function controllerOf(metadata: ObjectMeta): OwnerReference | undefined {
  return metadata.ownerReferences?.find(owner => owner.controller === true)
}

/**
 * The topmost controller above `pod`: the Deployment over its ReplicaSet, the CronJob over its Job, whatever an operator put above.
 * Where a controller is not in the cluster the chain ends with its reference. `undefined`: no controller, or a static pod's node.
 */
export function topmostController(cluster: OwnerLookup, pod: Pod): WorkloadReference | undefined {
  const namespace = pod.metadata.namespace ?? 'default'
  const direct = controllerOf(pod.metadata)
  if (direct === undefined || isNode(direct)) return undefined
  let owner = direct
  for (let level = 0; level < mostLevels; level++) {
    const above = controllerAbove(cluster, owner, namespace)
    if (above === undefined) break
    owner = above
  }
  return { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid ?? '' }
}

function controllerAbove(cluster: OwnerLookup, owner: OwnerReference, namespace: string): OwnerReference | undefined {
  const found = cluster.object(kindKey(owner.apiVersion, owner.kind), namespace, owner.name)
  if (found === undefined) return undefined
  const isSame =
    found.metadata.uid === undefined || owner.uid === undefined || owner.uid === '' || found.metadata.uid === owner.uid
  return isSame ? controllerOf(found.metadata) : undefined
}

function isNode(owner: OwnerReference): boolean {
  return owner.kind === 'Node' && owner.apiVersion === 'v1'
}

/** The name `ClusterState.objects` files a kind under: the kind, with its group where the group is not built in and so might repeat a kind. */
export function kindKey(apiVersion: string, kind: string): string {
  const { group } = parseApiVersion(apiVersion)
  return group === '' || !group.includes('.') || group.endsWith('.k8s.io') ? kind : `${kind}.${group}`
}

/** Values of the owner label that mean something. */
const owners = ['keda', 'descheduler', 'none'] as const
type Owner = (typeof owners)[number]

interface EffectiveOwner {
  /** `undefined`: no label anywhere. */
  readonly owner: Owner | undefined
  /** Where it was found; `scaler`: a ScaledObject or ScaledJob targets the workload. */
  readonly source: 'scaler' | 'pod' | 'workload' | 'namespace' | 'nowhere'
  /** What the label says where a scaler says otherwise, or a value that is none of the three. */
  readonly contradicting?: string
}

/**
 * Who may move or scale `pod`: a ScaledObject or ScaledJob that targets its workload makes it `keda`; else the label `ownerLabel` of
 * the pod, its workload, its namespace, the first that is there.
 */
export function effectiveOwner(state: ClusterState, pod: PodState, ownerLabel: string): EffectiveOwner {
  const labelled = labelledOwner(state, pod, ownerLabel)
  if (pod.workload === undefined || !isScaled(state, pod.workload)) return labelled
  return labelled.owner === undefined || labelled.owner === 'keda'
    ? { owner: 'keda', source: 'scaler' }
    : { owner: 'keda', source: 'scaler', contradicting: labelled.owner }
}

function labelledOwner(state: ClusterState, pod: PodState, ownerLabel: string): EffectiveOwner {
  const workload = pod.workload
  const holders = [
    { source: 'pod', metadata: pod.object.metadata },
    {
      source: 'workload',
      metadata:
        workload && state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)?.metadata,
    },
    { source: 'namespace', metadata: state.object('Namespace', undefined, pod.namespace)?.metadata },
  ] as const
  for (const { source, metadata } of holders) {
    const labels = metadata?.labels
    if (labels === undefined || !Object.hasOwn(labels, ownerLabel)) continue
    const value = labels[ownerLabel] ?? ''
    const owner = owners.find(known => known === value)
    return owner === undefined ? { owner, source, contradicting: value } : { owner, source }
  }
  return { owner: undefined, source: 'nowhere' }
}

interface ScaleTarget {
  readonly apiVersion?: string
  readonly kind?: string
  readonly name?: string
}

/** Whether a ScaledObject names the workload as its target, or a ScaledJob made the Job. */
function isScaled(state: ClusterState, workload: WorkloadReference): boolean {
  if (workload.kind === 'ScaledJob' && workload.apiVersion.startsWith('keda.sh/')) return true
  return ['ScaledObject.keda.sh', 'ScaledJob.keda.sh'].some(kind =>
    state.objects(kind).some(scaler => {
      if (scaler.metadata.namespace !== workload.namespace) return false
      const spec: { readonly scaleTargetRef?: ScaleTarget } =
        typeof scaler['spec'] === 'object' && scaler['spec'] !== null ? scaler['spec'] : {}
      const target = spec.scaleTargetRef
      if (target?.name !== workload.name || (target.kind ?? 'Deployment') !== workload.kind) return false
      return parseApiVersion(target.apiVersion ?? 'apps/v1').group === parseApiVersion(workload.apiVersion).group
    }),
  )
}
