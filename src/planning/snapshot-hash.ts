// One hash for everything a plan rests on. Two clusters with the same hash have the same plan; what no decision reads is not in it.

import { createHash } from 'node:crypto'
import type { ClusterState } from '#cluster/cluster-state.ts'
import { decisiveSpec } from '#cluster/pod-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** Kinds of which all that a person wrote matters, and nothing that the cluster writes back. */
export const decisiveKinds = [
  'Namespace',
  'PodDisruptionBudget',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'StorageClass',
  'CSINode',
  'Service',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'PriorityClass',
  'ScaledObject.keda.sh',
  'ScaledJob.keda.sh',
] as const

/** Annotations that planning reads; the others may change freely. */
const readAnnotations =
  /^(descheduler\.alpha\.kubernetes\.io|kubernetes\.io\/config\.|karpenter\.sh|cluster-autoscaler\.kubernetes\.io|controller\.kubernetes\.io\/pod-deletion-cost|ballast\.dev|volume\.kubernetes\.io\/selected-node)/

/** `sha256:` and 64 hexadecimal digits. Order of objects and of fields does not matter, nor do resource versions and heartbeats. */
export function snapshotHash(state: ClusterState): string {
  const hash = createHash('sha256')
  const add = (part: unknown) => hash.update(`${canonical(part)}\n`)
  for (const node of state.nodes.values()) {
    add(['Node', identity(node.object), node.object.spec ?? {}, node.allocatable, node.isReady, node.object.status?.images ?? []])
  }
  for (const pod of state.pods.values()) {
    const status = pod.object.status
    add([
      'Pod',
      identity(pod.object),
      decisiveSpec(pod.object.spec),
      pod.requests,
      pod.isTerminating,
      pod.isFinished,
      pod.isReady,
      status?.nominatedNodeName,
    ])
  }
  for (const kind of decisiveKinds) for (const object of state.objects(kind)) add([kind, identity(object), body(object)])
  return `sha256:${hash.digest('hex')}`
}

function identity({ metadata }: KubeObject): unknown {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => readAnnotations.test(key))
  return [
    metadata.namespace,
    metadata.name,
    metadata.uid,
    metadata.labels ?? {},
    Object.fromEntries(annotations),
    metadata.ownerReferences ?? [],
  ]
}

function body(object: KubeObject): unknown {
  const { apiVersion: _, kind: __, metadata: ___, status: ____, ...rest } = object
  return rest
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  })
}
