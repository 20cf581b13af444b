// An object as the API server stored it, without the fields that no scheduler reads.
import type { ApiObject } from '../control-plane/api-client.ts'

type Json = Readonly<Record<string, unknown>>

const keptMetadata = ['name', 'namespace', 'labels', 'annotations', 'ownerReferences', 'deletionTimestamp']
const keptContainer = ['name', 'image', 'resources', 'ports', 'restartPolicy']
const droppedPodSpec = new Set([
  'dnsPolicy',
  'restartPolicy',
  'terminationGracePeriodSeconds',
  'securityContext',
  'schedulerName',
  'enableServiceLinks',
])
/** Every pod gets these from the API server; no recorded node has such a taint. */
const defaultTolerationKeys = new Set<unknown>(['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'])
const keptSpec: Readonly<Record<string, readonly string[]>> = {
  Namespace: [],
  Service: ['selector'],
  ReplicaSet: ['selector'],
  StatefulSet: ['selector'],
  ReplicationController: ['selector'],
}
const keptStatus: Readonly<Record<string, readonly string[]>> = {
  Node: ['allocatable', 'images'],
  PersistentVolume: ['phase'],
  PersistentVolumeClaim: ['phase'],
  Pod: ['phase', 'conditions', 'containerStatuses', 'initContainerStatuses', 'allocatedResources', 'resources'],
  PodDisruptionBudget: [
    'observedGeneration',
    'disruptionsAllowed',
    'currentHealthy',
    'desiredHealthy',
    'expectedPods',
    'disruptedPods',
    'conditions',
  ],
}

/** The recorded form of a stored object; `apiVersion` and `kind` come from `type`, lists leave them out. */
export function recordedForm(stored: ApiObject, type: { readonly apiVersion: string; readonly kind: string }): ApiObject {
  const { spec, status, ...rest } = stored
  const metadata = { ...kept(stored.metadata, keptMetadata), name: stored.metadata.name }
  const shownStatus = kept(object(status), keptStatus[type.kind] ?? [])
  return {
    ...rest,
    apiVersion: type.apiVersion,
    kind: type.kind,
    metadata,
    ...(spec === undefined ? {} : { spec: withoutDefaults(recordedSpec(type.kind, object(spec))) }),
    ...(Object.keys(shownStatus).length === 0 ? {} : { status: shownStatus }),
  }
}

/** A pod as the scheduler met it: without status and without the node it was bound to later. */
export function recordedPod(stored: ApiObject): ApiObject {
  const { status: _, ...pod } = recordedForm(stored, { apiVersion: 'v1', kind: 'Pod' })
  return pod
}

const defaultsLeftOut: readonly (readonly [field: string, value: unknown])[] = [
  ['preemptionPolicy', 'PreemptLowerPriority'],
  ['priority', 0],
  ['persistentVolumeReclaimPolicy', 'Retain'],
  ['volumeMode', 'Filesystem'],
]

function withoutDefaults(spec: Json): Json {
  const isDefault = (key: string, value: unknown) => defaultsLeftOut.some(([field, usual]) => field === key && usual === value)
  return Object.fromEntries(Object.entries(spec).filter(([key, value]) => !isDefault(key, value)))
}

function recordedSpec(kind: string, spec: Json): Json {
  if (kind === 'Pod') {
    return Object.fromEntries(
      Object.entries(spec)
        .filter(([key]) => !droppedPodSpec.has(key))
        .map(([key, value]) => [key, recordedPodField(key, value)]),
    )
  }
  if (kind === 'PersistentVolume' && spec.claimRef !== undefined) {
    const { uid: _, resourceVersion: __, ...claimRef } = object(spec.claimRef)
    return { ...spec, claimRef }
  }
  const keys = keptSpec[kind]
  return keys === undefined ? spec : kept(spec, keys)
}

function recordedPodField(key: string, value: unknown): unknown {
  if (!Array.isArray(value)) return value
  if (key === 'containers' || key === 'initContainers') {
    return value.map(container => recordedContainer(object(container)))
  }
  if (key === 'tolerations') return value.filter(toleration => !defaultTolerationKeys.has(object(toleration).key))
  return value
}

function recordedContainer(container: Json): Json {
  const { limits: _, ...resources } = object(container.resources)
  const { resources: __, ...rest } = kept(container, keptContainer)
  return Object.keys(resources).length === 0 ? rest : { ...rest, resources }
}

function kept(source: Json, keys: readonly string[]): Json {
  return Object.fromEntries(keys.flatMap(key => (source[key] === undefined ? [] : [[key, source[key]]])))
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}
