// What a request may write of an object and what only the server sets: status, generation, system metadata.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, setAt, textAt, valueAt } from '../json-value.ts'
import { resetFields } from './reset-fields.ts'
import { hasSubresource, type ResourceType } from './resource-type.ts'
import { keepEphemeral } from './subresources/ephemeral-containers.ts'
import { keepResizable } from './subresources/resize.ts'

const kindsWithGeneration = new Set([
  'customresourcedefinitions.apiextensions.k8s.io',
  'cronjobs.batch',
  'daemonsets.apps',
  'deployments.apps',
  'deviceclasses.resource.k8s.io',
  'endpointslices.discovery.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'ingressclasses.networking.k8s.io',
  'ingresses.networking.k8s.io',
  'jobs.batch',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'networkpolicies.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'podtemplates',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'replicasets.apps',
  'replicationcontrollers',
  'resourceslices.resource.k8s.io',
  'statefulsets.apps',
  'priorityclasses.scheduling.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
])

/** Whether objects of the type carry `metadata.generation`. */
export function hasGeneration(type: ResourceType, minor: number): boolean {
  return type.custom !== undefined || kindsWithGeneration.has(type.key) || (type.key === 'pods' && minor >= 34)
}

/** Metadata that counts: a Deployment's annotations go to its ReplicaSets. */
const countingMetadata: Readonly<Record<string, 'annotations' | 'labels'>> = {
  'deployments.apps': 'annotations',
  'endpointslices.discovery.k8s.io': 'labels',
}

/** Whether more than metadata and status differs. */
export function generationRises(type: ResourceType, draft: Draft, existing: KubeObject): boolean {
  // Upstream gives it one at its creation, and then leaves it.
  if (type.key === 'priorityclasses.scheduling.k8s.io') return false
  const counting = countingMetadata[type.key]
  const words = (object: Draft | KubeObject) => (counting === undefined ? {} : (fieldsAt(object, 'metadata', counting) ?? {}))
  if (!isSame(words(draft), words(existing))) return true
  const ignoresStatus = hasSubresource(type, 'status')
  const relevant = (object: Draft | KubeObject) => ({
    ...object,
    metadata: undefined,
    ...(ignoresStatus ? { status: undefined } : {}),
  })
  return !isSame(relevant(draft), relevant(existing))
}

/** A created object starts with the status the server gives it; a namespace also with its finalizer. */
export function resetStatus(type: ResourceType, draft: Draft): void {
  if (type.key === 'namespaces') holdNamespace(draft)
  if (!hasSubresource(type, 'status')) return
  const initial = initialStatus(type, draft)
  if (initial === undefined) delete draft['status']
  else draft['status'] = initial
}

const emptyNodeInfo = Object.fromEntries(
  [
    'architecture',
    'bootID',
    'containerRuntimeVersion',
    'kernelVersion',
    'kubeProxyVersion',
    'kubeletVersion',
    'machineID',
    'operatingSystem',
    'osImage',
    'systemUUID',
  ].map(name => [name, '']),
)

function initialStatus(type: ResourceType, draft: Draft): Draft | undefined {
  switch (type.key) {
    case 'validatingadmissionpolicies.admissionregistration.k8s.io':
      return {}
    case 'pods':
      return { phase: 'Pending', qosClass: qualityOfService(fieldsAt(draft, 'spec') ?? {}), ...gatedCondition(draft) }
    case 'namespaces':
      return { phase: 'Active' }
    case 'persistentvolumeclaims':
      return { phase: 'Pending' }
    case 'persistentvolumes':
      return { phase: 'Pending', lastPhaseTransitionTime: textAt(draft, 'metadata', 'creationTimestamp') }
    case 'customresourcedefinitions.apiextensions.k8s.io':
      return {
        acceptedNames: { kind: '', plural: '' },
        storedVersions: itemsAt(draft, 'spec', 'versions').flatMap(version =>
          version['storage'] === true ? [version['name']] : [],
        ),
      }
    case 'services':
      return { loadBalancer: {} }
    case 'ingresses.networking.k8s.io':
      return { loadBalancer: {} }
    case 'nodes':
      // A kubelet registers its node with the status it has.
      return { daemonEndpoints: { kubeletEndpoint: { Port: 0 } }, nodeInfo: { ...emptyNodeInfo }, ...fieldsAt(draft, 'status') }
    case 'horizontalpodautoscalers.autoscaling':
      return { currentMetrics: null, desiredReplicas: 0 }
    case 'volumeattachments.storage.k8s.io':
      return { attached: false }
    case 'apiservices.apiregistration.k8s.io':
    case 'certificatesigningrequests.certificates.k8s.io':
    case 'flowschemas.flowcontrol.apiserver.k8s.io':
    case 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io':
    case 'resourceclaims.resource.k8s.io':
    case 'servicecidrs.networking.k8s.io':
    case 'deployments.apps':
    case 'cronjobs.batch':
    case 'jobs.batch':
    case 'resourcequotas':
      return {}
    case 'statefulsets.apps':
      return { replicas: 0, availableReplicas: 0 }
    case 'replicasets.apps':
    case 'replicationcontrollers':
      return { replicas: 0 }
    case 'daemonsets.apps':
      return { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 }
    case 'poddisruptionbudgets.policy':
      return { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }
    default:
      return undefined
  }
}

