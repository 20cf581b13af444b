// The workloads that stay on isolated nodes: whether their pods may be born there once the taint is set, and whether they are whole.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { KubeObject, PodTemplateSpec, Toleration } from '#kube/objects/objects.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import type { IsolationRules } from '../goals/policy.ts'

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
type TemplatedKind = (typeof kinds)[number]

export interface TemplatedWorkload {
  readonly kind: TemplatedKind
  readonly namespace: string
  readonly name: string
  readonly object: KubeObject
  /** Those of its template, as they stand. */
  readonly tolerations: readonly Toleration[]
  /** Whether its pods may come back to the isolated nodes: by its template, or by its pods where a webhook gives it to them. */
  readonly isTolerant: boolean
  /** Whether a roll-out would give its pods the toleration: a webhook adds it while they are created. */
  readonly isRollable: boolean
  /** Why not, though a webhook adds it. */
  readonly hindrance?: string
  /** Where a webhook adds it: UIDs of its pods that lack it and are on an isolated node, or on none yet. */
  readonly lackingPods: readonly string[]
  /** All its pods are of its newest template and available. */
  readonly isAvailable: boolean
  /** `2 of 3 available`. */
  readonly availability: string
}

interface WorkloadFields {
  readonly replicas?: number
  readonly paused?: boolean
  readonly updateStrategy?: { readonly type?: string }
  readonly template?: PodTemplateSpec
}

interface WorkloadStatus {
  readonly observedGeneration?: number
  readonly updatedReplicas?: number
  readonly availableReplicas?: number
  readonly readyReplicas?: number
  readonly desiredNumberScheduled?: number
  readonly updatedNumberScheduled?: number
  readonly numberAvailable?: number
  readonly updateRevision?: string
  readonly currentRevision?: string
}

/** Deployments, StatefulSets and DaemonSets of core namespaces, in order of namespace, kind and name. */
export function coreWorkloads(state: ClusterState, rules: IsolationRules): readonly TemplatedWorkload[] {
  const core = [...rules.coreNamespaces].sort()
  return core.flatMap(namespace => kinds.flatMap(kind => workloadsIn(state, rules, kind, namespace)))
}

/** DaemonSets, core or not, of which a pod runs on an isolated node and could not come back there. */
export function intolerantDaemonSets(state: ClusterState, rules: IsolationRules): readonly TemplatedWorkload[] {
  const running = new Set(
    rules.nodes.flatMap(node =>
      state
        .podsOn(node)
        .flatMap(({ workload }) => (workload?.kind === 'DaemonSet' ? [`${workload.namespace}/${workload.name}`] : [])),
    ),
  )
  return state.objects('DaemonSet').flatMap(object => {
    const workload = templated(state, rules, 'DaemonSet', object)
    return workload.isTolerant || !running.has(`${workload.namespace}/${workload.name}`) ? [] : [workload]
  })
}

/** The taint's toleration, as it is added to templates. */
export function tolerationOf(rules: Pick<IsolationRules, 'taint'>): Toleration {
  return { key: rules.taint, operator: 'Exists', effect: 'NoSchedule' }
}

/**
 * What gives `workload` its toleration: as `kubectl patch` and kustomize take it, and as server-side apply does. The list is whole,
 * because the API server keeps no merge key for tolerations.
 */
export function tolerationPatch(workload: TemplatedWorkload, rules: Pick<IsolationRules, 'taint'>): KubeObject {
  const { kind, namespace, name, tolerations } = workload
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace },
    spec: { template: { spec: { tolerations: [...tolerations, tolerationOf(rules)] } } },
  }
}

function workloadsIn(
  state: ClusterState,
  rules: IsolationRules,
  kind: TemplatedKind,
  namespace: string,
): readonly TemplatedWorkload[] {
  return state.objectsIn(kind, namespace).map(object => templated(state, rules, kind, object))
}

