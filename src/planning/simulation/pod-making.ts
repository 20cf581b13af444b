// Pods as controllers make them: from a template, or after the pod whose place they take.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { withoutBond } from '#cluster/scheduling/landing-bond.ts'
import type { KubeObject, OwnerReference, Pod, PodSpec, PodTemplateSpec, Toleration, Volume } from '#kube/objects/objects.ts'
import type { World } from './world.ts'

interface WorkloadSpec {
  readonly replicas?: number
  readonly template?: PodTemplateSpec
  readonly volumeClaimTemplates?: readonly KubeObject[]
  readonly strategy?: { readonly type?: string; readonly rollingUpdate?: Readonly<Record<string, number | string>> }
  readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: Readonly<Record<string, number | string>> }
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly paused?: boolean
  readonly [field: string]: unknown
}

/** The spec of a workload; its shape was checked when the cluster was read. A template that says nothing of its pods is none. */
export function workloadSpec(object: KubeObject): WorkloadSpec {
  const found = object['spec']
  const spec: Partial<WorkloadSpec> = typeof found === 'object' && found !== null ? { ...found } : {}
  const { template, ...others } = spec
  return template?.spec === undefined ? others : spec
}

/** What the system's own priority classes are worth: they need no object. */
const systemPriorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
}

/** A pod of `owner` (a ReplicaSet, StatefulSet or DaemonSet) by its template. Claims that a StatefulSet makes are put into the world. */
export function podOfTemplate(
  world: World,
  owner: KubeObject,
  given: { readonly name: string; readonly template: PodTemplateSpec; readonly labels?: Readonly<Record<string, string>> },
): Pod {
  const { namespace = 'default' } = owner.metadata
  const { labels, annotations } = given.template.metadata ?? {}
  const spec = prioritised(world.state, given.template.spec)
  const claims = claimVolumes(world, owner, given.name)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: given.name,
      namespace,
      uid: world.uid(),
      creationTimestamp: world.timeText,
      labels: { ...labels, ...given.labels },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [ownerReferenceTo(owner)],
    },
    spec: claims.length === 0 ? spec : { ...spec, volumes: [...(spec.volumes ?? []), ...claims] },
  }
}

/** The pod that its controller makes in place of `pod`: the same but for its name (a StatefulSet's keeps it), UID, node and status. */
export function successorOf(world: World, pod: Pod): Pod {
  const { status: _status, ...object } = pod
  const { namespace, labels, annotations, ownerReferences, generateName } = pod.metadata
  const controller = ownerReferences?.find(owner => owner.controller === true)
  const owner = controller && world.object(controller.kind, namespace, controller.name)
  const { nodeName: _node, ephemeralContainers: _debuggers, ...spec } = withoutBond(pod, owner).spec
  const name = controller?.kind === 'StatefulSet' ? pod.metadata.name : world.nameFor(controller?.name ?? pod.metadata.name)
  return {
    ...object,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(generateName === undefined ? {} : { generateName }),
      uid: world.uid(),
      creationTimestamp: world.timeText,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    spec,
  }
}

/** The spec with the number that admission gives it for its class. */
function prioritised(state: ClusterState, spec: PodSpec): PodSpec {
  if (spec.priority !== undefined) return spec
  const { priorityClassName: name } = spec
  const classes = state.objects('PriorityClass')
  const found =
    name === undefined ? classes.find(one => one['globalDefault'] === true) : classes.find(one => one.metadata.name === name)
  const value = found === undefined ? (name === undefined ? undefined : systemPriorities[name]) : found['value']
  if (typeof value !== 'number') return spec
  const policy = found?.['preemptionPolicy']
  return { ...spec, priority: value, ...(typeof policy === 'string' ? { preemptionPolicy: policy } : {}) }
}

/** The volumes for a StatefulSet's claim templates; claims that are not there yet are made. */
function claimVolumes(world: World, owner: KubeObject, podName: string): readonly Volume[] {
  const { namespace = 'default' } = owner.metadata
  return (workloadSpec(owner).volumeClaimTemplates ?? []).map(template => {
    const claimName = `${template.metadata.name}-${podName}`
    if (world.object('PersistentVolumeClaim', namespace, claimName) === undefined) {
      const given = template['spec']
      const spec = typeof given === 'object' && given !== null ? given : {}
      const storageClassName = 'storageClassName' in spec ? spec.storageClassName : defaultClass(world.state)
      world.put({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { ...template.metadata, name: claimName, namespace, uid: world.uid() },
        spec: { ...spec, ...(storageClassName === undefined ? {} : { storageClassName }) },
        status: { phase: 'Pending' },
      })
    }
    return { name: template.metadata.name, persistentVolumeClaim: { claimName } }
  })
}

function defaultClass(state: ClusterState): string | undefined {
  return state
    .objects('StorageClass')
    .find(one => one.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true')?.metadata.name
}

/** Tolerations that every daemon pod gets. */
const daemonTolerations: readonly Toleration[] = [
  ['node.kubernetes.io/not-ready', 'NoExecute'] as const,
  ['node.kubernetes.io/unreachable', 'NoExecute'] as const,
  ['node.kubernetes.io/disk-pressure', 'NoSchedule'] as const,
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'] as const,
  ['node.kubernetes.io/pid-pressure', 'NoSchedule'] as const,
  ['node.kubernetes.io/unschedulable', 'NoSchedule'] as const,
].map(([key, effect]) => ({ key, operator: 'Exists', effect }))

/** A DaemonSet's template as its pod for one node has it. */
export function daemonTemplate(template: PodTemplateSpec, node: string): PodTemplateSpec {
  const { spec } = template
  const field = { key: 'metadata.name', operator: 'In', values: [node] }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const nodeSelectorTerms =
    terms.length === 0 ? [{ matchFields: [field] }] : terms.map(term => ({ ...term, matchFields: [field] }))
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
  const nodeAffinity = { ...spec.affinity?.nodeAffinity, ...required }
  const network = { key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' }
  const added = spec.hostNetwork === true ? [...daemonTolerations, network] : daemonTolerations
  return {
    ...template,
    spec: { ...spec, affinity: { ...spec.affinity, nodeAffinity }, tolerations: [...(spec.tolerations ?? []), ...added] },
  }
}

/** The reference that makes `owner` the controller of what carries it. */
export function ownerReferenceTo(owner: KubeObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true, blockOwnerDeletion: true }
}