/** A gated pod says so from the start. */
function gatedCondition(draft: Draft): Draft {
  if (listAt(draft, 'spec', 'schedulingGates').length === 0) return {}
  const message = 'Scheduling is blocked due to non-empty scheduling gates'
  const lastTransitionTime = textAt(draft, 'metadata', 'creationTimestamp')
  return { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message, lastTransitionTime }] }
}

/** The namespace controller takes the finalizer away when the namespace is empty. */
export function holdNamespace(draft: Draft): void {
  const spec = fieldsAt(draft, 'spec') ?? {}
  draft['spec'] = spec
  const finalizers = listAt(spec, 'finalizers')
  if (!finalizers.includes('kubernetes')) spec['finalizers'] = [...finalizers, 'kubernetes']
}

const systemMetadata = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'generation',
] as const

const writableMetadata = ['labels', 'annotations', 'finalizers', 'ownerReferences']

/** Puts back what an update of this (sub)resource may not write. */
export function keepUnwritable(type: ResourceType, draft: Draft, existing: KubeObject, subresource: string | undefined): void {
  const metadata = fieldsAt(draft, 'metadata') ?? {}
  const before: Draft = { ...existing.metadata }
  for (const name of systemMetadata) {
    if (before[name] === undefined) delete metadata[name]
    else metadata[name] = before[name]
  }
  if (subresource === 'resize' || subresource === 'ephemeralcontainers') {
    if (subresource === 'resize') keepResizable(draft, existing)
    else keepEphemeral(draft, existing)
    putBack(draft, existing, 'status')
    restoreMetadata(metadata, before, writableMetadata)
    return
  }
  for (const path of resetFields(type, subresource)) {
    const [name = '', field] = path
    if (name === 'metadata') restoreMetadata(metadata, before, field === undefined ? writableMetadata : [field])
    else if (field === undefined) putBack(draft, existing, name)
    else setAt(draft, path, valueAt(existing, ...path))
  }
  if (type.key === 'customresourcedefinitions.apiextensions.k8s.io') noteStorageVersion(draft, subresource)
  if (type.custom === undefined || subresource !== 'status') return
  for (const name of [...Object.keys(draft), ...Object.keys(existing)])
    if (name !== 'status' && name !== 'metadata') putBack(draft, existing, name)
}

/** The version that is stored from now on joins those that were; who writes the status may leave it out, but not leave nothing. */
function noteStorageVersion(draft: Draft, subresource: string | undefined): void {
  const known = listAt(draft, 'status', 'storedVersions')
  const stored = textAt(
    itemsAt(draft, 'spec', 'versions').find(version => version['storage'] === true),
    'name',
  )
  if (stored === undefined || known.includes(stored) || (subresource === 'status' && known.length > 0)) return
  draft['status'] = { ...fieldsAt(draft, 'status'), storedVersions: [...known, stored] }
}

function restoreMetadata(metadata: Draft, before: Draft, names: readonly string[]): void {
  for (const name of names) {
    if (before[name] === undefined) delete metadata[name]
    else metadata[name] = before[name]
  }
}

const templateCount = 'deprecated.daemonset.template.generation'

/** A body without the count says none: who sends it is noted as its owner. */
export function uncountTemplates(type: ResourceType, draft: Draft): void {
  const metadata = fieldsAt(draft, 'metadata')
  if (
    type.key === 'daemonsets.apps' &&
    metadata !== undefined &&
    fieldsAt(metadata, 'annotations')?.[templateCount] === undefined
  )
    metadata['annotations'] = { ...fieldsAt(metadata, 'annotations'), [templateCount]: '0' }
}

/** The server counts a DaemonSet's templates in an annotation; `draft` has its defaults. */
export function countTemplates(type: ResourceType, draft: Draft, existing: KubeObject): void {
  const metadata = fieldsAt(draft, 'metadata')
  if (type.key !== 'daemonsets.apps' || metadata === undefined) return
  const before = Number(existing.metadata.annotations?.[templateCount] ?? '1')
  const isNew = !isSame(fieldsAt(draft, 'spec', 'template'), fieldsAt(existing, 'spec', 'template'))
  metadata['annotations'] = { ...fieldsAt(metadata, 'annotations'), [templateCount]: String(isNew ? before + 1 : before) }
}

function putBack(draft: Draft, existing: KubeObject, name: string): void {
  if (existing[name] === undefined) delete draft[name]
  else draft[name] = existing[name]
}

/** The pod's quality of service class, from the cpu and memory of its containers and of the pod itself. */
export function qualityOfService(spec: Draft): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const lists = ['containers', 'initContainers'].flatMap(name => {
    const containers = spec[name]
    return Array.isArray(containers) ? containers : []
  })
  const podLevel = fieldsAt(spec, 'resources')
  const holders: readonly unknown[] =
    podLevel !== undefined && Object.keys(podLevel).length > 0 ? [{ resources: podLevel }] : lists
  let isGuaranteed = true
  let isBestEffort = true
  for (const holder of holders) {
    for (const resource of ['cpu', 'memory']) {
      const request = fieldsAt(holder, 'resources', 'requests')?.[resource]
      const limit = fieldsAt(holder, 'resources', 'limits')?.[resource]
      if (!isZero(request) || !isZero(limit)) isBestEffort = false
      if (isZero(limit) || (request !== undefined && String(request) !== String(limit))) isGuaranteed = false
    }
  }
  return isBestEffort ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable'
}

function isZero(quantity: unknown): boolean {
  return quantity === undefined || quantity === null || /^0+(\.0+)?[a-zA-Z]*$/.test(String(quantity))
}