function templated(state: ClusterState, rules: IsolationRules, kind: TemplatedKind, object: KubeObject): TemplatedWorkload {
  const spec: WorkloadFields = typeof object['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
  const tolerations = spec.template?.spec?.tolerations ?? []
  const { available, wanted, isRolledOut } = availability(state, kind, object)
  const namespace = object.metadata.namespace ?? 'default'
  const isBorn = rules.tolerationsFrom === 'webhook' && rules.coreNamespaces.includes(namespace)
  const hindrance = isBorn ? hindranceOf(kind, spec) : undefined
  const isTemplateTolerant = toleratesTaint(tolerations, rules)
  const lackingPods = isBorn && !isTemplateTolerant ? lackingPodsOf(state, rules, object) : []
  // A DaemonSet makes no pod for a node that its template does not tolerate: no webhook is asked then.
  const byPods = isBorn && kind !== 'DaemonSet'
  return {
    kind,
    namespace,
    name: object.metadata.name,
    object,
    tolerations,
    isTolerant: isTemplateTolerant || (byPods && lackingPods.length === 0),
    isRollable: isBorn && hindrance === undefined,
    ...(hindrance === undefined ? {} : { hindrance }),
    lackingPods,
    isAvailable: isRolledOut && available >= wanted,
    availability: `${available} of ${wanted} available${isRolledOut ? '' : ', its rollout is under way'}`,
  }
}

/** Whether pods with `tolerations` may come to the isolated nodes. */
export function toleratesTaint(tolerations: readonly Toleration[], { taint }: Pick<IsolationRules, 'taint'>): boolean {
  return untoleratedTaint(tolerations, [{ key: taint, effect: 'NoSchedule' }]) === undefined
}

function lackingPodsOf(state: ClusterState, rules: IsolationRules, { metadata }: KubeObject): readonly string[] {
  const mayReturn = ({ nodeName }: PodState) => nodeName === undefined || nodeName === '' || rules.nodes.includes(nodeName)
  return state
    .podsOf(metadata.uid ?? '')
    .filter(pod => !pod.isFinished && !pod.isTerminating && mayReturn(pod))
    .filter(({ object }) => !toleratesTaint(object.spec.tolerations ?? [], rules))
    .map(({ uid }) => uid)
}

/** Why no roll-out would give pods of the workload what a webhook adds. */
function hindranceOf(kind: TemplatedKind, spec: WorkloadFields): string | undefined {
  if (kind === 'DaemonSet')
    return 'the webhook cannot help: a DaemonSet makes no pod for a tainted node that its template does not tolerate'
  if (kind === 'Deployment' && spec.paused === true) return 'its roll-out is paused: no pod of it is made anew'
  if (spec.updateStrategy?.type === 'OnDelete') return 'its update strategy is OnDelete: a roll-out replaces none of its pods'
  return undefined
}

/** By its status; where a dump has none, by its pods. */
function availability(
  state: ClusterState,
  kind: TemplatedKind,
  { metadata, ...object }: KubeObject,
): { readonly available: number; readonly wanted: number; readonly isRolledOut: boolean } {
  const spec: WorkloadFields = typeof object['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
  const given = object['status']
  const status: WorkloadStatus = typeof given === 'object' && given !== null ? given : {}
  const pods = state.podsOf(metadata.uid ?? '').filter(pod => !pod.isFinished && !pod.isTerminating)
  const ready = pods.filter(pod => pod.isReady).length
  const isSeen = (status.observedGeneration ?? metadata.generation ?? 0) >= (metadata.generation ?? 0)
  if (kind === 'DaemonSet') {
    const wanted = status.desiredNumberScheduled ?? pods.length
    const updated = status.updatedNumberScheduled ?? wanted
    return {
      available: status.numberAvailable ?? (given === undefined ? ready : 0),
      wanted,
      isRolledOut: isSeen && updated >= wanted,
    }
  }
  const wanted = spec.replicas ?? 1
  const available = given === undefined ? ready : (status.availableReplicas ?? status.readyReplicas ?? 0)
  const isNewest = status.updateRevision === undefined || status.updateRevision === status.currentRevision
  const updated = status.updatedReplicas ?? (given === undefined ? wanted : 0)
  return { available, wanted, isRolledOut: isSeen && (updated >= wanted || (kind === 'StatefulSet' && isNewest)) }
}
