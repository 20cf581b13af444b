// What becomes of an object after it was noted who owns its fields and before it is looked at as a whole: fields of features that are off go,
// and a few are the server's own.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isEmpty, isSame, itemsAt, setAt, textAt, valueAt } from '../json-value.ts'
import type { User } from './api-server.ts'
import { podSpecOf } from './pod-template.ts'
import type { ResourceType } from './resource-type.ts'

/** Prepares a new object. */
export function prepareNew(
  type: ResourceType,
  draft: Draft,
  { user, minor }: { readonly user: User; readonly minor: number },
): void {
  if (type.key === 'certificatesigningrequests.certificates.k8s.io') askAs(draft, user)
  if (type.key === 'serviceaccounts') nameSecrets(draft)
  dropDisabled(type, draft, undefined, minor)
}

/** Prepares a changed object. */
export function prepareChanged(
  type: ResourceType,
  draft: Draft,
  existing: KubeObject,
  { subresource, now, minor }: { readonly subresource?: string; readonly now: string; readonly minor: number },
): void {
  if (type.key === 'persistentvolumes' && subresource === 'status') notePhase(draft, existing, now)
  // Its finalizers are written by `finalize` alone.
  if (type.key === 'namespaces' && subresource === undefined) keep(draft, existing, ['spec'])
  if (type.key === 'certificatesigningrequests.certificates.k8s.io' && subresource !== undefined) {
    if (subresource === 'status') keepVerdict(draft, existing)
    noteTimes(draft, existing, now)
  }
  if (type.key === 'serviceaccounts') nameSecrets(draft)
  dropDisabled(type, draft, existing, minor)
}

/** An account's Secrets have a name and nothing else. */
function nameSecrets(draft: Draft): void {
  const secrets = itemsAt(draft, 'secrets')
  if (secrets.some(secret => Object.keys(secret).some(name => name !== 'name')))
    draft['secrets'] = secrets.map(secret => (secret['name'] === undefined ? {} : { name: secret['name'] }))
}

/** When a volume came into its phase. */
function notePhase(draft: Draft, existing: KubeObject, now: string): void {
  const at = ['status', 'lastPhaseTransitionTime']
  const [before, after] = [valueAt(existing, ...at), valueAt(draft, ...at)]
  const isSamePhase = textAt(draft, 'status', 'phase') === textAt(existing, 'status', 'phase')
  if (isSamePhase && after === undefined) setAt(draft, at, before)
  else if (!isSamePhase && (after === undefined || after === before)) setAt(draft, at, now)
}

/** Who asks for a certificate is who sends the request. */
function askAs(draft: Draft, user: User): void {
  const { username: _username, uid: _uid, groups: _groups, extra: _extra, ...spec } = fieldsAt(draft, 'spec') ?? {}
  draft['spec'] = {
    ...spec,
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: [...user.groups],
    ...(user.extra === undefined ? {} : { extra: { ...user.extra } }),
  }
}

const verdicts = ['Approved', 'Denied']

/** The verdict on a request for a certificate is not changed with its status; one more or less is refused later. */
function keepVerdict(draft: Draft, existing: KubeObject): void {
  for (const verdict of verdicts) {
    const [before, after] = [existing, draft].map(object =>
      itemsAt(object, 'status', 'conditions').filter(condition => condition['type'] === verdict),
    )
    if (before === undefined || after?.length !== before.length) continue
    for (const [index, condition] of after.entries()) Object.assign(condition, before[index])
  }
}

/** When a condition of such a request was written, and when it came to its status. */
function noteTimes(draft: Draft, existing: KubeObject, now: string): void {
  for (const condition of itemsAt(draft, 'status', 'conditions')) {
    condition['lastUpdateTime'] ??= now
    const known = itemsAt(existing, 'status', 'conditions').find(
      before => before['type'] === condition['type'] && before['status'] === condition['status'],
    )
    condition['lastTransitionTime'] ??= known?.['lastTransitionTime'] ?? now
  }
}

function keep(draft: Draft, existing: KubeObject, path: readonly string[]): void {
  setAt(draft, path, valueAt(existing, ...path))
}

/** Kind → fields of features that are off. What an object has of one already may stay. */
const disabled: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'csidrivers.storage.k8s.io': [['spec', 'preventPodSchedulingIfMissing']],
  'leases.coordination.k8s.io': [
    ['spec', 'strategy'],
    ['spec', 'preferredHolder'],
  ],
  nodes: [
    ['spec', 'configSource'],
    ['status', 'config'],
  ],
}

/** The same of features that came to be on with Kubernetes 1.35. */
const laterFields: typeof disabled = {
  'deployments.apps': [['status', 'terminatingReplicas']],
  'replicasets.apps': [['status', 'terminatingReplicas']],
  'volumeattachments.storage.k8s.io': [
    ['status', 'attachError', 'errorCode'],
    ['status', 'detachError', 'errorCode'],
  ],
}

function dropDisabled(type: ResourceType, draft: Draft, existing: KubeObject | undefined, minor: number): void {
  for (const path of [...(disabled[type.key] ?? []), ...(minor < 35 ? (laterFields[type.key] ?? []) : [])])
    if (valueAt(draft, ...path) !== undefined && valueAt(existing, ...path) === undefined) setAt(draft, path, undefined)
  if (type.key === 'persistentvolumeclaims') settleSources(draft, existing)
  if (type.key === 'endpointslices.discovery.k8s.io') dropTopology(draft, existing)
  if (type.key === 'resourceslices.resource.k8s.io') dropMappings(draft, existing)
  if (type.key === 'pods') dropVolumeStatus(draft, existing)
  if (type.key === 'statefulsets.apps') dropUnavailable(draft, existing)
  const spec = podSpecOf(type.key, draft)
  if (spec !== undefined) dropDisabledOfPods(spec, existing === undefined ? undefined : podSpecOf(type.key, existing), minor)
}

