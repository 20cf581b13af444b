// Who a pod belongs to: the topmost controller above it, and the owner label that says who may move or scale it (rebalancing 3.17).

import type { KubeObject, ObjectMeta, OwnerReference } from '#kube/objects/objects.ts'
import { parseApiVersion } from '#kube/objects/resource.ts'
import { isBuiltInGroup } from './kinds.ts'
import type { ClusterState, OwnerLookup, PodState, WorkloadReference } from './state-shapes.ts'

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
export function topmostController(cluster: OwnerLookup, pod: Pick<KubeObject, 'metadata'>): WorkloadReference | undefined {
  const namespace = pod.metadata.namespace ?? 'default'
  const direct = controllerOf(pod.metadata)
  if (direct === undefined || isNode(direct)) return undefined
  let owner = direct
  for (const above of controllersFrom(cluster, direct, namespace)) owner = above
  return { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid ?? '' }
}

/** `first` and the controllers above it, as far as they are in the cluster and known by their UIDs. */
export function* controllersFrom(cluster: OwnerLookup, first: OwnerReference, namespace: string): Generator<OwnerReference> {
  let owner: OwnerReference | undefined = first
  for (let level = 0; owner !== undefined && level <= mostLevels; level++) {
    yield owner
    owner = controllerAbove(cluster, owner, namespace)
  }
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
  return group === '' || !group.includes('.') || isBuiltInGroup(group) ? kind : `${kind}.${group}`
}

/** The owner whose workloads plans and deschedulers may move. */
export const mover = 'descheduler'
/** Who a workload can belong to. */
export const owners = ['keda', mover, 'none'] as const
type Owner = (typeof owners)[number]
/** Whose a workload without any owner label can be said to be. */
export const unlabelledOwners = ['none', mover] as const
export type UnlabelledOwner = (typeof unlabelledOwners)[number]

/** How annotations begin by which upstream's users say what may become of a pod. */
export const evictionMarks = 'descheduler.alpha.kubernetes.io/'

/** The label that says who may move or scale: its key, and the value that stands for each owner. */
export interface OwnerLabel {
  /** What Ballast tells people to write. */
  readonly key: string
  /** Further keys that say the same, in order: the first that is there counts. */
  readonly others?: readonly string[]
  /** No two alike. */
  readonly values: Readonly<Record<Owner, string>>
}

export const defaultOwnerLabel = {
  key: 'ballast.dev/managed-by',
  others: ['scaling.talos.io/managed-by'],
  values: { keda: 'keda', descheduler: mover, none: 'none' },
} as const satisfies OwnerLabel

/** All keys, in the order in which they count. */
export function ownerKeys({ key, others = [] }: Pick<OwnerLabel, 'key' | 'others'>): readonly string[] {
  return [key, ...others]
}

/** For sentences about labels that are not there: `a/b or c/d`. */
export function ownerKeysText(label: Pick<OwnerLabel, 'key' | 'others'>): string {
  return ownerKeys(label).join(' or ')
}

interface EffectiveOwner {
  /** `undefined`: no label anywhere, or one that means nothing. */
  readonly owner: Owner | undefined
  /** Where it was found; `scaler`: a ScaledObject or ScaledJob targets the workload. */
  readonly source: 'scaler' | 'pod' | 'workload' | 'namespace' | 'nowhere'
  /** The label's value where a scaler says otherwise, or where it stands for no owner. */
  readonly contradicting?: string
  /** The key of the label that was found. */
  readonly key?: string
}

/** `ignore`: what a ScaledObject or ScaledJob targets belongs to whom its label says. */
type Scalers = 'count' | 'ignore'

/**
 * Who may move or scale `pod`: a ScaledObject or ScaledJob that targets its workload makes it `keda`; else the label of the pod, its
 * workload, its namespace, the first that is there.
 */
export function effectiveOwner(
  state: ClusterState,
  pod: PodState,
  label: OwnerLabel,
  scalers: Scalers = 'count',
): EffectiveOwner {
  const { workload } = pod
  const labelled = labelledOwner(label, [
    { source: 'pod', metadata: pod.object.metadata },
    { source: 'workload', metadata: workload && metadataOf(state, workload) },
    { source: 'namespace', metadata: state.object('Namespace', undefined, pod.namespace)?.metadata },
  ])
  return workload === undefined || scalers === 'ignore' ? labelled : orScaler(state, workload, { labelled, label })
}

/** As `effectiveOwner`, of a workload that has no pods now. */
export function workloadOwner(
  state: ClusterState,
  workload: WorkloadReference,
  label: OwnerLabel,
  scalers: Scalers = 'count',
): EffectiveOwner {
  const labelled = labelledOwner(label, [
    { source: 'workload', metadata: metadataOf(state, workload) },
    { source: 'namespace', metadata: state.object('Namespace', undefined, workload.namespace)?.metadata },
  ])
  return scalers === 'ignore' ? labelled : orScaler(state, workload, { labelled, label })
}

function metadataOf(state: ClusterState, workload: WorkloadReference): ObjectMeta | undefined {
  return state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)?.metadata
}

function orScaler(
  state: ClusterState,
  workload: WorkloadReference,
  { labelled, label }: { readonly labelled: EffectiveOwner; readonly label: OwnerLabel },
): EffectiveOwner {
  if (!isScaled(state, workload)) return labelled
  const { owner } = labelled
  const said = owner === undefined ? labelled.contradicting : owner === 'keda' ? undefined : label.values[owner]
  const { key } = labelled
  return {
    owner: 'keda',
    source: 'scaler',
    ...(said === undefined ? {} : { contradicting: said }),
    ...(key === undefined ? {} : { key }),
  }
}

/** The first of `holders` that carries the label. */
function labelledOwner(
  label: OwnerLabel,
  holders: readonly { readonly source: EffectiveOwner['source']; readonly metadata: ObjectMeta | undefined }[],
): EffectiveOwner {
  for (const { source, metadata } of holders) {
    const labels = metadata?.labels
    if (labels === undefined) continue
    const key = ownerKeys(label).find(one => Object.hasOwn(labels, one))
    if (key === undefined) continue
    const value = labels[key] ?? ''
    const owner = owners.find(known => label.values[known] === value)
    return owner === undefined ? { owner, source, key, contradicting: value } : { owner, source, key }
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
    state.objectsIn(kind, workload.namespace).some(scaler => {
      const spec: { readonly scaleTargetRef?: ScaleTarget } =
        typeof scaler['spec'] === 'object' && scaler['spec'] !== null ? scaler['spec'] : {}
      const target = spec.scaleTargetRef
      if (target?.name !== workload.name || (target.kind ?? 'Deployment') !== workload.kind) return false
      return parseApiVersion(target.apiVersion ?? 'apps/v1').group === parseApiVersion(workload.apiVersion).group
    }),
  )
}