/** How many pods of a set may be missing at once is a feature that is off. */
function dropUnavailable(draft: Draft, existing: KubeObject | undefined): void {
  const path = ['spec', 'updateStrategy', 'rollingUpdate', 'maxUnavailable']
  if (valueAt(draft, ...path) !== undefined && valueAt(existing, ...path) === undefined) setAt(draft, path, undefined)
}

/** Labels of an endpoint's node are not written any more; endpoints that stay as they were keep theirs. */
function dropTopology(draft: Draft, existing: KubeObject | undefined): void {
  if (isSame(draft['endpoints'], valueAt(existing, 'endpoints'))) return
  for (const endpoint of itemsAt(draft, 'endpoints')) delete endpoint['deprecatedTopology']
}

/** What a device takes of its node's own resources is kept where the slice had such before. */
function dropMappings(draft: Draft, existing: KubeObject | undefined): void {
  const name = 'nodeAllocatableResourceMappings'
  if (itemsAt(existing, 'spec', 'devices').some(device => device[name] !== undefined)) return
  for (const device of itemsAt(draft, 'spec', 'devices')) delete device[name]
}

const disabledProjections = ['clusterTrustBundle', 'podCertificate']

function dropDisabledOfPods(spec: Draft, before: Draft | undefined, minor: number): void {
  if (minor < 35) dropLaterOfPods(spec, before)
  if (spec['schedulingGroup'] !== undefined && before?.['schedulingGroup'] === undefined) delete spec['schedulingGroup']
  dropSignals(spec, before)
  for (const name of disabledProjections) {
    const isInUse = projectionsOf(before).some(source => source[name] !== undefined)
    if (!isInUse) for (const source of projectionsOf(spec)) delete source[name]
  }
}

function hooksOf(spec: Draft | undefined): readonly (readonly [container: Draft, lifecycle: Draft])[] {
  return ['containers', 'initContainers', 'ephemeralContainers'].flatMap(list =>
    itemsAt(spec, list).flatMap(container => {
      const lifecycle = fieldsAt(container, 'lifecycle')
      return lifecycle === undefined ? [] : [[container, lifecycle] as const]
    }),
  )
}

/** Signals that stop containers are a feature that is off; what says nothing else is not kept. */
function dropSignals(spec: Draft, before: Draft | undefined): void {
  if (hooksOf(before).some(([, lifecycle]) => lifecycle['stopSignal'] !== undefined)) return
  for (const [container, lifecycle] of hooksOf(spec)) {
    if (lifecycle['stopSignal'] === undefined) continue
    delete lifecycle['stopSignal']
    if (isEmpty(lifecycle)) delete container['lifecycle']
  }
}

/** Names of its own and volumes of images came to be on with Kubernetes 1.35. */
function dropLaterOfPods(spec: Draft, before: Draft | undefined): void {
  if (before?.['hostnameOverride'] === undefined) delete spec['hostnameOverride']
  const isImage = (volume: Draft) => volume['image'] !== undefined
  const images = itemsAt(spec, 'volumes').filter(isImage)
  if (images.length === 0 || itemsAt(before, 'volumes').some(isImage)) return
  const rest = itemsAt(spec, 'volumes').filter(volume => !isImage(volume))
  if (rest.length === 0) delete spec['volumes']
  else spec['volumes'] = rest
}

const containerStatuses = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']

function mountsOf(pod: Draft | KubeObject | undefined): readonly Draft[] {
  return containerStatuses.flatMap(list => itemsAt(pod, 'status', list)).flatMap(status => itemsAt(status, 'volumeMounts'))
}

/** Which image a volume has is told by a feature that is off. */
function dropVolumeStatus(draft: Draft, existing: KubeObject | undefined): void {
  if (mountsOf(existing).some(mount => mount['volumeStatus'] !== undefined)) return
  for (const mount of mountsOf(draft)) if (!Object.isFrozen(mount)) delete mount['volumeStatus']
}

function projectionsOf(spec: Draft | undefined): readonly Draft[] {
  return itemsAt(spec, 'volumes').flatMap(volume => itemsAt(volume, 'projected', 'sources'))
}

/** A claim has its source in two fields, of which clients may write either; a source of an unknown kind in the old one counts as none. */
function settleSources(draft: Draft, existing: KubeObject | undefined): void {
  const spec = fieldsAt(draft, 'spec')
  if (spec === undefined || Object.isFrozen(spec)) return
  const isInUse = ['dataSource', 'dataSourceRef'].some(name => valueAt(existing, 'spec', name) !== undefined)
  if (!isInUse && !isEmpty(textAt(spec, 'dataSourceRef', 'namespace'))) delete spec['dataSourceRef']
  const source = fieldsAt(spec, 'dataSource')
  if (!isInUse && source !== undefined && spec['dataSourceRef'] === undefined && !isOldSource(source)) delete spec['dataSource']
  const [old, reference] = [fieldsAt(spec, 'dataSource'), fieldsAt(spec, 'dataSourceRef')]
  if (old !== undefined && reference === undefined) spec['dataSourceRef'] = { ...old }
  if (old !== undefined || reference === undefined || !isEmpty(textAt(reference, 'namespace'))) return
  const { namespace: _namespace, ...local } = reference
  spec['dataSource'] = local
}

function isOldSource(source: Draft): boolean {
  const group = textAt(source, 'apiGroup') ?? ''
  return (
    (source['kind'] === 'PersistentVolumeClaim' && group === '') ||
    (source['kind'] === 'VolumeSnapshot' && group === 'snapshot.storage.k8s.io')
  )
}
